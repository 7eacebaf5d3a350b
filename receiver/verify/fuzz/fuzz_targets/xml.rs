//! Any XML: what is read is JSON that can be scanned, and no larger than was allowed.
#![no_main]
use boathook_template::Pointers;
use boathook_verify::{limits::XML_JSON_BYTES_MAX, xml_as_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(json) = xml_as_json(data) else { return };
    assert!(json.len() <= XML_JSON_BYTES_MAX);
    assert!(json.len() <= data.len() * 4 + 64, "{} bytes of {}", json.len(), data.len());
    let mut pointers = Pointers::default();
    let slot = pointers.slot("/Envelope/Body").expect("a pointer");
    let values = pointers.scan(json.as_bytes()).expect("it is JSON, and not too deep");
    let _ = values.text(slot);
});

//! Certificates that requests name: which of them are asked for, and what holds until they are there.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test reads its data and fails where it cannot go on"
)]
use std::{fs, path::Path, sync::Arc};

use boathook_verify::{
    Code, Diagnosis, KeyFormat, RawRequest, Secret, Setup, Verifier, limits::CERTIFICATES_NEW_MAX, preset,
};
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use serde_json::Value;

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

struct Vector {
    verifier: Verifier,
    request: RawRequest,
    certificate: String,
}

fn vector(provider: &str, id: &str) -> Vector {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("vectors/{provider}.jsonl"));
    let vectors = fs::read_to_string(file).unwrap();
    let mut vectors = vectors.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let vector = vectors.find(|vector| vector["id"] == id).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let secret = Secret {
        text: text(&vector["secrets"][0]["text"]).into_bytes().into(),
        not_before: None,
        not_after: None,
    };
    let setup = Setup { secrets: &[secret], ..Setup::default() };
    let headers = vector["request"]["headers"].as_array().unwrap().iter();
    let headers =
        headers.map(|pair| (text(&pair[0]).parse::<HeaderName>().unwrap(), text(&pair[1]).parse().unwrap()));
    Vector {
        verifier: Verifier::compile(&preset(provider).unwrap(), &setup).unwrap(),
        request: RawRequest {
            method: http::Method::POST,
            path: "/".into(),
            query: None,
            headers: headers.collect::<HeaderMap>(),
            body: text(&vector["request"]["body"]).into(),
        },
        certificate: text(&vector["certificate"]),
    }
}

#[test]
fn until_the_certificate_is_there_it_is_our_failure_and_then_it_counts() {
    for (provider, id, url) in [
        ("aws-sns", "valid-v1", "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-"),
        ("paypal", "valid", "https://api.paypal.com/v1/notifications/certs/CERT-"),
    ] {
        let Vector { verifier, request, certificate } = vector(provider, id);
        assert_eq!(verifier.key_format(), Some(KeyFormat::Certificate));
        let refused = verifier.verify(&request, NOW).unwrap_err();
        assert_eq!((refused.code, refused.diagnosis), (Code::Unavailable, Diagnosis::KeysNotThere));
        assert!(verifier.key_slots().is_empty(), "nobody has asked for a key");
        let slot = verifier.lacks_key(&request, NOW).unwrap();
        assert!(slot.source().url().starts_with(url), "{:?}", slot.source());
        assert_eq!(verifier.key_slots().len(), 1);
        slot.fill(Arc::new(slot.source().format().parse(certificate.as_bytes()).unwrap()));
        assert!(verifier.verify(&request, NOW).is_ok());
        assert!(verifier.lacks_key(&request, NOW).is_none());
    }
}

#[test]
fn nothing_is_fetched_for_a_url_of_others_or_a_topic_of_others() {
    for (provider, id) in [
        ("aws-sns", "url-host"),
        ("aws-sns", "url-user"),
        ("aws-sns", "url-query"),
        ("aws-sns", "wrong-topic"),
        ("aws-sns", "version-unknown"),
        ("aws-sns", "signature-missing"),
        ("paypal", "url-host"),
        ("paypal", "url-path"),
        ("paypal", "twice-cert-url"),
    ] {
        let Vector { verifier, request, .. } = vector(provider, id);
        assert!(verifier.lacks_key(&request, NOW).is_none(), "{provider}/{id}");
        assert!(verifier.verify(&request, NOW).is_err_and(|told| told.code != Code::Unavailable));
    }
}

#[test]
fn made_up_urls_have_few_places_and_leave_the_genuine_one_its_own() {
    let Vector { verifier, request, certificate } = vector("paypal", "valid");
    let slot = verifier.lacks_key(&request, NOW).unwrap();
    slot.fill(Arc::new(slot.source().format().parse(certificate.as_bytes()).unwrap()));
    assert!(verifier.verify(&request, NOW).is_ok());
    for number in 0..100 {
        let mut made_up = request.clone();
        let url = format!("https://api.paypal.com/v1/notifications/certs/CERT-{number}");
        made_up.headers.insert("paypal-cert-url", url.parse().unwrap());
        assert_eq!(verifier.lacks_key(&made_up, NOW).is_some(), number < CERTIFICATES_NEW_MAX);
        assert_eq!(verifier.verify(&made_up, NOW).unwrap_err().code, Code::Unavailable);
    }
    assert_eq!(verifier.key_slots().len(), CERTIFICATES_NEW_MAX + 1);
    assert!(verifier.verify(&request, NOW).is_ok());
    let after = vector("paypal", "valid").verifier;
    after.take_over(&verifier);
    assert_eq!(after.key_slots().len(), 1, "those that were made up are left behind");
    assert!(after.verify(&request, NOW).is_ok());
}

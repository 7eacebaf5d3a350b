//! The scan: what pointers find, what is no JSON, and that both agree with `serde_json`.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
use std::borrow::Cow;

use boathook_template::limits::{JSON_DEPTH_MAX, POINTER_DEPTH_MAX, POINTERS_MAX};
use boathook_template::{Pointers, ScanError, Values};
use proptest::prelude::*;
use serde_json::Value;

/// The JSON text that `pointer` finds in `json`.
fn raw<'b>(json: &'b str, pointer: &str) -> Option<&'b str> {
    let mut pointers = Pointers::default();
    let slot = pointers.slot(pointer).unwrap();
    pointers.scan(json.as_bytes()).unwrap().raw(slot)
}

/// The text of the member `a`.
fn text(json: &str) -> Option<Cow<'_, str>> {
    let mut pointers = Pointers::default();
    let slot = pointers.slot("/a").unwrap();
    pointers.scan(json.as_bytes()).unwrap().text(slot)
}

#[test]
fn pointers_find_json_text_as_it_stands() {
    let cases = [
        (r#" {"a" : [1, 2] } "#, "", Some(r#"{"a" : [1, 2] }"#)),
        (r#"{"a" : [1, 2] }"#, "/a", Some("[1, 2]")),
        (r#"{"a":[1,{"b":[true]}]}"#, "/a/1/b/0", Some("true")),
        (r#"{"a":[1,2]}"#, "/a/2", None),
        (r#"{"a":[1,2]}"#, "/a/01", None),
        (r#"{"a":[1,2]}"#, "/a/-", None),
        (r#"{"a":{"0":"x"}}"#, "/a/0", Some(r#""x""#)),
        (r#"{"a/b":1,"m~n":2,"~1":3}"#, "/a~1b", Some("1")),
        (r#"{"a/b":1,"m~n":2,"~1":3}"#, "/m~0n", Some("2")),
        (r#"{"a/b":1,"m~n":2,"~1":3}"#, "/~01", Some("3")),
        (r#"{"":{"":1}}"#, "//", Some("1")),
        (r#"{"\u0061\n":1}"#, "/a\n", Some("1")),
        (r#"{"ü😀":1}"#, "/ü😀", Some("1")),
        (r#"{"\ud83d\ude00":1}"#, "/😀", Some("1")),
        (r#"{"a":null}"#, "/a", Some("null")),
        (r#"{"a":"x"}"#, "/a/b", None),
        ("[]", "/0", None),
        ("7", "", Some("7")),
        ("7", "/a", None),
    ];
    for (json, pointer, expected) in cases {
        assert_eq!(raw(json, pointer), expected, "{pointer} in {json}");
    }
}

#[test]
fn of_a_repeated_member_the_last_counts_with_all_that_is_in_it() {
    let cases = [
        (r#"{"a":1,"a":2}"#, "/a", Some("2")),
        (r#"{"a":{"b":1},"a":2}"#, "/a/b", None),
        (r#"{"a":{"b":1},"a":{"c":2}}"#, "/a/b", None),
        (r#"{"a":{"b":{"c":1}},"a":{"b":{}}}"#, "/a/b/c", None),
        (r#"{"a":2,"a":{"b":1}}"#, "/a/b", Some("1")),
        (r#"{"a":[1],"\u0061":[]}"#, "/a/0", None),
    ];
    for (json, pointer, expected) in cases {
        assert_eq!(raw(json, pointer), expected, "{pointer} in {json}");
    }
}

#[test]
fn a_value_and_what_is_inside_it_are_both_found() {
    let json = r#"{"a":{"b":[1,{"c":2}]}}"#;
    let mut pointers = Pointers::default();
    let slots = ["", "/a/b/1/c", "/a", "/a/b/1", "/a/b/0"].map(|pointer| pointers.slot(pointer).unwrap());
    let values = pointers.scan(json.as_bytes()).unwrap();
    let expected = [json, "2", r#"{"b":[1,{"c":2}]}"#, r#"{"c":2}"#, "1"].map(Some);
    assert_eq!(slots.map(|slot| values.raw(slot)), expected);
}

#[test]
fn text_is_what_a_person_would_copy() {
    let cases = [
        (r#"{"a":"x y"}"#, Some("x y")),
        (r#"{"a":"x\n\"\u00fc\ud83d\ude00\/"}"#, Some("x\n\"ü😀/")),
        (r#"{"a":123456789012345678901234567890}"#, Some("123456789012345678901234567890")),
        (r#"{"a":-1.50E+3}"#, Some("-1.50E+3")),
        (r#"{"a":1e999}"#, Some("1e999")),
        (r#"{"a":true}"#, Some("true")),
        (r#"{"a":false}"#, Some("false")),
        (r#"{"a":{"b": [] }}"#, Some(r#"{"b": [] }"#)),
        (r#"{"a":"null"}"#, Some("null")),
        (r#"{"a":null}"#, None),
        (r#"{"a":""}"#, None),
        (r#"{"a":"\ud800"}"#, None),
        ("{}", None),
    ];
    for (json, expected) in cases {
        assert_eq!(text(json).as_deref(), expected, "{json}");
    }
}

#[test]
fn text_is_borrowed_unless_it_has_escapes() {
    assert!(matches!(text(r#"{"a":"über"}"#), Some(Cow::Borrowed("über"))));
    assert!(matches!(text(r#"{"a":"\u00fcber"}"#), Some(Cow::Owned(_))));
}

#[test]
fn items_are_an_arrays_json_texts_in_order() {
    let items = |json: &'static str| {
        let mut pointers = Pointers::default();
        let slot = pointers.slot("").unwrap();
        pointers.scan(json.as_bytes()).unwrap().items(slot, 1_000)
    };
    assert_eq!(items(r#"[1, {"a": 2} ,"x",null]"#), Some(vec!["1", r#"{"a": 2}"#, r#""x""#, "null"]));
    assert_eq!(items("[ ]"), Some(vec![]));
    assert_eq!(items(r#"{"0":1}"#), None);
    assert_eq!(items(r#""[1]""#), None);
}

#[test]
fn without_values_every_slot_is_missing() {
    let slot = Pointers::default().slot("/a").unwrap();
    let values = Values::none();
    assert_eq!((values.text(slot), values.raw(slot), values.items(slot, 1_000)), (None, None, None));
}

#[test]
fn what_is_no_json_is_refused_with_its_place_and_never_quoted() {
    let cases = [
        ("", "line 1 column 0"),
        ("{\"secret\":1", "line 1 column 11"),
        ("{\"secret\":1,\n}", "line 2 column 1"),
        ("{\"a\":secret}", "line 1 column 6"),
        ("{\"a\":{\"b\":\"secret\" 1}}", "line 1 column 20"),
        ("[1] secret", "line 1 column 5"),
        ("{\"a\":01}", "line 1 column 7"),
        ("{\"a\":\"secret\n\"}", "line 1 column 12"),
        ("{\"secret\n\":1}", "line 1 column 8"),
        ("{\"a\":\"\\x\"}", "line 1 column 8"),
        ("{1:2}", "line 1 column 2"),
        ("\u{feff}{}", "line 1 column 1"),
    ];
    for pointer in [None, Some(""), Some("/a"), Some("/a/b"), Some("/0/b")] {
        let mut pointers = Pointers::default();
        pointer.map(|pointer| pointers.slot(pointer).unwrap());
        assert_eq!(pointers.is_empty(), pointer.is_none());
        for (json, place) in cases {
            let message = pointers.scan(json.as_bytes()).unwrap_err().to_string();
            assert!(message.starts_with("not JSON: ") && message.ends_with(place), "{pointer:?}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
    let error = Pointers::default().scan(b"\"a\xff\"").unwrap_err();
    assert_eq!(error.to_string(), "not JSON: not UTF-8 at byte 2");
}

#[test]
fn valid_json_that_fits_no_number_or_text_type_is_accepted_wherever_pointers_lead() {
    let jsons =
        [r#"{"a":1e999,"b":{"c":1}}"#, r#"{"a":"\ud800","b":{"c":1}}"#, r#"{"\ud800":0,"b":{"c":1}}"#];
    let mut pointers = Pointers::default();
    pointers.slot("/a/x").unwrap();
    let slot = pointers.slot("/b/c").unwrap();
    for json in jsons {
        assert_eq!(pointers.scan(json.as_bytes()).unwrap().raw(slot), Some("1"), "{json}");
    }
}

#[test]
fn nesting_is_allowed_up_to_the_limit_however_many_brackets_stand_in_strings() {
    let nested = |depth, inner: &str| format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
    let brackets = format!(r#""\"{}""#, "[{".repeat(JSON_DEPTH_MAX));
    let wide = format!("[{}]", vec!["[{}]"; JSON_DEPTH_MAX].join(","));
    let mut pointers = Pointers::default();
    pointers.slot("/0/0").unwrap();
    let scan = |json: &str| pointers.scan(json.as_bytes()).map(|_| ());

    assert_eq!(scan(&nested(JSON_DEPTH_MAX, "")), Ok(()));
    assert_eq!(scan(&nested(JSON_DEPTH_MAX + 1, "")), Err(ScanError::TooDeep));
    assert_eq!(scan(&nested(JSON_DEPTH_MAX, &brackets)), Ok(()));
    assert_eq!(scan(&nested(JSON_DEPTH_MAX, r#""\\",{}"#)), Err(ScanError::TooDeep));
    assert_eq!(scan(&wide), Ok(()));
}

#[test]
fn the_same_pointer_has_the_same_slot() {
    let mut pointers = Pointers::default();
    let slots = ["/a/b", "/a", "/a/b", "/a~0"].map(|pointer| pointers.slot(pointer).unwrap());
    assert_eq!(slots[0], slots[2]);
    assert!(slots[0] != slots[1] && slots[1] != slots[3]);
}

#[test]
fn pointers_are_limited_in_number_and_depth() {
    let mut pointers = Pointers::default();
    for n in 0..POINTERS_MAX {
        pointers.slot(&format!("/a/{n}")).unwrap();
    }
    pointers.slot("/a/0").unwrap();
    for one_more in ["/b", "/a", ""] {
        assert!(pointers.slot(one_more).unwrap_err().message.contains("at most 64"));
    }
    let mut pointers = Pointers::default();
    pointers.slot(&"/a".repeat(POINTER_DEPTH_MAX)).unwrap();
    let error = pointers.slot(&"/a".repeat(POINTER_DEPTH_MAX + 1)).unwrap_err();
    assert_eq!(error.at, 2 * POINTER_DEPTH_MAX + 1);
    assert!(pointers.slot("a").unwrap_err().message.contains("write `/a`"));
}

/// JSON texts of few names, so that pointers hit and members repeat.
fn json() -> impl Strategy<Value = String> {
    let name =
        prop_oneof![Just("a"), Just("b"), Just("0"), Just("ü"), Just("\\u0061"), Just("x\\ny"), Just("\\/")];
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        Just(r#""\ud83d\ude00[{\"""#.to_owned()),
    ];
    let space = prop_oneof![Just(""), Just(" "), Just("\r\n\t")];
    scalar.prop_recursive(5, 48, 5, move |inner| {
        let member = (name.clone(), space.clone(), inner.clone());
        prop_oneof![
            (prop::collection::vec(inner, 0..4), space.clone())
                .prop_map(|(items, space)| format!("{space}[{}{space}]", items.join(&format!("{space},")))),
            prop::collection::vec(member, 0..5).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(name, space, value)| format!("{space}\"{name}\"{space}:{space}{value}{space}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn pointer() -> impl Strategy<Value = String> {
    let step =
        prop_oneof![Just("/a"), Just("/b"), Just("/0"), Just("/1"), Just("/ü"), Just("/x\ny"), Just("/~1")];
    prop::collection::vec(step, 0..5).prop_map(|steps| steps.concat())
}

proptest! {
    #[test]
    fn every_pointer_finds_what_serde_json_finds(
        json in json(),
        wanted in prop::collection::vec(pointer(), 1..6),
    ) {
        let document: Value = serde_json::from_str(&json).unwrap();
        let mut pointers = Pointers::default();
        let slots: Vec<_> = wanted.iter().map(|pointer| pointers.slot(pointer).unwrap()).collect();
        let values = pointers.scan(json.as_bytes()).unwrap();
        for (pointer, slot) in wanted.iter().zip(slots) {
            let expected = document.pointer(pointer);
            let found = values.raw(slot).map(|raw| serde_json::from_str::<Value>(raw).unwrap());
            prop_assert_eq!(found.as_ref(), expected, "{} in {}", pointer, json);
            let items = values.items(slot, 1_000).map(|items| {
                items.into_iter().map(|raw| serde_json::from_str(raw).unwrap()).collect::<Vec<Value>>()
            });
            prop_assert_eq!(items.as_ref(), expected.and_then(Value::as_array));
            if let Some(Value::String(expected)) = expected {
                let text = values.text(slot).unwrap_or_default();
                prop_assert_eq!(&*text, &**expected);
            }
        }
    }

    #[test]
    fn whether_it_is_json_does_not_depend_on_the_pointers(
        json in json(),
        cut in any::<prop::sample::Index>(),
        with in any::<char>(),
        wanted in prop::collection::vec(pointer(), 0..6),
    ) {
        let cut = json.floor_char_boundary(cut.index(json.len() + 1));
        let (before, after) = json.split_at(cut);
        let damaged = format!("{before}{with}{after}");
        let mut pointers = Pointers::default();
        wanted.iter().for_each(|pointer| { pointers.slot(pointer).unwrap(); });
        let expected = serde_json::from_str::<serde::de::IgnoredAny>(&damaged).is_ok();
        prop_assert_eq!(pointers.scan(damaged.as_bytes()).is_ok(), expected, "{}", damaged);
    }

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), wanted in prop::collection::vec(pointer(), 0..4)) {
        let mut pointers = Pointers::default();
        let slots: Vec<_> = wanted.iter().map(|pointer| pointers.slot(pointer).unwrap()).collect();
        if let Ok(values) = pointers.scan(&bytes) {
            slots.iter().for_each(|slot| drop((values.text(*slot), values.items(*slot, 1_000))));
        }
    }
}

#[test]
fn of_too_many_items_one_more_than_the_most_is_given() {
    let mut pointers = Pointers::default();
    let slot = pointers.slot("").unwrap();
    let values = pointers.scan(b"[1, 2, [3], 4]").unwrap();
    assert_eq!(values.items(slot, 4), Some(vec!["1", "2", "[3]", "4"]));
    assert_eq!(values.items(slot, 2), Some(vec!["1", "2", "[3]"]));
    assert_eq!(values.items(slot, 0), Some(vec!["1"]));
}

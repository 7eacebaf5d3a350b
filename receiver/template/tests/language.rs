//! The template language, case by case, and its properties.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::borrow::Cow;

use boathook_template::{Hole, Place, Pointers, ScanError, Source, Template, Values};
use proptest::prelude::*;

/// A request with two headers, one query parameter and a JSON body.
struct Sample<'b> {
    values: Values<'b>,
}

impl Source for Sample<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        match hole {
            Hole::Id => Some("evt_1".into()),
            Hole::Uid => Some("0190".into()),
            Hole::Type => Some("".into()),
            Hole::Endpoint => Some("github".into()),
            Hole::Header(name) if &**name == "x-github-event" => Some("push".into()),
            Hole::Attr(name) if &**name == "team" => Some("search".into()),
            Hole::Query(name) if &**name == "a" => Some("b".into()),
            Hole::Pointer(slot) => self.values.text(*slot),
            _ => None,
        }
    }
}

const BODY: &str = r#"{"action":"opened","n":12345678901234567890123,"deep":{"a":[{"id":"x"},{"id":"y"}],"e":""},
 "s":"a\u00e4\"b","nil":null,"yes":true,"~/":"tilde"}"#;

fn render(text: &str) -> Option<String> {
    let mut pointers = Pointers::default();
    let template = Template::parse(text, Place::Delivery, &mut pointers).unwrap();
    let source = Sample { values: pointers.scan(BODY.as_bytes()).unwrap() };
    template.render(&source).map(Cow::into_owned)
}

#[test]
fn holes_literals_and_alternatives_render_as_written() {
    for (text, expected) in [
        ("", Some("")),
        ("plain", Some("plain")),
        ("{header:X-GitHub-Event}.{/action}", Some("push.opened")),
        ("{header:X-GitHub-Event}.{/missing}", Some("push")),
        ("{/missing}.{/action}", Some(".opened")),
        ("{/missing}", None),
        ("a{/missing}b", None),
        ("a{type}b{id}", Some("bevt_1")),
        ("{/missing|/action|'none'}", Some("opened")),
        ("{/missing|'none'}", Some("none")),
        ("{'{'}{id}{'}'}", Some("{evt_1}")),
        ("{'it''s | }'}", Some("it's | }")),
        ("{attr:team}/{query:a}", Some("search/b")),
        ("{/n}", Some("12345678901234567890123")),
        ("{/deep/a/1/id}", Some("y")),
        ("{/deep/a/01/id}", None),
        ("{/deep/a/0}", Some(r#"{"id":"x"}"#)),
        ("{/deep/e}", None),
        ("{/nil}", None),
        ("{/yes}", Some("true")),
        ("{/s}", Some("aä\"b")),
        ("{/~0~1}", Some("tilde")),
    ] {
        assert_eq!(render(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn mistakes_name_their_place_and_what_to_write() {
    for (text, place, at, part) in [
        ("a}", Place::Delivery, 1, "{'}'}"),
        ("ab{id", Place::Delivery, 2, "not closed"),
        ("{'x", Place::Delivery, 0, "not closed"),
        ("{}", Place::Delivery, 1, "empty hole"),
        ("{UID}", Place::Delivery, 1, "did you mean {uid}"),
        ("{nope}", Place::Delivery, 1, "write one of"),
        ("{id}", Place::Request, 1, "not known at this place"),
        ("{key}", Place::Event, 1, "not known at this place"),
        ("{header:}", Place::Request, 1, "write a name"),
        ("{header:a b}", Place::Request, 1, "no header name"),
        ("{cookie:x}", Place::Request, 1, "attr:, header: or query:"),
        ("{/a~2}", Place::Request, 1, "~0"),
    ] {
        let error = Template::parse(text, place, &mut Pointers::default()).unwrap_err();
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

#[test]
fn one_hole_borrows_and_is_known_as_a_lone_pointer() {
    let mut pointers = Pointers::default();
    let template = Template::parse("{/action}", Place::Request, &mut pointers).unwrap();
    let source = Sample { values: pointers.scan(BODY.as_bytes()).unwrap() };
    assert!(matches!(template.render(&source), Some(Cow::Borrowed("opened"))));
    assert_eq!(source.values.raw(template.lone_pointer().unwrap()), Some("\"opened\""));
    assert!(Template::parse("x{/action}", Place::Request, &mut pointers).unwrap().lone_pointer().is_none());
}

#[test]
fn of_a_repeated_member_the_last_counts_also_below_it() {
    let mut pointers = Pointers::default();
    let (whole, inner) = (pointers.slot("/a").unwrap(), pointers.slot("/a/b").unwrap());
    let other = pointers.slot("/c/d").unwrap();
    let values = pointers.scan(br#"{"a":{"b":1},"c":{"d":2},"a":5,"c":true}"#).unwrap();
    assert_eq!((values.raw(whole), values.raw(inner), values.raw(other)), (Some("5"), None, None));
}

#[test]
fn a_body_that_is_no_json_is_told_without_quoting_it() {
    let pointers = Pointers::default();
    for body in [&b"{\"secret\":"[..], b"{\"a\":1} x", b"", b"\xff", b"{secret}"] {
        let error = pointers.scan(body).unwrap_err();
        assert!(matches!(error, ScanError::Syntax(_)), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert_eq!(pointers.scan("[".repeat(65).as_bytes()).unwrap_err(), ScanError::TooDeep);
    let brackets_in_a_string = format!("\"{}\\\"{}\"", "[".repeat(99), "{".repeat(99));
    assert!(pointers.scan(brackets_in_a_string.as_bytes()).is_ok());
}

#[test]
fn items_of_an_array_keep_their_text() {
    let mut pointers = Pointers::default();
    let (root, list) = (pointers.slot("").unwrap(), pointers.slot("/l").unwrap());
    let values = pointers.scan(br#"{"l":[ {"a" : 1}, 2,"x"]}"#).unwrap();
    assert_eq!(values.items(list).unwrap(), [r#"{"a" : 1}"#, "2", "\"x\""]);
    assert!(values.items(root).is_none());
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,6}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[ab~/0]{1,2}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_scan_finds_what_a_parsed_document_has(document in json(), steps in prop::collection::vec("[ab01~/]{1,2}", 0..4)) {
        let pointer: String = steps.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect();
        let text = document.to_string();
        let mut pointers = Pointers::default();
        let slot = pointers.slot(&pointer).unwrap();
        let root = pointers.slot("").unwrap();
        let values = pointers.scan(text.as_bytes()).unwrap();
        prop_assert_eq!(values.raw(slot).map(str::to_owned), document.pointer(&pointer).map(ToString::to_string));
        prop_assert_eq!(values.raw(root), Some(&*text));
    }

    #[test]
    fn no_template_and_no_body_panics(text in "[{}|'/:a-z~]{0,24}", body in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut pointers = Pointers::default();
        if let Ok(template) = Template::parse(&text, Place::Delivery, &mut pointers) {
            let values = pointers.scan(&body).unwrap_or_else(|_| Values::none());
            let _ = template.render(&Sample { values });
        }
    }
}

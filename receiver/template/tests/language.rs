//! The language: what templates render, and what is said of mistakes.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
use std::borrow::Cow;

use boathook_template::limits::{ALTERNATIVES_MAX, OUTPUT_BYTES_MAX, PARTS_MAX, TEMPLATE_BYTES_MAX};
use boathook_template::{Hole, Place, Pointers, Source, Template, Values};
use proptest::prelude::*;

/// A delivery of which every value is its own hole's name, apart from the empty ones.
struct Delivery<'b> {
    body: &'b str,
    values: Values<'b>,
}

impl Source for Delivery<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        let text = match hole {
            Hole::Uid => "uid",
            Hole::Id => "id",
            Hole::Type => "type",
            Hole::Endpoint => "endpoint",
            Hole::Namespace => "namespace",
            Hole::ReceivedAt => "receivedAt",
            Hole::Now => "now",
            Hole::Status => "status",
            Hole::ProcessedAt => "processedAt",
            Hole::Body => self.body,
            Hole::Index => return Some(Cow::Owned(7.to_string())),
            Hole::Attempt => return Some(Cow::Owned(1.to_string())),
            Hole::Attr(name) | Hole::Header(name) | Hole::Query(name) if name.starts_with("no") => "",
            Hole::Attr(name) | Hole::Header(name) | Hole::Query(name) => {
                return Some(Cow::Owned(name.to_string()));
            }
            Hole::Pointer(slot) => return self.values.text(*slot),
            Hole::Key | Hole::Tenant | Hole::Error => return None,
        };
        Some(Cow::Borrowed(text))
    }
}

const BODY: &str =
    r#"{"action":"opened","data":{"id":42,"name":"a\nb","items":[true,{"x":null}]},"none":null,"empty":""}"#;

fn render(text: &str) -> Option<String> {
    let mut pointers = Pointers::default();
    let template = Template::parse(text, Place::Delivery, &mut pointers).unwrap();
    let values = pointers.scan(BODY.as_bytes()).unwrap();
    template.render(&Delivery { body: BODY, values }).map(Cow::into_owned)
}

#[test]
fn attributes_become_constants_and_nothing_behind_them_is_tried() {
    let constant = |name: &str| (name == "team").then_some("red");
    let rendered = |text: &str| {
        let mut pointers = Pointers::default();
        let template = Template::parse(text, Place::Delivery, &mut pointers).unwrap();
        let template = template.with_attributes(constant)?;
        let values = pointers.scan(BODY.as_bytes()).unwrap();
        let text = template.render(&Delivery { body: BODY, values }).map(Cow::into_owned);
        Ok::<_, Box<str>>((template.constant().is_some(), text.unwrap_or_default()))
    };
    assert_eq!(rendered("a-{attr:team}-b"), Ok((true, "a-red-b".into())));
    assert_eq!(rendered("{id}-{attr:team}"), Ok((false, "id-red".into())));
    assert_eq!(rendered("{/action|attr:team|id}"), Ok((false, "opened".into())));
    assert_eq!(rendered("{/none|attr:team|id}.{/none}"), Ok((false, "red".into())));
    assert_eq!(rendered("{attr:team|attr:tem|'x'}"), Err("tem".into()));
    let needed = |text: &str| parse(text).needed_attributes().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(needed("{attr:a}-{attr:b|'x'}{attr:c|id}{id}{attr:d}"), ["a", "d"]);
}

fn parse(text: &str) -> Template {
    Template::parse(text, Place::Delivery, &mut Pointers::default()).unwrap()
}

#[test]
fn templates_render_as_written() {
    let cases = [
        // Text and single holes.
        ("", Some("")),
        ("orders", Some("orders")),
        ("{uid} {id} {type} {endpoint} {namespace}", Some("uid id type endpoint namespace")),
        ("{receivedAt} {now} {index}", Some("receivedAt now 7")),
        ("{status} {processedAt} {attempt}", Some("status processedAt 1")),
        ("{attr:Team}/{query:Page}/{header:X-Kind}", Some("Team/Page/x-kind")),
        ("{body}", Some(BODY)),
        // Pointers.
        ("{/action}", Some("opened")),
        ("{/data/id}", Some("42")),
        ("{/data/name}", Some("a\nb")),
        ("{/data/items/0}", Some("true")),
        ("{/data/items}", Some(r#"[true,{"x":null}]"#)),
        // Alternatives.
        ("{/a|/action}", Some("opened")),
        ("{/none|/empty|header:no|key|'none'}", Some("none")),
        ("{/action|'none'}", Some("opened")),
        ("{/a|'it''s | {odd}'}", Some("it's | {odd}")),
        ("{/a|/b}", None),
        // Literals in holes.
        ("{'{'}\"id\":{id}{'}'}", Some("{\"id\":id}")),
        ("{''''}", Some("'")),
        ("{'a}b|c'}", Some("a}b|c")),
        ("it's", Some("it's")),
        ("größe-{id}-ü", Some("größe-id-ü")),
        // Empty holes.
        ("{header:X-Event}.{/action}", Some("x-event.opened")),
        ("{header:X-Event}.{/a}", Some("x-event")),
        ("{id}.{/a}.{type}", Some("id.type")),
        ("{/a}.{id}", Some(".id")),
        ("{id}.{/a}!", Some("id!")),
        ("{id}{'{'}{/a}", Some("id")),
        ("a {/a} b {key} c", None),
    ];
    for (text, expected) in cases {
        assert_eq!(render(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn mistakes_are_named_with_their_place_and_remedy() {
    let cases = [
        ("a}b", 1, "`{'}'}`"),
        ("{id}}", 4, "`{'}'}`"),
        ("a{id", 1, "not closed"),
        ("{/a{/b}", 0, "not closed"),
        ("{'x'", 0, "not closed"),
        ("{id|'x}", 4, "without an end"),
        ("{}", 1, "nothing to ask for"),
        ("{ }", 1, "nothing to ask for"),
        ("{id|}", 4, "nothing to ask for"),
        ("{|id}", 1, "nothing to ask for"),
        ("{id|''}", 4, "empty literal"),
        ("{'x'|id}", 4, "put it last"),
        ("{'x'y}", 4, "after a quoted literal"),
        ("{ id}", 1, "write `{id}`"),
        ("{/a |'x'}", 3, "space after the pointer: write `/a`"),
        ("{idd}", 1, "did you mean `{id}`"),
        ("{receivedat}", 1, "did you mean `{receivedAt}`"),
        ("{processed_at}", 1, "did you mean `{processedAt}`"),
        ("{Headers:X-A}", 1, "did you mean `{header:X-A}`"),
        ("{data.object.id}", 1, "`{/data/object/id}`"),
        ("{$.data.id}", 1, "`{/data/id}`"),
        ("{body.data.id}", 1, "`{/data/id}`"),
        ("{a[0]}", 1, "`{/json/pointer}`"),
        ("{foo:bar}", 1, "unknown hole"),
        ("{id:x}", 1, "takes no name: write `{id}`"),
        ("{header}", 1, "write `{header:NAME}`"),
        ("{attr:}", 1, "write `{attr:NAME}`"),
        ("{query: a}", 1, "write `{query:NAME}`"),
        ("{header:}", 1, "write `{header:NAME}`"),
        ("{header:X Y}", 1, "cannot hold ' '"),
        ("{header:Grüße}", 1, "cannot hold 'ü'"),
        ("{/a~}", 3, "`~0` for `~`"),
        ("{id|/a/b~2}", 8, "`~0` for `~`"),
    ];
    for (text, at, message) in cases {
        let error = Template::parse(text, Place::Delivery, &mut Pointers::default()).unwrap_err();
        assert_eq!((&*error.text, error.at), (text, at), "{error}");
        assert!(error.message.contains(message), "{error}");
    }
}

#[test]
fn a_mistake_is_shown_at_its_character_counted_from_one() {
    let error = Template::parse("größe {idd}", Place::Delivery, &mut Pointers::default()).unwrap_err();
    let expected = "unknown hole `{idd}`: did you mean `{id}`? (at character 8 of `größe {idd}`)";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn holes_are_refused_where_they_are_not_known_yet() {
    let request =
        ["endpoint", "namespace", "receivedAt", "index", "body", "attr:a", "header:a", "query:a", "/a"];
    let event = ["uid", "id", "type", "tenant"];
    let delivery = ["key", "now", "status", "error", "processedAt", "attempt"];
    let known = |word: &str, place| {
        Template::parse(&format!("{{{word}}}"), place, &mut Pointers::default()).map(|_| true).unwrap_or_else(
            |error| {
                assert!(error.message.contains("known here"), "{error}");
                false
            },
        )
    };
    let places = |word| [Place::Request, Place::Event, Place::Delivery].map(|place| known(word, place));
    for word in request {
        assert_eq!(places(word), [true, true, true], "{word}");
    }
    for word in event {
        assert_eq!(places(word), [false, true, true], "{word}");
    }
    for word in delivery {
        assert_eq!(places(word), [false, false, true], "{word}");
    }
}

#[test]
fn limits_allow_their_bound_and_refuse_one_more() {
    let check = |what: &str, max: usize, text: fn(usize) -> String| {
        let mut pointers = Pointers::default();
        Template::parse(&text(max), Place::Delivery, &mut pointers).unwrap();
        let error = Template::parse(&text(max + 1), Place::Delivery, &mut pointers).unwrap_err();
        assert!(error.message.contains(&format!("at most {max} {what}")), "{error}");
    };
    check("bytes", TEMPLATE_BYTES_MAX, |n| "x".repeat(n));
    check("holes and literals", PARTS_MAX, |n| "{id}".repeat(n));
    check("alternatives", ALTERNATIVES_MAX, |n| format!("{{{}}}", vec!["id"; n].join("|")));
}

#[test]
fn a_rendering_beyond_the_limit_counts_as_missing_except_the_body_alone() {
    let body = "x".repeat(OUTPUT_BYTES_MAX + 1);
    let render = |text: &str, body: &str| {
        let source = Delivery { body, values: Values::none() };
        parse(text).render(&source).map(|text| text.len())
    };
    assert_eq!(render("{body}", &body), Some(OUTPUT_BYTES_MAX + 1));
    assert_eq!(render("{body|'none'}", &body), None);
    assert_eq!(render("{body}{key}", &body), None);
    let body = "x".repeat(OUTPUT_BYTES_MAX - 1);
    assert_eq!(render("{body}.", &body), Some(OUTPUT_BYTES_MAX));
    assert_eq!(render("{body}..", &body), None);
}

#[test]
fn a_single_part_is_borrowed() {
    let mut pointers = Pointers::default();
    let mut parse = |text| Template::parse(text, Place::Delivery, &mut pointers).unwrap();
    let templates = ["orders", "{'{'}x", "{/action}", "{/a|'none'}", "{body}"].map(&mut parse);
    let source = Delivery { body: BODY, values: pointers.scan(BODY.as_bytes()).unwrap() };
    for template in templates {
        assert!(matches!(template.render(&source), Some(Cow::Borrowed(_))), "{template:?}");
    }
}

#[test]
fn a_template_tells_what_it_is_made_of() {
    let mut pointers = Pointers::default();
    let slot = pointers.slot("/a").unwrap();
    let mut parse = |text| Template::parse(text, Place::Delivery, &mut pointers).unwrap();

    assert_eq!(parse("").constant(), Some(""));
    assert_eq!(parse("a{'{'}b").constant(), Some("a{b"));
    assert_eq!(parse("{id|'x'}").constant(), None);

    assert_eq!(parse("{/a}").lone_pointer(), Some(slot));
    for text in ["{/a}.", "{/a|/b}", "{/a|'x'}", "{/a}{/a}", "{id}", "x"] {
        assert_eq!(parse(text).lone_pointer(), None, "{text}");
    }

    assert!(parse("x{id|/a}").uses_pointers());
    assert!(!parse("{id}").uses_pointers());

    let template = parse("x{id|header:A-B|'y'}{/a}");
    let expected = [Hole::Id, Hole::Header("a-b".into()), Hole::Pointer(slot)];
    assert!(template.holes().eq(&expected), "{template:?}");
}

/// Gives some values and refuses others, whatever they are.
struct Arbitrary(Vec<Option<String>>);

impl Source for Arbitrary {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        let place = format!("{hole:?}").len() % self.0.len();
        self.0.get(place)?.as_deref().map(Cow::Borrowed)
    }
}

/// Texts that often are templates.
fn template_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{id}"),
        Just("{"),
        Just("}"),
        Just("|"),
        Just("'"),
        Just("''"),
        Just("/a"),
        Just("~1"),
        Just("ü"),
        Just("header:X"),
        Just("{/a|'x'}"),
        Just("{body}"),
        Just("."),
        Just("{'{'}"),
        Just("attr:"),
        Just("{key}"),
    ];
    prop_oneof![any::<String>(), prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())]
}

proptest! {
    #[test]
    fn no_template_and_no_source_panics(
        text in template_text(),
        values in prop::collection::vec(any::<Option<String>>(), 1..5),
    ) {
        match Template::parse(&text, Place::Delivery, &mut Pointers::default()) {
            Ok(template) => {
                let rendered = template.render(&Arbitrary(values)).map(Cow::into_owned);
                if let Some(constant) = template.constant() {
                    prop_assert_eq!(rendered.as_deref(), Some(constant));
                }
            }
            Err(error) => {
                prop_assert!(error.at <= text.len() && text.is_char_boundary(error.at), "{}", error);
            }
        }
    }

    #[test]
    fn text_without_braces_is_itself(text in "[^{}]{0,64}") {
        let template = parse(&text);
        prop_assert_eq!(template.constant(), Some(&*text));
    }

    #[test]
    fn any_text_can_be_quoted(text in "[^']{1,64}", quotes in 0..3_usize) {
        let text = text + &"'".repeat(quotes);
        let quoted = format!("{{'{}'}}", text.replace('\'', "''"));
        let template = parse(&quoted);
        prop_assert_eq!(template.constant(), Some(&*text));
    }
}

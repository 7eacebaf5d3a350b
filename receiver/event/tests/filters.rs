//! What filters want, what they cannot say, and what may stand in one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
use std::sync::Arc;

use boathook_event::{
    Event, EventParts, Filter, FilterSpec, Head, ObjectName, Operator, RuleSpec, Subject, Uid, limits,
};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Value, json};

fn event(body: &str) -> Event {
    let headers = HeaderMap::from_iter([("x-team".parse().unwrap(), HeaderValue::from_static("search"))]);
    Event::restore(EventParts {
        uid: Uid::from_bytes([7; 16]),
        endpoint: ObjectName::new("default", "in"),
        received_at: Timestamp::UNIX_EPOCH,
        id: Some("e-1".into()),
        event_type: Some("push".into()),
        key: None,
        tenant: Some("acme".into()),
        entity: None,
        index: 0,
        head: Arc::new(Head { method: Method::POST, path: "/".into(), query: None, headers }),
        body: body.to_owned().into(),
    })
}

fn admits(spec: FilterSpec, body: &str) -> Result<bool, String> {
    let event = event(body);
    let filter = Filter::compile(spec).unwrap_or_else(|error| panic!("{error}"));
    filter.admits(&Subject::new(&event, None)).map_err(|failure| failure.to_string())
}

fn cel(text: &str, body: &str) -> Result<bool, String> {
    admits(FilterSpec::Cel(text.into()), body)
}

fn mistake(spec: FilterSpec) -> String {
    Filter::compile(spec).unwrap_err().to_string()
}

fn rule(field: &str, operator: Operator, value: impl Into<Option<Value>>) -> FilterSpec {
    FilterSpec::Match(vec![RuleSpec { field: field.into(), operator, value: value.into() }])
}

#[test]
fn rules_compare_values_and_a_missing_or_other_kind_of_value_does_not_match() {
    use Operator::*;
    let body = r#"{"data":{"priority":"high","n":10,"f":10.5,"at":"2026-01-31T00:00:00Z","tags":["a",{"b":1}],"no":null,
        "big":9007199254740993}}"#;
    for (field, operator, value, expected) in [
        ("data.priority", Equals, json!("high"), true),
        ("/data/priority", Equals, json!("low"), false),
        ("data.n", Equals, json!(10.0), true),
        ("data.n", Equals, json!("10"), false),
        ("data.big", Equals, json!(9_007_199_254_740_992_i64), false),
        ("data.none", Equals, json!("high"), false),
        ("data.no", Equals, json!(false), false),
        ("data.priority", NotEquals, json!("low"), true),
        ("data.priority", NotEquals, json!("high"), false),
        ("data.none", NotEquals, json!("high"), true),
        ("data.n", NotEquals, json!("10"), true),
        ("data.priority", Contains, json!("ig"), true),
        ("data.tags", Contains, json!("a"), true),
        ("data.tags", Contains, json!({ "b": 1.0 }), true),
        ("data.tags", Contains, json!("b"), false),
        ("data.n", Contains, json!("1"), false),
        ("data.n", GreaterThan, json!(9.5), true),
        ("data.n", GreaterThan, json!(10), false),
        ("data.f", LessThan, json!(11), true),
        ("data.at", GreaterThan, json!("2026-01-30T23:59:59+00:00"), true),
        ("data.at", LessThan, json!("2026-01-31T00:30:00+01:00"), false),
        ("data.priority", GreaterThan, json!(1), false),
        ("data.n", GreaterThan, json!("2026-01-30T00:00:00Z"), false),
        ("data.priority", In, json!(["high", "urgent"]), true),
        ("data.none", In, json!(["high"]), false),
        ("data.priority", Regex, json!("^h.g"), true),
        ("data.priority", Regex, json!("IG"), false),
        ("data.n", Regex, json!("1"), false),
        ("data.priority", Exists, Value::Null, true),
        ("data.no", Exists, json!(true), false),
        ("data.none", Exists, json!(false), true),
        ("data.tags.1.b", Exists, json!(true), true),
    ] {
        let value_of = Some(value.clone()).filter(|value| !value.is_null());
        let found = admits(rule(field, operator, value_of), body);
        assert_eq!(found, Ok(expected), "{field} {operator:?} {value}");
    }
}

#[test]
fn all_rules_must_hold_and_a_body_that_is_no_json_has_no_values() {
    let both = |second: &str| {
        let one = |field: &str, value: &str| RuleSpec {
            field: field.into(),
            operator: Operator::Equals,
            value: Some(value.into()),
        };
        FilterSpec::Match(vec![one("a", "1"), one("b", second)])
    };
    assert_eq!(admits(both("2"), r#"{"a":"1","b":"2"}"#), Ok(true));
    assert_eq!(admits(both("3"), r#"{"a":"1","b":"2"}"#), Ok(false));
    assert_eq!(admits(rule("a", Operator::Exists, None), "<xml/>"), Ok(false));
    assert_eq!(admits(rule("a", Operator::NotEquals, json!(1)), "<xml/>"), Ok(true));
}

#[test]
fn a_mistake_in_a_rule_is_told_with_its_member_and_what_to_write() {
    use Operator::*;
    for (spec, told) in [
        (FilterSpec::Match(vec![]), "match: there are 0 rules: write 1 to 32"),
        (rule("", Exists, None), "match[0].field: it names nothing: write a pointer such as /data/priority"),
        (rule("a..b", Exists, None), "match[0].field: it names nothing"),
        (rule("/a~2", Exists, None), "match[0].field: "),
        (rule("a", Equals, None), "match[0].value: it is missing: write what to compare with"),
        (rule("a", In, json!("x")), "match[0].value: In takes a list: write [a, b]"),
        (rule("a", GreaterThan, json!("x")), "match[0].value: it is neither a number nor a time: write 10"),
        (rule("a", Exists, json!("yes")), "match[0].value: Exists takes true or false"),
        (rule("a", Regex, json!(1)), "match[0].value: Regex takes a text"),
        (rule("a", Regex, json!("(")), "match[0].value: no regular expression: unclosed group"),
        (rule("a", Regex, json!("x".repeat(1_025))), "match[0].value: a regular expression has at most 1024"),
        (rule("a", Regex, json!(r"\w{1000}")), "match[0].value: no regular expression: "),
    ] {
        let found = mistake(spec);
        assert!(found.starts_with(told), "{told}\n{found}");
    }
}

#[test]
fn an_expression_sees_the_event_and_its_body() {
    let body = r#"{"ref":"refs/heads/main","n":3,"big":18446744073709551615,"items":[{"sku":"a"},{"sku":"b"}],"no":null}"#;
    for (text, expected) in [
        ("event.type != 'push' || body.ref == 'refs/heads/main'", true),
        ("event.id == 'e-1' && event.tenant == 'acme' && event.key == ''", true),
        ("event.endpoint == 'in' && event.namespace == 'default'", true),
        ("event.uid.startsWith('07070707-') && event.receivedAt < '1971'", true),
        ("event.headers['x-team'] == 'search'", true),
        ("has(event.headers) && !has(body.missing)", true),
        ("body.n + 1 == 4 && body.n - 10 < 0 && body.n > 2.5", true),
        ("body.big > 1", true),
        ("body.items.exists(item, item.sku == 'b')", true),
        ("body.items.all(item, item.sku == event.type)", false),
        ("body.items.filter(item, item.sku != 'a').map(item, item.sku) == ['b']", true),
        ("body.ref.matches('^refs/heads/(main|release-)') && !body.ref.matches('MAIN')", true),
        ("size(body.items) == 2 && body.no == null", true),
        ("type(body.n) == int", true),
        ("body.ref in ['refs/heads/dev']", false),
    ] {
        assert_eq!(cel(text, body), Ok(expected), "{text}");
    }
    assert_eq!(cel("event.type == 'push'", "not JSON"), Ok(true), "the body is not looked at");
}

#[test]
fn an_expression_that_cannot_be_evaluated_says_why_and_shows_no_value() {
    for (text, told) in [
        ("body.missing == 1", "there is no `missing`: ask has(…) first"),
        ("body.secret > 1", "applied to '(string, int)'"),
        ("body.n / 0 == 1", "a division by zero"),
        ("body.list[5] == 1", "a list has no such item"),
        ("body.secret", "the expression is neither true nor false"),
        ("body.secret + body.secret", "the expression is neither true nor false"),
        ("body.secret in body.secret", "kinds that do not fit|no matching overload"),
    ] {
        let failure = cel(text, r#"{"secret":"hush","n":1,"list":[]}"#).unwrap_err();
        assert!(told.split('|').any(|told| failure.contains(told)), "{text}: {failure}");
        assert!(!failure.contains("hush"), "{text}: {failure}");
    }
    assert_eq!(cel("body.a == 1", "not JSON"), Err("the body is no JSON with values".into()));
}

#[test]
fn a_mistake_in_an_expression_is_told_with_its_place() {
    for (text, told) in [
        ("boddy.a == 1", "cel: unknown name `boddy`: there are event and body (at line 1, column 1)"),
        ("event.type ==\n  typ", "unknown name `typ`: there are event and body (at line 2, column 3)"),
        ("event.type == ", "(at line 1, column 15)"),
        ("event.type = 'x'", "(at line 1, column "),
        ("body.a.lower() == 'x'", "unknown function `lower`: there are size, contains"),
        ("body.a.matches(body.b)", "the pattern of `matches` must be a literal text"),
        ("body.a.matches('(')", "no regular expression: unclosed group"),
        ("body.a.all(x, body.b.exists(y, x == y))", "all, exists, exists_one, map and filter do not nest"),
        ("google.type.Money{units: 1} == body", "there are no message types here"),
        ("", "(at line "),
    ] {
        let found = mistake(FilterSpec::Cel(text.into()));
        assert!(found.contains(told), "{text}\n{told}\n{found}");
    }
}

/// The most that an expression may hold, in a thread of half the stack that the runtime's have.
#[test]
fn the_largest_and_deepest_expressions_fit_into_half_a_threads_stack_and_larger_ones_are_refused() {
    let most = limits::CEL_OPERATORS_MAX;
    let deep = usize::from(limits::CEL_DEPTH_MAX);
    let texts = [
        vec!["1"; most + 1].join("+"),
        vec!["1"; most / 2 + 1].join("=="),
        vec!["true"; most / 2 + 1].join("||"),
        format!("body{}", ".b".repeat(most)),
        format!("body{}", "[0]".repeat(most)),
        format!("event.id{}", ".size()".repeat(most / 2 - 1)),
        format!("{}1{}", "(".repeat(deep - 1), ")".repeat(deep - 1)),
        format!("{}1{}", "[".repeat(deep - 1), "]".repeat(deep - 1)),
        format!("{}1", "true?1:".repeat(deep - 1)),
        "!".repeat(most) + "true",
    ];
    let compiled = std::thread::Builder::new().stack_size(1024 * 1024).spawn(move || {
        texts.map(|text| {
            let filter = Filter::compile(FilterSpec::Cel(text.clone()));
            let event = event(r#"{"b":1}"#);
            // Whatever comes of it.
            if let Ok(filter) = &filter {
                drop(filter.admits(&Subject::new(&event, None)));
            }
            filter.map(drop).map_err(|error| format!("{error} in {text}"))
        })
    });
    for compiled in compiled.unwrap().join().unwrap() {
        assert_eq!(compiled, Ok(()));
    }
    let refused = |text: String| mistake(FilterSpec::Cel(text));
    assert!(refused(vec!["1"; most + 2].join("+")).contains("at most 512 operators and brackets"));
    assert!(refused(format!("{}1{}", "(".repeat(200), ")".repeat(200))).contains("deeper than 16 levels"));
    assert!(refused(format!("'{}' == ''", "x".repeat(limits::CEL_BYTES_MAX))).contains("at most 4096 bytes"));
}

#[test]
fn an_expression_stops_where_its_budget_ends() {
    let list = |items: usize| format!(r#"{{"list":[{}1]}}"#, "1,".repeat(items));
    let told = cel("body.list.all(x, x + x + x + x + x + x + x + x + x + x != 0)", &list(200_000));
    assert_eq!(told, Err("the body has too many values for the loops of the expression".into()));
    let told = cel("body.list.all(x, !(x + 1 in body.list))", &list(50_000));
    assert_eq!(told, Err("the expression looks through too much of the body".into()));
    let told = cel("body.list == []", &list(limits::CEL_BODY_BYTES_MAX / 2));
    assert_eq!(told, Err("the body is larger than 1 MiB, which no expression looks at".into()));
    assert_eq!(cel("body.list.all(x, x == 1)", &list(50_000)), Ok(true));
}

#[test]
fn a_filter_looks_at_the_document_that_pointers_read() {
    let event = event("a=1");
    let document = bytes::Bytes::from_static(br#"{"a":"1"}"#);
    let filter = Filter::compile(rule("a", Operator::Equals, json!("1"))).unwrap();
    assert_eq!(filter.admits(&Subject::new(&event, Some(&document))), Ok(true));
    assert_eq!(filter.admits(&Subject::new(&event, None)), Ok(false));
}

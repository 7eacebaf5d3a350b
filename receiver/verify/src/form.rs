//! Names and values as HTML forms and queries write them (WHATWG URL § 5.1), read strictly: what is no UTF-8 is refused, as
//! two bodies must never read alike.
use std::borrow::Cow;

use crate::limits::FORM_FIELDS_MAX;

/// The names and values in their order; `None` when there are too many, or one is no text.
pub(crate) fn fields(text: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let mut fields = Vec::new();
    for pair in pairs {
        if fields.len() == FORM_FIELDS_MAX {
            return None;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.push((decoded(name)?, decoded(value)?));
    }
    Some(fields)
}

/// The first value of a name in a form or a query, decoded (`+` is a blank); `None` where there is none, or it is no text.
pub fn form_value<'t>(text: &'t str, name: &str) -> Option<Cow<'t, str>> {
    text.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key)? == name).then(|| decoded(value))?
    })
}

/// A form body as a JSON object, so that pointers such as `/MessageSid` read its fields; of several of one name the first
/// counts. `None` when it is no form: not all of it is text, or it has too many fields.
pub fn form_as_json(body: &[u8]) -> Option<String> {
    let fields = fields(std::str::from_utf8(body).ok()?)?;
    let mut object = serde_json::Map::with_capacity(fields.len());
    for (name, value) in fields {
        object.entry(name).or_insert_with(|| value.into());
    }
    Some(serde_json::Value::Object(object).to_string())
}

/// Whether a piece between `&` is of the parameter of this name, whatever of it is escaped.
pub fn is_parameter(pair: &str, name: &str) -> bool {
    decoded(pair.split('=').next().unwrap_or_default()).is_some_and(|key| key == name)
}

/// Everything but unreserved characters (RFC 3986 § 2.3) as upper-case escapes; a blank is `%20`.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let character = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(character).collect()
}

/// The text without percent-escapes; `+` is a blank.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                let (high, low) = (char::from(*high).to_digit(16)?, char::from(*low).to_digit(16)?);
                rest = after;
                u8::try_from(high * 16 + low).ok()?
            }
            (b'%', _) => return None,
            (b'+', _) => b' ',
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_decoded() {
        for (query, name, expected) in [
            ("a=b&c=d", "c", Some("d")),
            ("a=b%20c", "a", Some("b c")),
            ("a=b+c", "a", Some("b c")),
            ("%61=x", "a", Some("x")),
            ("a", "a", Some("")),
            ("a=%ff", "a", None),
            ("a=%f", "a", None),
            ("a=b", "c", None),
        ] {
            assert_eq!(form_value(query, name).as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn a_form_reads_like_an_object() {
        let json = form_as_json(b"To=%2B1&Body=a+%22b%22&To=2&%C3%A4");
        assert_eq!(json.as_deref(), Some(r#"{"Body":"a \"b\"","To":"+1","ä":""}"#));
        assert_eq!(form_as_json(b"a=%ff"), None);
    }

    #[test]
    fn a_form_is_read_whole_or_not_at_all() {
        let read = |text: &str| fields(text).map(|fields| fields.len());
        assert_eq!(read("a=1&b=2&&a=3"), Some(3));
        assert_eq!(read(""), Some(0));
        assert_eq!(read("a=1&b=%ff"), None);
        assert_eq!(read(&"a&".repeat(FORM_FIELDS_MAX)), Some(FORM_FIELDS_MAX));
        assert_eq!(read(&"a&".repeat(FORM_FIELDS_MAX + 1)), None);
    }
}

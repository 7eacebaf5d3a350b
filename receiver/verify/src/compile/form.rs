//! The rules of a signature header's grammar: what is written can be read back in one way only.
use super::Broken;
use crate::{
    Grammar, KeyValue, List, Pairs,
    grammar::Form,
    limits::{GRAMMAR_TEXT_BYTES_MAX, SEPARATOR_BYTES_MAX},
};

pub(super) fn form(grammar: Option<&Grammar>, broken: &mut Broken) -> Form {
    const FIELD: &str = "signature.grammar";
    match grammar {
        None => Form::Prefix("".into()),
        Some(Grammar {
            prefix: Some(prefix),
            key_value: None,
            list: None,
            positional: None,
            pairs: None,
        }) => {
            let plain = is_plain(prefix, GRAMMAR_TEXT_BYTES_MAX) && !prefix.starts_with(' ');
            broken.unless(
                plain,
                format!("{FIELD}.prefix"),
                format!(
                    "must be 1 to {GRAMMAR_TEXT_BYTES_MAX} visible ASCII characters; blanks not in front"
                ),
            );
            Form::Prefix(prefix.as_str().into())
        }
        Some(Grammar {
            prefix: None,
            key_value: Some(grammar),
            list: None,
            positional: None,
            pairs: None,
        }) => {
            key_value(grammar, broken);
            Form::KeyValue(grammar.clone())
        }
        Some(Grammar {
            prefix: None,
            key_value: None,
            list: Some(grammar),
            positional: None,
            pairs: None,
        }) => list(grammar, broken),
        Some(Grammar {
            prefix: None,
            key_value: None,
            list: None,
            positional: Some(grammar),
            pairs: None,
        }) => {
            let field = format!("{FIELD}.positional.separator");
            broken.unless(is_separator(&grammar.separator), field, separator_rule());
            Form::Positional(grammar.clone())
        }
        Some(Grammar {
            prefix: None,
            key_value: None,
            list: None,
            positional: None,
            pairs: Some(grammar),
        }) => {
            pairs(grammar, broken);
            Form::Pairs(grammar.clone())
        }
        Some(_) => {
            broken.add(
                FIELD,
                "must have exactly one of prefix, keyValue, list, positional and pairs; leave it out for a bare signature",
            );
            Form::Prefix("".into())
        }
    }
}

fn key_value(KeyValue { separator, signature, timestamp }: &KeyValue, broken: &mut Broken) {
    let field = |member: &str| format!("signature.grammar.keyValue.{member}");
    broken.unless(is_separator(separator), field("separator"), separator_rule());
    for (member, key) in [("signature", Some(signature)), ("timestamp", timestamp.as_ref())] {
        let Some(key) = key else { continue };
        broken.unless(
            is_word(key) && !has(key, "=") && !has(key, separator),
            field(member),
            format!(
                "must be 1 to {GRAMMAR_TEXT_BYTES_MAX} visible ASCII characters without `=` and separator"
            ),
        );
    }
    broken.unless(
        timestamp.as_ref() != Some(signature),
        field("timestamp"),
        "must be another key than that of the signature",
    );
}

fn list(List { separator, tag, tag_separator }: &List, broken: &mut Broken) -> Form {
    let field = |member: &str| format!("signature.grammar.list.{member}");
    broken.unless(is_separator(separator), field("separator"), separator_rule());
    let tag = match (tag, tag_separator) {
        (None, None) => None,
        (Some(tag), Some(tag_separator)) => {
            broken.unless(
                is_plain(tag_separator, SEPARATOR_BYTES_MAX)
                    && !has(tag_separator, separator)
                    && !has(separator, tag_separator),
                field("tagSeparator"),
                format!(
                    "must be 1 to {SEPARATOR_BYTES_MAX} visible ASCII characters, other than the separator"
                ),
            );
            broken.unless(
                is_word(tag) && !has(tag, separator) && !has(tag, tag_separator),
                field("tag"),
                format!(
                    "must be 1 to {GRAMMAR_TEXT_BYTES_MAX} visible ASCII characters without the separators"
                ),
            );
            Some((tag.as_str().into(), tag_separator.as_str().into()))
        }
        _ => {
            broken.add(field("tag"), "needs tagSeparator, and the reverse: write both or neither");
            None
        }
    };
    Form::List { separator: separator.as_str().into(), tag }
}

fn pairs(Pairs { separator, pair_separator }: &Pairs, broken: &mut Broken) {
    let field = |member: &str| format!("signature.grammar.pairs.{member}");
    broken.unless(is_separator(separator), field("separator"), separator_rule());
    broken.unless(
        is_separator(pair_separator) && separator != pair_separator,
        field("pairSeparator"),
        format!("{}; other than the separator", separator_rule()),
    );
}

fn separator_rule() -> String {
    format!(
        "must be 1 to {SEPARATOR_BYTES_MAX} characters that occur neither in signatures nor in timestamps, such as `,`"
    )
}

fn is_separator(text: &str) -> bool {
    is_plain(text, SEPARATOR_BYTES_MAX)
        && !text.contains(|c: char| c.is_ascii_alphanumeric() || "+/=.:-".contains(c))
}

fn is_word(text: &str) -> bool {
    is_plain(text, GRAMMAR_TEXT_BYTES_MAX) && !text.contains(' ')
}

/// Whether a separator would cut the text; an empty one, which is refused elsewhere, would cut any.
fn has(text: &str, separator: &str) -> bool {
    !separator.is_empty() && text.contains(separator)
}

/// Whether the text can stand in a header.
fn is_plain(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

//! Texts as PostgreSQL takes them: it knows no U+0000, which an id or a key may hold.
use std::borrow::Cow;

/// Stands before what stands for U+0000, and before itself.
const ESCAPE: char = '\u{1}';
const NUL: char = '0';

/// The text without U+0000; the same texts, and no others, become the same.
pub(super) fn encode(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '\0' => out.extend([ESCAPE, NUL]),
            ESCAPE => out.extend([ESCAPE, ESCAPE]),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// What [`encode`] was given.
pub(super) fn decode(text: &str) -> Box<str> {
    if !text.contains(ESCAPE) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            ESCAPE => out.push(if chars.next() == Some(NUL) { '\0' } else { ESCAPE }),
            other => out.push(other),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_none_holds_the_character_that_is_not_known() {
        for text in ["", "plain", "é\u{2}", "\0", "a\0b", "\u{1}", "\u{1}0", "\0\u{1}\0", "0\u{1}\u{1}0"] {
            let encoded = encode(text);
            assert!(!encoded.contains('\0'));
            assert_eq!(&*decode(&encoded), text);
        }
        assert!(matches!(encode("plain"), Cow::Borrowed(_)));
    }
}

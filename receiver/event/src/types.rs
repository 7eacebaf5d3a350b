//! Choosing by type: patterns with `*`.

/// A list of patterns; `*` is any run of characters, dots included; case matters. An empty list matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypePatterns(Box<[Box<str>]>);

impl TypePatterns {
    /// Takes the patterns as written.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Self {
        Self(patterns.iter().map(|pattern| pattern.as_ref().into()).collect())
    }

    /// Whether nothing is written, so that all match.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the type is wanted. An event without a type matches an empty list and `*`.
    pub fn matches(&self, event_type: Option<&str>) -> bool {
        self.is_empty() || self.lists(event_type)
    }

    /// Whether a pattern names the type; an empty list names none.
    pub fn lists(&self, event_type: Option<&str>) -> bool {
        self.pattern(event_type).is_some()
    }

    /// The first pattern that names the type.
    pub fn pattern(&self, event_type: Option<&str>) -> Option<&str> {
        let text = event_type.unwrap_or("");
        self.0.iter().map(|pattern| &**pattern).find(|pattern| wildcard(pattern.as_bytes(), text.as_bytes()))
    }
}

/// Greedy matching with one point of return: linear in `text` for each `*`.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut resume: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                resume = Some((p + 1, t));
                p += 1;
            }
            Some(byte) if text.get(t) == Some(byte) => {
                p += 1;
                t += 1;
            }
            _ => match resume {
                Some((after_star, from)) => {
                    p = after_star;
                    t = from + 1;
                    resume = Some((after_star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_of_characters_dots_included() {
        for (pattern, text, expected) in [
            ("push", "push", true),
            ("push", "Push", false),
            ("pull_request.*", "pull_request.opened", true),
            ("pull_request.*", "pull_request", false),
            ("*.created", "crm.contact.created", true),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.b.b.d", false),
            ("*", "", true),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(wildcard(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn an_empty_list_matches_all_and_lists_none() {
        let none = TypePatterns::default();
        assert!(none.matches(Some("push")) && none.matches(None));
        assert!(!none.lists(Some("push")));
        assert!(TypePatterns::new(&["*"]).matches(None));
        assert!(!TypePatterns::new(&["push"]).matches(None));
        let both = TypePatterns::new(&["push", "pull_*"]);
        assert_eq!(
            ["push", "pull_request", "x"].map(|text| both.pattern(Some(text))),
            [Some("push"), Some("pull_*"), None]
        );
    }
}

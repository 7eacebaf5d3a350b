//! The target of a request: its path and its query, percent-encoding kept.

/// Path and query.
pub(crate) type Target = (Box<str>, Option<Box<str>>);

/// Reads `/path?query`, or a whole URL, whose host does not count.
///
/// # Errors
/// What must be written.
pub(crate) fn read(text: &str) -> Result<Target, String> {
    let after_host = |rest: &'_ str| rest.find(['/', '?']).map(|at| rest.split_at(at).1.to_owned());
    let local = match text.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].contains(&scheme) => after_host(rest).unwrap_or_default(),
        _ => text.to_owned(),
    };
    let (path, query) =
        local.split_once('?').map_or((&*local, None), |(path, query)| (path, Some(query.into())));
    let path = if path.is_empty() && local.len() < text.len() { "/" } else { path };
    if !path.starts_with('/') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be a path such as /hook?a=1, with everything else percent-encoded".into());
    }
    Ok((path.into(), query))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_path_with_or_without_a_query() {
        for (text, path, query) in [
            ("/hook", "/hook", None),
            ("/hook?a=%2F&b=?", "/hook", Some("a=%2F&b=?")),
            ("/?", "/", Some("")),
            ("/to?url=http://a.example/x", "/to", Some("url=http://a.example/x")),
            ("https://a.example/hook?a=1", "/hook", Some("a=1")),
            ("http://a.example?a=1", "/", Some("a=1")),
            ("http://a.example", "/", None),
        ] {
            let (read_path, read_query) = read(text).expect(text);
            assert_eq!((&*read_path, read_query.as_deref()), (path, query), "{text}");
        }
        for text in ["", "hook", "?a=1", "*", "/a b", "/ä"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

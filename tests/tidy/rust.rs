//! Looking at Rust source as text, without a parser: comments and literals blanked, test items cut, words found.
use std::iter;

/// What marks an item that only tests see.
const TEST_ITEM: &str = "#[cfg(test)]";

/// The text with comments and literals as spaces, byte for byte: offsets and lines stay.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = hidden(rest, code.ends_with(is_word));
        let (taken, after) = rest.split_at(hidden.unwrap_or(first.len_utf8()));
        code.push_str(&if hidden.is_some() { blank(taken) } else { taken.to_owned() });
        rest = after;
    }
    code
}

/// The bytes of the comment or literal that `rest` starts with.
fn hidden(rest: &str, in_word: bool) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |at| at + 2));
    }
    if let Some(string) = rest.strip_prefix('"') {
        return Some(1 + quoted(string, '"'));
    }
    if let Some(character) = rest.strip_prefix('\'') {
        // Anything else behind the quote is a lifetime.
        let is_literal = character.starts_with('\\') || character.chars().nth(1) == Some('\'');
        return is_literal.then(|| 1 + quoted(character, '\''));
    }
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r')).filter(|_| !in_word)?;
    let body = raw.trim_start_matches('#');
    let end = format!("\"{}", "#".repeat(raw.len() - body.len()));
    let length = body.strip_prefix('"')?.find(&end).map_or(body.len(), |at| 1 + at + end.len());
    Some(rest.len() - body.len() + length)
}

/// The bytes up to and with the closing quote.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let closes = |character: char| {
        let closes = character == quote && !escaped;
        escaped = character == '\\' && !escaped;
        closes
    };
    rest.find(closes).map_or(rest.len(), |at| at + 1)
}

fn blank(text: &str) -> String {
    text.chars().flat_map(|c| iter::repeat_n(if c == '\n' { c } else { ' ' }, c.len_utf8())).collect()
}

/// Code without the items that only tests see; lines stay.
pub(crate) fn product(code: &str) -> String {
    let mut product = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(TEST_ITEM) {
        let (before, item) = rest.split_at(start);
        let (item, after) = item.split_at(item_end(item));
        product.push_str(before);
        product.push_str(&blank(item));
        rest = after;
    }
    product + rest
}

/// Where the item ends that the code starts with: behind its braces or its semicolon.
fn item_end(code: &str) -> usize {
    let mut depth = 0;
    let ends = |character: char| {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        depth <= 0 && matches!(character, '}' | ';')
    };
    code.find(ends).map_or(code.len(), |at| at + 1)
}

/// The lines of a file that count for its budget: a test module at its end does not.
pub(crate) fn budgeted_lines(text: &str) -> usize {
    let code = code(text);
    let product = product(&code);
    if product == code { text.lines().count() } else { product.trim_end().lines().count() }
}

/// The lines where code says a word, as a whole where its ends are letters.
pub(crate) fn words(code: &str, word: &str) -> Vec<usize> {
    let joins = |left: &str, right: &str| left.ends_with(is_word) && right.starts_with(is_word);
    let is_whole = |at: usize| {
        let after = code.get(at + word.len()..).unwrap_or_default();
        !joins(code.get(..at).unwrap_or_default(), word) && !joins(word, after)
    };
    code.match_indices(word).filter(|(at, _)| is_whole(*at)).map(|(at, _)| line(code, at)).collect()
}

/// The functions that code defines, with their lines.
pub(crate) fn functions(code: &str) -> Vec<(usize, String)> {
    let name = |(at, rest): (usize, &str)| {
        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
        (!name.is_empty() && !code.get(..at)?.ends_with(is_word)).then(|| (line(code, at), name))
    };
    let found = code.match_indices("fn ").filter_map(|(at, word)| Some((at, code.get(at + word.len()..)?)));
    found.filter_map(name).collect()
}

/// The line of an offset, counted from 1.
pub(crate) fn line(text: &str, at: usize) -> usize {
    text.get(..at).map_or(0, |before| before.matches('\n').count()) + 1
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[test]
fn comments_and_literals_are_no_code_and_lifetimes_are() {
    let text = "a /* ü \n */ e<'c>('d', '\\'', \"e \\\" f\\\\\", r#\"g \" h\"#, br\"i\", br#\"j\"#) // k\nvar\"l\"r#fn";
    let code = code(text);
    assert_eq!((code.len(), code.matches('\n').count()), (text.len(), 2));
    assert_eq!(code.split_whitespace().collect::<String>(), "ae<'c>(,,,,,)varr#fn");
}

#[test]
fn items_that_only_tests_see_are_cut_wherever_they_stand() {
    let text = "a\n#[cfg(test)]\nfn b(c: [u8; 2]) {\n  d;\n}\ne\n#[cfg(test)]\nmod f;\ng\n#[cfg(test)]\nmod h {\n}\n";
    assert_eq!(product(text).split_whitespace().collect::<String>(), "aeg");
    assert_eq!(budgeted_lines(text), 9);
}

#[test]
fn words_and_functions_are_found_whole_with_their_line() {
    let code =
        code("todo!();\nmy_todo!();\n\"todo!\" // todo!\npub const fn a() {}\n// fn b()\ntype D = fn (u8);");
    assert_eq!(words(&code, "todo!"), [1]);
    assert_eq!(functions(&code), [(4, "a".to_owned())]);
}

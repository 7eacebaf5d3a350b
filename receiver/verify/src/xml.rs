//! XML bodies (XML 1.0) as JSON, so that pointers read them. No document type, no entities but the five that every document
//! has, nothing from elsewhere; bounded in depth, nodes and size, as a body may be read before it is known to be genuine.
use std::borrow::Cow;

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesRef, BytesStart, Event},
};
use serde_json::{Map, Value, map::Entry};

use crate::limits::{XML_ATTRIBUTES_MAX, XML_DEPTH_MAX, XML_JSON_BYTES_MAX, XML_NODES_MAX};

/// A body that is no XML, or none that is read here. Names the place, never the body's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (at byte {at})")]
pub struct XmlError {
    problem: &'static str,
    at: u64,
}

/// An XML body as a JSON object, so that pointers such as `/Envelope/Body` read it:
///
/// - an element is a member under its name without the prefix; those of one name inside one element are an array;
/// - an attribute is a member `@name`, also without its prefix; declarations of namespaces are left out;
/// - an element with neither attributes nor elements is its text, the empty one is `""`; beside them its text is `#text`,
///   trimmed beside elements, and left out where it is empty;
/// - comments and processing instructions are left out. Members are sorted by name.
///
/// # Errors
/// Where the body is no UTF-8 or no document, has a document type, an entity beyond the predefined ones, or is beyond a limit.
pub fn xml_as_json(body: &[u8]) -> Result<String, XmlError> {
    let text = std::str::from_utf8(body).map_err(|error| XmlError {
        problem: "it is not UTF-8",
        at: u64::try_from(error.valid_up_to()).unwrap_or(u64::MAX),
    })?;
    let (mark, text) = text.strip_prefix('\u{feff}').map_or((0, text), |text| (3, text));
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut document = Document::default();
    loop {
        let at = mark + reader.buffer_position();
        let event = reader.read_event().map_err(|_| XmlError { problem: "it is not well-formed", at })?;
        if event == Event::Eof {
            return document.end().map_err(|problem| XmlError { problem, at });
        }
        document.take(event, at == mark).map_err(|problem| XmlError { problem, at })?;
    }
}

/// What has been read so far.
#[derive(Default)]
struct Document {
    /// The elements that are not closed yet, from the root.
    open: Vec<Element>,
    /// The root, once it is closed.
    root: Option<(String, Value)>,
    nodes: usize,
    /// Bytes of JSON that there will be, at most.
    json_bytes: usize,
}

#[derive(Default)]
struct Element {
    name: String,
    members: Map<String, Value>,
    has_elements: bool,
    text: String,
}

impl Document {
    fn take(&mut self, event: Event<'_>, is_first: bool) -> Result<(), &'static str> {
        match event {
            Event::Start(tag) => self.begin(&tag),
            Event::Empty(tag) => {
                self.begin(&tag)?;
                self.close()
            }
            Event::End(_) => self.close(),
            Event::Text(text) => {
                let text = text.xml10_content();
                if text.contains("]]>") {
                    return Err("it has a `]]>` in its text");
                }
                self.text(&text)
            }
            Event::CData(text) => {
                self.inside()?;
                self.text(&text.xml10_content())
            }
            Event::GeneralRef(name) => {
                self.inside()?;
                self.text(referred(&name)?.encode_utf8(&mut [0; 4]))
            }
            Event::Decl(declaration) => declared(&declaration, is_first),
            Event::DocType(_) => Err("it has a document type, which is never read: leave it out"),
            Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<(), &'static str> {
        if self.root.is_some() {
            return Err("it has a second root element");
        }
        if self.open.len() == XML_DEPTH_MAX {
            return Err("its elements nest too deeply");
        }
        let mut element = Element { name: local(tag.name().into_inner())?.to_owned(), ..Element::default() };
        self.count(element.name.len())?;
        for (place, attribute) in tag.attributes().enumerate() {
            let attribute =
                attribute.map_err(|_| "it has an attribute that is not well-formed, or there twice")?;
            if place == XML_ATTRIBUTES_MAX {
                return Err("it has an element with too many attributes");
            }
            if attribute.value.contains('<') {
                return Err("it has a `<` in an attribute");
            }
            let name = attribute.key.into_inner();
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            let value = value.map_err(|_| "it has a reference that is not one of the predefined ones")?;
            let own = local(name)?;
            if name == "xmlns" || name.starts_with("xmlns:") {
                continue;
            }
            self.count(own.len())?;
            self.spend(&value)?;
            add(&mut element.members, format!("@{own}"), Value::String(value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) -> Result<(), &'static str> {
        let mut element = self.open.pop().ok_or("it closes an element that is not open")?;
        let name = std::mem::take(&mut element.name);
        let value = element.value();
        match self.open.last_mut() {
            Some(parent) => {
                parent.has_elements = true;
                add(&mut parent.members, name, value);
            }
            None => self.root = Some((name, value)),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), &'static str> {
        self.spend(text)?;
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.bytes().all(is_blank) => {}
            None => return Err("it has text outside its root element"),
        }
        Ok(())
    }

    fn inside(&self) -> Result<(), &'static str> {
        if self.open.is_empty() { Err("it has text outside its root element") } else { Ok(()) }
    }

    /// One more element or attribute with a name of so many bytes.
    fn count(&mut self, name_bytes: usize) -> Result<(), &'static str> {
        self.nodes += 1;
        if self.nodes > XML_NODES_MAX {
            return Err("it has too many elements and attributes");
        }
        // The name and the value in quotes, `#text`, the brackets of an object and of an array, colons and commas.
        self.json_bytes += name_bytes + 24;
        Ok(())
    }

    /// So much more text, which must be of characters that XML allows (§ 2.2).
    fn spend(&mut self, text: &str) -> Result<(), &'static str> {
        let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        if !text.chars().all(allowed) {
            return Err("it has a character that XML does not allow");
        }
        let escaped = text.bytes().filter(|byte| b"\"\\\t\n\r".contains(byte)).count();
        self.json_bytes += text.len() + escaped;
        if self.json_bytes > XML_JSON_BYTES_MAX { Err("it is too large") } else { Ok(()) }
    }

    fn end(self) -> Result<String, &'static str> {
        let (true, Some((name, value))) = (self.open.is_empty(), self.root) else {
            return Err("it ends before its root element does");
        };
        Ok(Value::Object(Map::from_iter([(name, value)])).to_string())
    }
}

impl Element {
    fn value(mut self) -> Value {
        if self.members.is_empty() {
            return Value::String(self.text);
        }
        if self.has_elements {
            self.text = self.text.trim_matches([' ', '\t', '\r', '\n']).to_owned();
        }
        if !self.text.is_empty() {
            self.members.insert("#text".to_owned(), Value::String(self.text));
        }
        Value::Object(self.members)
    }
}

/// Adds a member; the second of a name makes an array, which no single value is.
fn add(members: &mut Map<String, Value>, name: String, value: Value) {
    match members.entry(name) {
        Entry::Vacant(place) => drop(place.insert(value)),
        Entry::Occupied(mut place) => match place.get_mut() {
            Value::Array(items) => items.push(value),
            first => {
                let items = vec![first.take(), value];
                *first = Value::Array(items);
            }
        },
    }
}

/// A declaration says nothing that is not so already: XML 1.0, in UTF-8.
fn declared(declaration: &BytesDecl<'_>, is_first: bool) -> Result<(), &'static str> {
    if !is_first {
        return Err("it has an XML declaration that is not at its start");
    }
    if declaration.version().ok().as_deref() != Some("1.0") {
        return Err("it is not XML 1.0");
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => Err("it declares an encoding other than UTF-8"),
    }
}

/// The character that a reference in the text stands for.
fn referred(name: &BytesRef<'_>) -> Result<char, &'static str> {
    let unknown = "it has a reference that is not one of the predefined ones";
    if let Some(character) = name.resolve_char_ref().map_err(|_| unknown)? {
        return Ok(character);
    }
    let name: Cow<'_, str> = name.xml10_content();
    resolve_predefined_entity(&name).and_then(|text| text.chars().next()).ok_or(unknown)
}

/// The name without its prefix, if it is a name (Namespaces in XML 1.0 § 4).
fn local(name: &str) -> Result<&str, &'static str> {
    let (prefix, own) = name.split_once(':').map_or((None, name), |(prefix, own)| (Some(prefix), own));
    if is_name(own) && prefix.is_none_or(is_name) {
        Ok(own)
    } else {
        Err("it has a name that XML does not allow")
    }
}

/// A name (XML 1.0 § 2.3) without a colon.
fn is_name(text: &str) -> bool {
    let starts = |c: char| {
        matches!(c, 'A'..='Z' | 'a'..='z' | '_' | '\u{c0}'..='\u{2ff}' | '\u{370}'..='\u{1fff}' | '\u{200c}'..='\u{200d}'
            | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}'
            | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
            && !matches!(c, '\u{d7}' | '\u{f7}' | '\u{37e}')
    };
    let goes_on = |c: char| {
        starts(c)
            || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    };
    text.starts_with(starts) && text.chars().all(goes_on)
}

fn is_blank(byte: u8) -> bool {
    b" \t\r\n".contains(&byte)
}

#[cfg(test)]
mod tests {
    use boathook_template::Pointers;

    use super::*;

    fn problem(xml: &str) -> String {
        xml_as_json(xml.as_bytes()).map_or_else(|error| error.to_string(), |json| format!("read as {json}"))
    }

    #[test]
    fn elements_attributes_and_texts_become_members() {
        for (xml, json) in [
            ("<a/>", r#"{"a":""}"#),
            ("<a></a>", r#"{"a":""}"#),
            (
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:a xmlns:s='u' xmlns='v'> 1 </s:a>\n",
                r#"{"a":" 1 "}"#,
            ),
            ("\u{feff}<a><b>1</b><c/><x:b>2</x:b></a>", r#"{"a":{"b":["1","2"],"c":""}}"#),
            ("<a x:type='t' n=\"1&lt;2\"/>", r#"{"a":{"@n":"1<2","@type":"t"}}"#),
            ("<a t='1'> v </a>", r##"{"a":{"#text":" v ","@t":"1"}}"##),
            ("<a x:t='1' t='2'/>", r#"{"a":{"@t":["1","2"]}}"#),
            ("<a> x <b/> y </a>", r##"{"a":{"#text":"x  y","b":""}}"##),
            ("<a>&lt;&#65;&#x42;&amp;<![CDATA[<c>&]]>&quot;&apos;&gt;</a>", r#"{"a":"<AB&<c>&\"'>"}"#),
            ("<a>1\r\n2\r3&#13;</a>", r#"{"a":"1\n2\n3\r"}"#),
            ("<!-- c --><a>1<!-- c --><?p i?>2</a><!-- c -->", r#"{"a":"12"}"#),
            ("<Größe>ü</Größe>", r#"{"Größe":"ü"}"#),
        ] {
            assert_eq!(xml_as_json(xml.as_bytes()).as_deref(), Ok(json), "{xml}");
        }
    }

    #[test]
    fn what_is_no_document_or_asks_for_more_is_refused() {
        for (xml, told) in [
            ("", "ends before"),
            ("{}", "text outside"),
            ("<a>", "ends before"),
            ("<a><b></a>", "not well-formed"),
            ("</a>", "not well-formed"),
            ("<a/><b/>", "second root"),
            ("<a/>x", "text outside"),
            ("<a/>&#32;", "text outside"),
            ("<!DOCTYPE a><a/>", "document type"),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type"),
            ("<a>&b;</a>", "reference"),
            ("<a b='&c;'/>", "reference"),
            ("<a>&#0;</a>", "reference"),
            ("<a>&#1;</a>", "character"),
            ("<a b='&#xFFFE;'/>", "character"),
            ("<a>&</a>", "not well-formed"),
            ("<a>]]></a>", "]]>"),
            ("<a b='<'/>", "`<`"),
            ("<a b='1' b='2'/>", "attribute"),
            ("<a b/>", "attribute"),
            ("<1/>", "name"),
            ("<@a/>", "name"),
            ("<a:b:c/>", "name"),
            ("<:a/>", "name"),
            ("<a #text='1'/>", "name"),
            ("<!-- a -- b --><a/>", "not well-formed"),
            (" <?xml version='1.0'?><a/>", "not at its start"),
            ("<?xml version='1.1'?><a/>", "XML 1.0"),
            ("<?xml version='1.0' encoding='UTF-16'?><a/>", "encoding"),
        ] {
            let problem = problem(xml);
            assert!(problem.contains(told) && problem.contains("at byte"), "{xml}: {problem}");
        }
        assert!(xml_as_json(b"<a>\xff</a>").is_err());
    }

    /// Elements inside one another, each there twice, with an attribute.
    fn nested(depth: usize) -> String {
        (0..depth).fold(String::new(), |inner, _| format!("<a b='1'><c/><c/>{inner}<a/></a>"))
    }

    #[test]
    fn the_deepest_document_is_not_too_deep_as_json_and_a_deeper_one_is_refused() {
        let json = xml_as_json(nested(XML_DEPTH_MAX - 1).as_bytes()).unwrap();
        assert!(Pointers::default().scan(json.as_bytes()).is_ok());
        assert!(problem(&nested(XML_DEPTH_MAX)).contains("deeply"));
        assert!(problem(&"<a>".repeat(1_000_000)).contains("deeply"));
    }

    #[test]
    fn nodes_and_attributes_are_bounded() {
        let elements = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count));
        assert!(xml_as_json(elements(XML_NODES_MAX - 1).as_bytes()).is_ok());
        assert!(problem(&elements(XML_NODES_MAX)).contains("too many elements"));
        let attributes = |count: usize| {
            let attribute = |number: usize| format!(" b{number}=''");
            format!("<a{}/>", (0..count).map(attribute).collect::<String>())
        };
        assert!(xml_as_json(attributes(XML_ATTRIBUTES_MAX).as_bytes()).is_ok());
        assert!(problem(&attributes(XML_ATTRIBUTES_MAX + 1)).contains("too many attributes"));
        let long = |bytes: usize| format!("<a>{}</a>", "\"".repeat(bytes));
        assert!(problem(&long(XML_JSON_BYTES_MAX / 2 + 1)).contains("too large"));
    }
}

//! What holds for every XML body: it becomes JSON that says the same and can be scanned, or is refused.
use boathook_template::Pointers;
use boathook_verify::{limits::XML_JSON_BYTES_MAX, xml_as_json};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value};

/// What documents are made of, and what they must not have.
const PIECES: [&str; 27] = [
    "<?xml version=\"1.0\"?>",
    "<!DOCTYPE a>",
    "<!ENTITY b 'c'>",
    "<a>",
    "</a>",
    "<a/>",
    "<p:b c='d' p:c=\"&lt;\">",
    "</p:b>",
    "<a xmlns='u' xmlns:p='v'>",
    "<!-- c -->",
    "<?p i?>",
    "<![CDATA[<&]]>",
    "]]>",
    "&amp;",
    "&#65;",
    "&#x0;",
    "&b;",
    "&",
    "<",
    ">",
    "\"",
    "'",
    " ",
    "\r\n",
    "\u{feff}",
    "ü\\",
    "\u{1}",
];

/// An element: its name, an attribute, a text, and elements inside.
#[derive(Debug, Clone)]
struct Tree {
    name: &'static str,
    attribute: Option<String>,
    text: String,
    inside: Vec<Tree>,
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let text = || "[a-z<>&\"' \\\\ü\u{10000}]{0,8}";
    let name = || select(&["a", "b", "Ünit", "x-y.z_1"][..]);
    let leaf = (name(), proptest::option::of(text()), text()).prop_map(|(name, attribute, text)| Tree {
        name,
        attribute,
        text,
        inside: Vec::new(),
    });
    leaf.prop_recursive(6, 40, 5, move |inner| {
        (name(), proptest::option::of(text()), vec(inner, 1..5)).prop_map(|(name, attribute, inside)| Tree {
            name,
            attribute,
            text: String::new(),
            inside,
        })
    })
}

impl Tree {
    fn xml(&self) -> String {
        let escaped = |text: &str| {
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&#62;");
            text.replace('"', "&quot;").replace('\'', "&#x27;")
        };
        let attribute = self.attribute.as_ref().map(|value| format!(" p:t=\"{}\"", escaped(value)));
        let inside: String = self.inside.iter().map(Self::xml).collect();
        let (name, text) = (self.name, escaped(&self.text));
        format!("<p:{name}{}>{text}{inside}</p:{name}>", attribute.unwrap_or_default())
    }

    fn json(&self) -> Value {
        let mut members = Map::new();
        members.extend(self.attribute.clone().map(|value| ("@t".to_owned(), value.into())));
        if !self.text.is_empty() && !members.is_empty() {
            members.insert("#text".to_owned(), self.text.clone().into());
        }
        for name in self.inside.iter().map(|tree| tree.name) {
            let same = self.inside.iter().filter(|tree| tree.name == name).map(Self::json);
            let same: Vec<Value> = same.collect();
            let value = if let [one] = &same[..] { one.clone() } else { Value::Array(same) };
            members.insert(name.to_owned(), value);
        }
        if members.is_empty() { self.text.clone().into() } else { Value::Object(members) }
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_refused_or_is_json_that_can_be_scanned(pieces in vec(select(&PIECES[..]), 0..40)) {
        let xml = pieces.concat();
        match xml_as_json(xml.as_bytes()) {
            Ok(json) => {
                prop_assert!(json.len() <= XML_JSON_BYTES_MAX.min(xml.len() * 4 + 64));
                prop_assert!(Pointers::default().scan(json.as_bytes()).is_ok(), "{xml}: {json}");
                prop_assert!(!xml.contains("<!DOCTYPE"));
            }
            Err(error) => prop_assert!(error.to_string().contains("at byte")),
        }
    }

    #[test]
    fn elements_attributes_and_texts_say_the_same_as_json(tree in any_tree()) {
        let json = xml_as_json(tree.xml().as_bytes()).unwrap();
        let expected = Value::Object(Map::from_iter([(tree.name.to_owned(), tree.json())]));
        prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected, "{}", tree.xml());
    }
}

//! What the operator gives to the receivers of a class in a namespace: keys, the class, and what was accepted last of
//! objects that are held back. One JSON document in one Secret.
use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use boathook_crds::{WebhookEndpointSpec, WebhookSinkSpec};
use boathook_event::ObjectName;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Accepted, Class, Keys, SealKey, Written};

/// The key in the Secret's `data`.
pub const DOCUMENT_KEY: &str = "table.json";
/// The format that this program writes; it reads this one and the one before.
const FORMAT: u32 = 1;

/// The document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// The class.
    pub class: Class,
    /// The values of all Secrets that the objects name.
    pub keys: Keys,
    /// What is served although something else is written by now.
    pub held_back: Accepted,
    /// What seals secrets that are captured; there while an endpoint waits for one.
    pub seal_key: Option<SealKey>,
}

/// A document that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentError {
    /// It is of another format.
    Format(u32),
    /// It is broken; never what is in it.
    Broken(&'static str),
}

impl core::fmt::Display for DocumentError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Format(format) => {
                write!(
                    f,
                    "it has format {format}, and this receiver reads {FORMAT}: roll the receivers out again"
                )
            }
            Self::Broken(what) => {
                write!(f, "it is broken ({what}): the operator writes it anew when it is deleted")
            }
        }
    }
}

impl core::error::Error for DocumentError {}

/// Names are without the namespace, which is the Secret's own.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    format: u32,
    class: Class,
    #[serde(default)]
    keys: BTreeMap<String, BTreeMap<String, Zeroizing<String>>>,
    #[serde(default)]
    endpoints: BTreeMap<String, Written<WebhookEndpointSpec>>,
    #[serde(default)]
    sinks: BTreeMap<String, Written<WebhookSinkSpec>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal_key: Option<SealKey>,
}

impl Document {
    /// The bytes of the document; the same for the same content. Keys of other namespaces are left out.
    pub fn to_json(&self, namespace: &str) -> Zeroizing<Vec<u8>> {
        let Self { class, keys, held_back, seal_key } = self;
        let encode = |value: &Zeroizing<Vec<u8>>| Zeroizing::new(STANDARD.encode(&**value));
        let keys = keys.of(namespace).map(|(name, data)| {
            (name.to_owned(), data.iter().map(|(key, value)| (key.clone(), encode(value))).collect())
        });
        let wire = Wire {
            format: FORMAT,
            class: class.clone(),
            keys: keys.collect(),
            endpoints: held_back
                .endpoints
                .iter()
                .map(|(name, written)| (name.name().into(), written.clone()))
                .collect(),
            sinks: held_back
                .sinks
                .iter()
                .map(|(name, written)| (name.name().into(), written.clone()))
                .collect(),
            seal_key: seal_key.clone(),
        };
        Zeroizing::new(serde_json::to_vec(&wire).expect("names and specs are plain data"))
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// [`DocumentError`], without anything of the content.
    pub fn from_json(namespace: &str, bytes: &[u8]) -> Result<Self, DocumentError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } =
            serde_json::from_slice(bytes).map_err(|_| DocumentError::Broken("no format"))?;
        if format != FORMAT {
            return Err(DocumentError::Format(format));
        }
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|_| DocumentError::Broken("not of its format"))?;
        let mut keys = Keys::default();
        for (name, data) in wire.keys {
            let values = data.into_iter().map(|(key, text)| {
                let value =
                    STANDARD.decode(text.as_bytes()).map_err(|_| DocumentError::Broken("a key's base64"))?;
                Ok((key, value))
            });
            keys.insert(namespace, &name, values.collect::<Result<Vec<_>, _>>()?);
        }
        let name = |name: String| ObjectName::new(namespace, &name);
        let held_back = Accepted {
            endpoints: wire.endpoints.into_iter().map(|(of, written)| (name(of), written)).collect(),
            sinks: wire.sinks.into_iter().map(|(of, written)| (name(of), written)).collect(),
        };
        Ok(Self { class: wire.class, keys, held_back, seal_key: wire.seal_key })
    }
}

//! Bounds of verification, each with its reason.
use crate::Duration;

/// Secrets of one endpoint: a rotation needs two, a careful one three; each costs one digest per request.
pub const SECRETS_MAX: usize = 8;
/// Signatures taken from one request: a rotation sends two; more is a sender who makes us work.
pub const SIGNATURES_MAX: usize = 16;
/// Bytes of one signature header: [`SIGNATURES_MAX`] signatures with their versions fit.
pub const SIGNATURE_HEADER_BYTES_MAX: usize = 4096;
/// Alternative names of the signature header: a provider renames it once in a decade.
pub const SIGNATURE_HEADERS_MAX: usize = 4;
/// Bytes of a header's name: longer than any provider's.
pub const HEADER_NAME_BYTES_MAX: usize = 128;
/// Bytes of a prefix, key or version in a grammar.
pub const GRAMMAR_TEXT_BYTES_MAX: usize = 64;
/// Bytes of a separator in a grammar.
pub const SEPARATOR_BYTES_MAX: usize = 4;
/// Bytes of one secret.
pub const SECRET_BYTES_MAX: usize = 8192;
/// Parts of the signed text.
pub const SIGNED_PARTS_MAX: usize = 16;
/// Bytes of one literal in the signed text: separators and versions are short.
pub const LITERAL_BYTES_MAX: usize = 256;
/// Bytes of a value that a handshake echoes.
pub const HANDSHAKE_ANSWER_BYTES_MAX: usize = 4096;
/// Bytes of the text by which a handshake is known.
pub const HANDSHAKE_EQUALS_BYTES_MAX: usize = 256;
/// Handshakes of one scheme.
pub const HANDSHAKES_MAX: usize = 8;
/// Characters of a secret that a handshake brings, at least: shorter ones can be guessed.
pub const BROUGHT_SECRET_BYTES_MIN: usize = 16;
/// Characters of a secret that a handshake brings: Notion's has 50, Asana's 32.
pub const BROUGHT_SECRET_BYTES_MAX: usize = 512;
/// Candidates for an id, a type, and the like.
pub const CANDIDATES_MAX: usize = 8;
/// Bytes of a preset's id that [`nearest`](crate::nearest) looks at: the edit distance costs their product.
pub const PRESET_ID_BYTES_MAX: usize = 64;
/// Fields of a form body, and parameters of a query, that are read before a signature is checked: more than any provider
/// sends, and few enough to sort.
pub const FORM_FIELDS_MAX: usize = 1024;
/// Headers that a scheme may demand: the providers that do demand two.
pub const REQUIREMENTS_MAX: usize = 4;
/// Bytes of a public URL: longer ones are cut by proxies.
pub const URL_BYTES_MAX: usize = 2048;
/// Bytes of a public-key signature: RSA with the longest key has 1024.
pub const PUBLIC_SIGNATURE_BYTES_MAX: usize = 1024;
/// Characters of a text that a handshake has signed: it must never be something that is a delivery.
pub const HANDSHAKE_SIGNED_BYTES_MAX: usize = 128;
/// Characters of a challenge that is signed as deliveries are, at least.
pub const CHALLENGE_BYTES_MIN: usize = 20;
/// Characters of such a challenge, at most: what Braintree's libraries answer.
pub const CHALLENGE_BYTES_MAX: usize = 32;
/// Bytes of the name of a form field or query parameter: longer than any provider's.
pub const FIELD_NAME_BYTES_MAX: usize = 128;
/// Bytes of a JSON Web Token: those of identity providers have one to three thousand.
pub const JWT_BYTES_MAX: usize = 8192;
/// Algorithms that a scheme accepts in tokens: those of one family.
pub const JWT_ALGORITHMS_MAX: usize = 3;
/// Issuers that a scheme accepts: a provider has a name or two.
pub const JWT_ISSUERS_MAX: usize = 4;
/// Bytes of a body that is looked at once more to explain why it was refused.
pub const HINT_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Headers that are looked at for the same.
pub const HINT_HEADERS_MAX: usize = 64;
/// Bytes of a key set: those of the large issuers have a few thousand.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// Keys of a set: an issuer has two or three, and one with a tenant each some dozens.
pub const KEY_SET_KEYS_MAX: usize = 100;
/// Bytes of a certificate with its chain: those of the providers have two to eight thousand.
pub const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;
/// Certificates of one endpoint that have proved requests: eight topics may be in eight regions, each with an old one and a
/// new one.
pub const CERTIFICATES_PROVEN_MAX: usize = 16;
/// Certificates of one endpoint that were named by requests and have proved none yet.
pub const CERTIFICATES_NEW_MAX: usize = 4;
/// How soon such a one makes room for another: whoever makes up URLs must not make us call.
pub const CERTIFICATES_NEW_APART: Duration = Duration::from_secs(60);
/// Bytes of an RSA key's modulus, at least: shorter ones can be factored, and are never believed.
pub const RSA_BYTES_MIN: usize = 256;
/// Items of one delivery that each carry a proof: Adyen sends up to six, Microsoft Graph some hundred.
pub const SIGNED_ITEMS_MAX: usize = 1_000;
/// Public-key signatures of one request: each is a pass over the body and some multiplications; a rotation sends two.
pub const PUBLIC_SIGNATURES_MAX: usize = 4;
/// Elements of an XML body inside one another: each is at most two levels of JSON, of which 64 are read, and SOAP has six.
pub const XML_DEPTH_MAX: usize = 30;
/// Elements and attributes of an XML body: a hundred notifications, Salesforce's most, with five hundred fields each.
pub const XML_NODES_MAX: usize = 50_000;
/// Attributes of one XML element: each is compared with all before it.
pub const XML_ATTRIBUTES_MAX: usize = 64;
/// Bytes of the JSON that an XML body becomes: the largest body that an endpoint takes, and what JSON adds to it.
pub const XML_JSON_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How far a timestamp may be from our clock where nobody says: what most providers' libraries allow.
pub const TOLERANCE_DEFAULT: Duration = Duration::from_secs(300);

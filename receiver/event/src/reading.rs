//! From a genuine request to events: what each is, which type, whose, and by what it is known again.
use std::{borrow::Cow, cell::OnceCell, collections::BTreeMap, sync::Arc};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use boathook_template::{Place, Pointers, ScanError, Slot, Source, Template, Values};
use boathook_verify::{
    BodyKind, Payload, PayloadEncoding, RawRequest, Scheme, SchemeError, Verified, XmlError, is_parameter,
};
use bytes::{Bytes, BytesMut};
use faster_hex::hex_string;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{
    DedupeKey, Event, EventParts, Head, ObjectName, Uid,
    document::Document,
    identity::digest,
    limits::{BATCH_ITEMS_MAX, ID_BYTES_MAX, KEY_BYTES_MAX, TYPE_BYTES_MAX},
    sources::{FromEvent, FromRequest},
};

/// What an endpoint says about reading; absent templates are the scheme's.
#[derive(Debug, Clone)]
pub struct ReadingSpec<'s> {
    /// The endpoint.
    pub endpoint: ObjectName,
    /// Its provider's scheme.
    pub scheme: &'s Scheme,
    /// `events.id`
    pub id: Option<&'s str>,
    /// `events.type`
    pub event_type: Option<&'s str>,
    /// `events.tenant`
    pub tenant: Option<&'s str>,
    /// `events.key`
    pub key: Option<&'s str>,
    /// `attributes`
    pub attributes: &'s Attributes,
    /// Where our own ids come from.
    pub uid_from: UidFrom,
}

/// Where our own id of an event comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UidFrom {
    /// From [`Facts::uid`]: each event has another.
    #[default]
    Chance,
    /// From the first of the keys by which a repetition is known: it has the same id, wherever and whenever it comes. An
    /// event without a key has one from [`Facts::uid`].
    Key,
}

/// Constants of an endpoint for templates, by name; none is empty.
pub type Attributes = BTreeMap<String, String>;

/// What only the edge knows about a request.
pub struct Facts<'f> {
    /// When its headers were read.
    pub received_at: Timestamp,
    /// Makes our own ids.
    pub uid: &'f mut dyn FnMut() -> Uid,
}

/// What a genuine request carries.
#[derive(Debug, Clone)]
pub struct Read {
    /// Its events, in the order of the batch; empty only when the batch is.
    pub events: Vec<ReadEvent>,
    /// Members of the answer to an accepted request, taken from the first event; without a value: `null`.
    pub answer: BTreeMap<Box<str>, Option<Box<str>>>,
}

/// One event of a request.
#[derive(Debug, Clone)]
pub struct ReadEvent {
    /// The event.
    pub event: Arc<Event>,
    /// The keys by which a repetition is known.
    pub dedupe: Vec<DedupeKey>,
    /// The JSON that pointers read, where that is another than the event's bytes: of a form, of XML, of a document inside.
    pub document: Option<Bytes>,
}

/// Why a genuine request cannot be read; the sender is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The content type is missing, or not one that the scheme accepts.
    #[error("the content type must be {expected}")]
    ContentType {
        /// The accepted ones.
        expected: Box<str>,
    },
    /// The body is of none of the kinds that the scheme accepts.
    #[error("the body is {0}")]
    Body(#[from] ScanError),
    /// The body is no form, which the scheme demands.
    #[error("the body is no form (application/x-www-form-urlencoded)")]
    Form,
    /// The body is no XML that is read here, which the scheme demands.
    #[error("the body is not read as XML: {0}")]
    Xml(#[from] XmlError),
    /// More items than [`BATCH_ITEMS_MAX`].
    #[error("the batch has {0} events, more than {BATCH_ITEMS_MAX}")]
    BatchTooLarge(usize),
}

/// The compiled rules of one endpoint.
#[derive(Debug)]
pub struct Reading {
    endpoint: ObjectName,
    pointers: Pointers,
    id: Vec<Template>,
    item_id: Vec<Template>,
    /// Whether `id` is the endpoint's; that of a scheme never reads an inner document.
    own_id: bool,
    event_type: Vec<Template>,
    entity: Vec<Template>,
    tenant: Vec<Template>,
    key: Vec<Template>,
    answer: BTreeMap<Box<str>, Template>,
    /// The pointers of a whole request that may be a batch, and the slot of its array.
    batch: Option<(Pointers, Slot)>,
    /// Where a document inside the delivery is.
    inner: Option<Inner>,
    bodies: Vec<BodyKind>,
    content_types: Vec<String>,
    /// Headers that are not kept: they carry the secret itself.
    credentials: Vec<HeaderName>,
    /// The query parameter that carries it.
    credential_query: Option<Box<str>>,
    id_signed: bool,
    id_stable: bool,
    body_unique: bool,
    uid_from: UidFrom,
}

impl Reading {
    /// Compiles.
    ///
    /// # Errors
    /// Every broken template; the field is the scheme's (`id[0]`, `answer.body.x`) or the endpoint's (`events.id`).
    pub fn compile(spec: ReadingSpec<'_>) -> Result<Self, Vec<SchemeError>> {
        let ReadingSpec { endpoint, scheme, id, event_type, tenant, key, attributes, uid_from } = spec;
        let mut compiler = Compiler { pointers: Pointers::default(), errors: Vec::new(), attributes };
        let overridden = |own: Option<&str>, theirs: &[String]| match own {
            Some(text) => vec![text.to_owned()],
            None => theirs.to_vec(),
        };
        let field = |own: Option<&str>, endpoints: &'static str, schemes: &'static str| {
            if own.is_some() { endpoints } else { schemes }
        };
        let item_id = if id.is_some() { &[][..] } else { &scheme.item_id };
        let answer = scheme.answer.as_ref().map(|answer| &answer.body);
        let reading = Self {
            id: compiler.all(field(id, "events.id", "id"), &overridden(id, &scheme.id), Place::Request),
            item_id: compiler.all("itemId", item_id, Place::Request),
            event_type: compiler.all(
                field(event_type, "events.type", "type"),
                &overridden(event_type, &scheme.event_type),
                Place::Request,
            ),
            entity: compiler.all("entity", scheme.entity.as_slice(), Place::Request),
            tenant: compiler.all(
                field(tenant, "events.tenant", "tenant"),
                &overridden(tenant, scheme.tenant.as_slice()),
                Place::Request,
            ),
            key: compiler.all("events.key", &overridden(key, &[]), Place::Event),
            answer: answer
                .into_iter()
                .flatten()
                .filter_map(|(name, text)| {
                    let template = compiler.one(&format!("answer.body.{name}"), text, Place::Request)?;
                    Some((name.as_str().into(), template))
                })
                .collect(),
            batch: scheme.batch.as_deref().and_then(|pointer| compiler.batch(pointer)),
            inner: scheme.payload.as_ref().and_then(|payload| compiler.inner(payload)),
            own_id: id.is_some(),
            pointers: compiler.pointers,
            endpoint,
            bodies: if scheme.body.is_empty() { vec![BodyKind::Json] } else { scheme.body.clone() },
            content_types: scheme.content_types.iter().map(|kind| kind.to_ascii_lowercase()).collect(),
            credentials: scheme.credential_headers().iter().filter_map(|name| name.parse().ok()).collect(),
            credential_query: scheme.credential_query().map(Into::into),
            id_signed: scheme.id_signed,
            id_stable: scheme.id_stable,
            body_unique: scheme.body_unique,
            uid_from,
        };
        if compiler.errors.is_empty() { Ok(reading) } else { Err(compiler.errors) }
    }

    /// Reads a genuine request: content type, then the body in one scan (one more for each item of a batch).
    ///
    /// # Errors
    /// [`ReadError`]; nothing of the request is taken then.
    pub fn read(&self, verified: &Verified<'_>, facts: &mut Facts<'_>) -> Result<Read, ReadError> {
        let request = verified.request();
        self.check_content_type(request)?;
        let mut head = self.head(request);
        let room = OnceCell::new();
        let items = match &self.batch {
            Some((pointers, slot)) => {
                Document::read(&self.bodies, pointers, &request.body, &room)?.items(*slot)
            }
            None => None,
        };
        let mut read = Read { events: Vec::new(), answer: BTreeMap::new() };
        let Some(items) = items else {
            self.add(&mut read, verified, facts, &Arc::new(head), &request.body, None)?;
            return Ok(read);
        };
        if items.len() > BATCH_ITEMS_MAX {
            return Err(ReadError::BatchTooLarge(items.len()));
        }
        read.events.reserve(items.len());
        let whole = room.get().unwrap_or(&request.body);
        if room.get().is_some() {
            // What is kept of each is JSON, whatever was sent.
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let head = Arc::new(head);
        for (index, item) in items.into_iter().enumerate() {
            let body = whole.slice_ref(item.as_bytes());
            self.add(&mut read, verified, facts, &head, &body, u32::try_from(index).ok())?;
        }
        Ok(read)
    }

    /// The bytes of the document inside a stored event, where there is one.
    pub(crate) fn inner_document(&self, event: &Event) -> Option<Vec<u8>> {
        let inner = self.inner.as_ref()?;
        let room = OnceCell::new();
        let Document { values, .. } =
            Document::read(&self.bodies, &self.pointers, &event.body, &room).ok()?;
        inner.document(&values)
    }

    /// Adds one event: the request's only one, or the item at `index`.
    fn add(
        &self,
        read: &mut Read,
        verified: &Verified<'_>,
        facts: &mut Facts<'_>,
        head: &Arc<Head>,
        body: &Bytes,
        index: Option<u32>,
    ) -> Result<(), ReadError> {
        let room = OnceCell::new();
        // An item of a batch is JSON, whatever the batch was written in.
        let kinds = index.map_or(&*self.bodies, |_| &[BodyKind::Json]);
        let Document { values, .. } = Document::read(kinds, &self.pointers, body, &room)?;
        let document = self.inner.as_ref().and_then(|inner| inner.document(&values));
        let inner = document.as_ref().and_then(|document| self.pointers.scan(document).ok());
        let delivery = FromRequest {
            request: verified.request(),
            endpoint: &self.endpoint,
            received_at: facts.received_at,
            values: &values,
            outer: None,
            body,
            index,
        };
        let source = match &inner {
            Some(inner) => FromRequest { values: inner, outer: Some(&values), ..delivery },
            None => delivery,
        };
        let of_id = if self.own_id { &source } else { &delivery };
        let item_id = index.and_then(|_| first(&self.item_id, of_id));
        let id = item_id.or_else(|| first(&self.id, of_id)).map(|id| bounded(&id, ID_BYTES_MAX));
        let event_type = first(&self.event_type, &source).filter(|text| text.len() <= TYPE_BYTES_MAX);
        let dedupe = self.dedupe_keys(id.as_deref(), body);
        let of_key = dedupe.first().filter(|_| self.uid_from == UidFrom::Key);
        let mut parts = EventParts {
            uid: of_key.map_or_else(&mut facts.uid, Uid::of_key),
            endpoint: self.endpoint.clone(),
            received_at: facts.received_at,
            id,
            event_type: event_type.map(|text| text.into_owned().into()),
            key: None,
            tenant: first(&self.tenant, &source).map(|text| text.into_owned().into()),
            entity: first(&self.entity, &source).map(|text| text.into_owned().into()),
            index: index.unwrap_or(0),
            head: Arc::clone(head),
            body: body.clone(),
        };
        let event_source = FromEvent { request: &source, parts: &parts };
        let key = first(&self.key, &event_source).map(|key| bounded(&key, KEY_BYTES_MAX));
        parts.key = key;
        if read.events.is_empty() {
            read.answer = self.answer(&source);
        }
        let event = Arc::new(Event::from_verified(verified, parts));
        let is_inner = inner.is_some();
        let document = document.filter(|_| is_inner).map(Bytes::from).or_else(|| room.get().cloned());
        read.events.push(ReadEvent { event, dedupe, document });
        Ok(())
    }

    fn answer(&self, source: &FromRequest<'_>) -> BTreeMap<Box<str>, Option<Box<str>>> {
        let value = |template: &Template| template.render(source).map(|text| text.into_owned().into());
        self.answer.iter().map(|(name, template)| (name.clone(), value(template))).collect()
    }

    /// The id when it is stable; the body where it is unique. An id that is not signed counts only together with the
    /// body: else whoever holds one signed body could make genuine events vanish.
    fn dedupe_keys(&self, id: Option<&str>, body: &[u8]) -> Vec<DedupeKey> {
        let id = id.filter(|_| self.id_stable);
        let body = (self.body_unique || (id.is_some() && !self.id_signed)).then(|| digest([body]));
        let mut keys = Vec::with_capacity(2);
        if let Some(id) = id {
            keys.push(DedupeKey::of_id(&self.endpoint, id, body.filter(|_| !self.id_signed)));
        }
        if let Some(body) = body.filter(|_| self.body_unique) {
            keys.push(DedupeKey::of_body(&self.endpoint, &body));
        }
        keys
    }

    fn check_content_type(&self, request: &RawRequest) -> Result<(), ReadError> {
        let sent =
            request.header("content-type").and_then(|value| value.split(';').next()).unwrap_or("").trim();
        let fits = |accepted: &String| accepted.eq_ignore_ascii_case(sent);
        if self.content_types.is_empty() || self.content_types.iter().any(fits) {
            return Ok(());
        }
        Err(ReadError::ContentType { expected: self.content_types.join(" or ").into() })
    }

    fn head(&self, request: &RawRequest) -> Head {
        Head {
            method: request.method.clone(),
            path: request.path.clone(),
            query: self.query(request.query.as_deref()),
            headers: self.kept(&request.headers),
        }
    }

    /// The query without the secret.
    fn query(&self, query: Option<&str>) -> Option<Box<str>> {
        let (Some(query), Some(secret)) = (query, &self.credential_query) else {
            return query.map(Into::into);
        };
        let kept: Vec<&str> = query.split('&').filter(|pair| !is_parameter(pair, secret)).collect();
        (!kept.is_empty()).then(|| kept.join("&").into())
    }

    /// The headers that are kept, with their values copied into one buffer: those of a request are slices of what its
    /// connection has read, all of which a kept event would hold.
    fn kept(&self, sent: &HeaderMap) -> HeaderMap {
        let is_kept = |name: &HeaderName| *name != header::COOKIE && !self.credentials.contains(name);
        let kept = || sent.iter().filter(|(name, _)| is_kept(name));
        let mut values = BytesMut::with_capacity(kept().map(|(_, value)| value.len()).sum());
        kept().for_each(|(_, value)| values.extend_from_slice(value.as_bytes()));
        let mut values = values.freeze();
        let mut headers = HeaderMap::with_capacity(sent.len());
        for (name, value) in kept() {
            let copy = HeaderValue::from_maybe_shared(values.split_to(value.len()));
            headers.append(name.clone(), copy.unwrap_or_else(|_| value.clone()));
        }
        headers
    }
}

/// Where a document inside a delivery is, compiled.
#[derive(Debug)]
struct Inner {
    slot: Slot,
    encoding: PayloadEncoding,
}

impl Inner {
    /// The inner document's bytes; `None` where there is none, or it is not so encoded.
    fn document(&self, values: &Values<'_>) -> Option<Vec<u8>> {
        let text = values.text(self.slot)?;
        match self.encoding {
            PayloadEncoding::Text => Some(text.into_owned().into_bytes()),
            PayloadEncoding::Base64 => BASE64.decode(text.as_bytes()).ok(),
        }
    }
}

/// Padding optional, as there is no secret to be told apart.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Compiles templates and collects what is wrong with them.
struct Compiler<'s> {
    pointers: Pointers,
    errors: Vec<SchemeError>,
    attributes: &'s Attributes,
}

impl Compiler<'_> {
    fn all(&mut self, field: &str, texts: &[String], place: Place) -> Vec<Template> {
        let one = |(index, text): (usize, &String)| {
            let field = if texts.len() == 1 { field.to_owned() } else { format!("{field}[{index}]") };
            self.one(&field, text, place)
        };
        texts.iter().enumerate().filter_map(one).collect()
    }

    fn one(&mut self, field: &str, text: &str, place: Place) -> Option<Template> {
        let template = Template::parse(text, place, &mut self.pointers)
            .map_err(|error| self.fail(field, error.to_string()))
            .ok()?;
        let constant = |name: &str| self.attributes.get(name).map(String::as_str);
        template
            .with_attributes(constant)
            .map_err(|name| {
                let message =
                    format!("`{{attr:{name}}}`: there is no such attribute: add it to spec.attributes");
                self.fail(field, message);
            })
            .ok()
    }

    fn batch(&mut self, pointer: &str) -> Option<(Pointers, Slot)> {
        let mut pointers = Pointers::default();
        let slot = pointers.slot(pointer).map_err(|error| self.fail("batch", error.to_string())).ok()?;
        Some((pointers, slot))
    }

    fn inner(&mut self, payload: &Payload) -> Option<Inner> {
        let slot = self.pointers.slot(&payload.pointer);
        let slot = slot.map_err(|error| self.fail("payload.pointer", error.to_string())).ok()?;
        Some(Inner { slot, encoding: payload.encoding })
    }

    fn fail(&mut self, field: &str, message: String) {
        self.errors.push(SchemeError { field: field.to_owned(), message });
    }
}

/// The first template that has a text.
fn first<'s>(templates: &'s [Template], source: &'s impl Source) -> Option<Cow<'s, str>> {
    templates.iter().find_map(|template| template.render(source))
}

/// The text, or its SHA-256 in hex where it is longer than `bytes_max`.
fn bounded(text: &str, bytes_max: usize) -> Box<str> {
    if text.len() <= bytes_max {
        return text.into();
    }
    hex_string(&Sha256::digest(text.as_bytes())).into()
}

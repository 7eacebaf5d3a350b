//! From a scheme's handshakes to rules: every broken member told.
use boathook_template::{Hole, Place, Pointers, Slot, Template};
use http::{HeaderName, HeaderValue, Method};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    Handshakes, Rule, Subject, TokenDigest,
    answer::{Answer, Body, Item, Member, Pair, keyed},
    brought::Capture,
};
use crate::{
    CaptureSecret, Gate, Handshake, HandshakeAnswer, HandshakeMatch, HandshakeMethod, KeyDecode, Kind, Part,
    Scheme, SchemeError, Setup,
    digest::{DigestKey, DigestKind},
    key,
    limits::{FIELD_NAME_BYTES_MAX, GRAMMAR_TEXT_BYTES_MAX, HANDSHAKE_EQUALS_BYTES_MAX, HANDSHAKES_MAX},
};

pub(super) fn handshakes(scheme: &Scheme, setup: &Setup<'_>) -> Result<Handshakes, Vec<SchemeError>> {
    let mut compiler =
        Compiler { pointers: Pointers::default(), errors: Vec::new(), at: String::new(), scheme, setup };
    let handshakes = &scheme.handshakes;
    if handshakes.len() > HANDSHAKES_MAX {
        compiler.broken_whole(format!("must have at most {HANDSHAKES_MAX} handshakes"));
    }
    let mut rules = Vec::with_capacity(handshakes.len());
    for (place, handshake) in handshakes.iter().enumerate() {
        compiler.at = format!("handshakes[{place}]");
        rules.extend(compiler.rule(handshake));
    }
    let Compiler { pointers, errors, .. } = compiler;
    if errors.is_empty() { Ok(Handshakes { pointers, rules }) } else { Err(errors) }
}

struct Compiler<'s> {
    pointers: Pointers,
    errors: Vec<SchemeError>,
    /// The handshake that is compiled.
    at: String,
    scheme: &'s Scheme,
    setup: &'s Setup<'s>,
}

impl Compiler<'_> {
    fn broken(&mut self, member: &str, message: impl Into<String>) {
        self.errors.push(SchemeError { field: format!("{}.{member}", self.at), message: message.into() });
    }

    fn broken_whole(&mut self, message: String) {
        self.errors.push(SchemeError { field: "handshakes".into(), message });
    }

    fn rule(&mut self, handshake: &Handshake) -> Option<Rule> {
        let Handshake { matches, gate, verify_token, answer, capture_secret } = handshake;
        let before = self.errors.len();
        let equals = matches.equals.as_deref();
        if equals.is_some_and(|equals| !(1..=HANDSHAKE_EQUALS_BYTES_MAX).contains(&equals.len())) {
            self.broken("match.equals", format!("must have 1 to {HANDSHAKE_EQUALS_BYTES_MAX} bytes"));
        }
        let subject = self.subject(matches);
        if *gate == Gate::None && !answer.hmac_hex.is_empty() {
            self.broken("gate", "must be signature: with hmacHex anybody could have texts signed");
        }
        if *gate == Gate::None && answer.visit.is_some() {
            self.broken("gate", "must be signature: nobody else may send us anywhere");
        }
        if *gate == Gate::Signature && verify_token.is_some() {
            self.broken("gate", "must be none with a verify token");
        }
        let verify_token = verify_token.as_deref().and_then(|template| {
            let template = self.template("verifyToken", template)?;
            let token = self.verify_token()?;
            Some((template, TokenDigest(Sha256::digest(&*token).into())))
        });
        let answer = self.answer(answer);
        let brings = capture_secret.is_some();
        if brings
            && (*gate != Gate::None || verify_token.is_some() || matches.method != HandshakeMethod::Post)
        {
            self.broken("captureSecret", "is for POST with gate none and without a verify token");
        }
        let capture = capture_secret.as_ref().and_then(|capture| self.capture(capture));
        let method = match matches.method {
            HandshakeMethod::Post => Method::POST,
            HandshakeMethod::Get => Method::GET,
            HandshakeMethod::Head => Method::HEAD,
            HandshakeMethod::Options => Method::OPTIONS,
        };
        let rule = Rule {
            method,
            subject,
            equals: equals.map(Into::into),
            gated: *gate == Gate::Signature,
            verify_token,
            capture,
            answer: answer?,
        };
        (self.errors.len() == before).then_some(rule)
    }

    fn capture(&mut self, CaptureSecret { value, prefix, next: _ }: &CaptureSecret) -> Option<Capture> {
        if prefix.as_ref().is_some_and(|prefix| !(1..=GRAMMAR_TEXT_BYTES_MAX).contains(&prefix.len())) {
            let message = format!("must have 1 to {GRAMMAR_TEXT_BYTES_MAX} characters");
            self.broken("captureSecret.prefix", message);
        }
        let value = self.template("captureSecret.value", value)?;
        Some(Capture { value, prefix: prefix.as_deref().unwrap_or_default().into() })
    }

    fn subject(&mut self, matches: &HandshakeMatch) -> Option<Subject> {
        let HandshakeMatch { method, pointer, header, query, equals } = matches;
        match (pointer, header, query) {
            (None, None, None) => {
                if *method == HandshakeMethod::Post || equals.is_some() {
                    self.broken(
                        "match",
                        "must have one of pointer, header and query: else every delivery is a handshake",
                    );
                }
                None
            }
            (Some(pointer), None, None) => self.slot("match.pointer", pointer).map(Subject::Pointer),
            (None, Some(name), None) => self.header("match.header", name).map(Subject::Header),
            (None, None, Some(name)) => {
                if !(1..=FIELD_NAME_BYTES_MAX).contains(&name.len()) {
                    self.broken("match.query", format!("must have 1 to {FIELD_NAME_BYTES_MAX} bytes"));
                }
                Some(Subject::Query(name.as_str().into()))
            }
            _ => {
                self.broken("match", "must have at most one of pointer, header and query");
                None
            }
        }
    }

    fn answer(&mut self, answer: &HandshakeAnswer) -> Option<Answer> {
        let HandshakeAnswer {
            status,
            text,
            content_type,
            json,
            hmac_hex,
            sha256_hex,
            token_and_hmac,
            headers,
            visit,
        } = answer;
        let status = status.unwrap_or(200);
        if !(200..=299).contains(&status) {
            self.broken("answer.status", "must be a status from 200 to 299");
        }
        let has_json = !(json.is_empty() && hmac_hex.is_empty() && sha256_hex.is_empty());
        if has_json && text.is_some() {
            self.broken("answer.text", "cannot be with json, hmacHex or sha256Hex: leave one out");
        }
        let kind = match content_type.as_deref() {
            None => HeaderValue::from_static("text/plain; charset=utf-8"),
            Some("text/plain") => HeaderValue::from_static("text/plain"),
            Some("application/json") => HeaderValue::from_static("application/json"),
            Some(_) => {
                let why = "must be text/plain or application/json: what is sent back must never be a page";
                self.broken("answer.contentType", why);
                return None;
            }
        };
        if token_and_hmac.is_some() && (has_json || text.is_some()) {
            self.broken("answer.tokenAndHmac", "cannot be with text or json: leave one out");
        }
        let body = match text {
            _ if has_json => Body::Json(self.members(answer)),
            _ if token_and_hmac.is_some() => Body::Pair(self.pair(token_and_hmac.as_deref()?)?),
            Some(text) => Body::Text(kind, self.template("answer.text", text)?),
            None => Body::Nothing,
        };
        let headers = headers.iter().filter_map(|(name, template)| {
            let field = format!("answer.headers.{name}");
            if ["content-type", "set-cookie"].iter().any(|own| own.eq_ignore_ascii_case(name)) {
                self.broken(&field, "is not for a provider to choose: leave it out");
                return None;
            }
            Some((self.header(&field, name)?, self.template(&field, template)?))
        });
        let headers = headers.collect();
        let visit = match visit {
            Some(visit) => Some((*visit, self.slot("answer.visit", visit.pointer())?)),
            None => None,
        };
        Some(Answer { status, body, headers, visit })
    }

    fn pair(&mut self, challenge: &str) -> Option<Pair> {
        let Scheme { kind, signed, algorithm, key, .. } = self.scheme;
        if *kind != Kind::Hmac || !matches!(&**signed, [Part::Form(_)]) {
            let message = "is for kind hmac that signs one form field and nothing else: other deliveries could be made with it";
            self.broken("answer.tokenAndHmac", message);
            return None;
        }
        let challenge = self.template("answer.tokenAndHmac", challenge)?;
        let token = Zeroizing::new(String::from_utf8_lossy(&self.verify_token()?).into_owned());
        let decode = key.as_ref().map_or(KeyDecode::Utf8, |key| key.decode);
        // A secret that cannot be decoded is told where it stands.
        let secret = key::decode(&self.setup.secrets.first()?.text, decode).ok()?;
        Some(Pair { token, key: DigestKey::hmac(DigestKind::of(*algorithm)?, &secret), challenge })
    }

    fn members(&mut self, answer: &HandshakeAnswer) -> Vec<(Box<str>, Member)> {
        let mut members = Vec::new();
        for (name, template) in &answer.json {
            let template = self.template(&format!("answer.json.{name}"), template);
            members.extend(template.map(|template| (name.as_str().into(), Member::Text(template))));
        }
        for (name, template) in &answer.hmac_hex {
            let field = format!("answer.hmacHex.{name}");
            let template = self.template(&field, template);
            // A secret that cannot be decoded is told where it stands.
            let key =
                self.setup.secrets.first().and_then(|first| key::decode(&first.text, KeyDecode::Utf8).ok());
            members.extend(
                template
                    .zip(key)
                    .map(|(template, key)| (name.as_str().into(), Member::Hmac(keyed(&key), template))),
            );
        }
        for (name, items) in &answer.sha256_hex {
            let field = format!("answer.sha256Hex.{name}");
            let items = items.iter().filter_map(|item| self.item(&field, item)).collect();
            members.push((name.as_str().into(), Member::Digest(items)));
        }
        members
    }

    fn item(&mut self, field: &str, item: &str) -> Option<Item> {
        match item {
            "verifyToken" => self.verify_token().map(Item::Fixed),
            "url" => match self.setup.public_url {
                Some(url) => Some(Item::Fixed(Zeroizing::new(url.as_bytes().to_vec()))),
                None => {
                    let message =
                        "is missing: this provider digests the URL, so write it as it is registered there";
                    self.errors.push(SchemeError { field: "publicURL".into(), message: message.into() });
                    None
                }
            },
            template => self.template(field, template).map(Item::Text),
        }
    }

    /// The endpoint's verify token; that there is none, or an empty one, is told.
    fn verify_token(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        let told = match self.setup.verify_token {
            Some(secret) => key::decode(&secret.text, KeyDecode::Utf8),
            None => Err("is missing: this provider asks for it before it sends anything".into()),
        };
        let error = |message| SchemeError { field: "verifyToken".into(), message };
        told.map_err(|message| self.errors.push(error(message))).ok()
    }

    fn template(&mut self, member: &str, text: &str) -> Option<Template> {
        let template = match Template::parse(text, Place::Request, &mut self.pointers) {
            Ok(template) => template,
            Err(error) => {
                self.broken(member, error.to_string());
                return None;
            }
        };
        let in_request = |hole: &Hole| matches!(hole, Hole::Pointer(_) | Hole::Header(_) | Hole::Query(_));
        if !template.holes().all(in_request) {
            self.broken(member, "may ask for {/json/pointer}, {header:NAME} and {query:NAME} only");
            return None;
        }
        Some(template)
    }

    fn slot(&mut self, member: &str, pointer: &str) -> Option<Slot> {
        let slot = self.pointers.slot(pointer);
        slot.map_err(|error| self.broken(member, error.to_string())).ok()
    }

    fn header(&mut self, member: &str, name: &str) -> Option<HeaderName> {
        let parsed = name.parse().ok();
        if parsed.is_none() {
            self.broken(member, "must be a header's name (RFC 9110 § 5.1)");
        }
        parsed
    }
}

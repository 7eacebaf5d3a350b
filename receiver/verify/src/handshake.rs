//! Handshakes: genuine requests that are answered at once and not delivered.
use std::borrow::Cow;

use boathook_template::{Hole, Place, Pointers, Slot, Source, Template, Values};

use crate::{
    Handshake, RawRequest, SchemeError, Verified,
    limits::{HANDSHAKE_ANSWER_BYTES_MAX, HANDSHAKE_EQUALS_BYTES_MAX, HANDSHAKES_MAX},
};

/// A scheme's handshakes, compiled.
#[derive(Debug, Default)]
pub struct Handshakes {
    pointers: Pointers,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    slot: Slot,
    equals: Box<str>,
    answer: Template,
}

impl Handshakes {
    /// Compiles.
    ///
    /// # Errors
    /// Every broken pointer, text or template (`handshakes[0].match.pointer`).
    pub fn compile(handshakes: &[Handshake]) -> Result<Self, Vec<SchemeError>> {
        let (mut compiled, mut errors) = (Self::default(), Vec::new());
        if handshakes.len() > HANDSHAKES_MAX {
            let message = format!("must have at most {HANDSHAKES_MAX} handshakes");
            errors.push(SchemeError { field: "handshakes".into(), message });
        }
        for (place, Handshake { matches, answer }) in handshakes.iter().enumerate() {
            let mut broken = |member: &str, message: String| {
                errors.push(SchemeError { field: format!("handshakes[{place}].{member}"), message });
            };
            let equals = &*matches.equals;
            if !(1..=HANDSHAKE_EQUALS_BYTES_MAX).contains(&equals.len()) {
                broken("match.equals", format!("must have 1 to {HANDSHAKE_EQUALS_BYTES_MAX} bytes"));
            }
            let slot = compiled.pointers.slot(&matches.pointer);
            let slot = slot.map_err(|error| broken("match.pointer", error.to_string()));
            let template = template(&answer.text, &mut compiled.pointers);
            let template = template.map_err(|message| broken("answer.text", message));
            if let (Ok(slot), Ok(answer)) = (slot, template) {
                compiled.rules.push(Rule { slot, equals: equals.into(), answer });
            }
        }
        if errors.is_empty() { Ok(compiled) } else { Err(errors) }
    }

    /// The text to answer with (status 200, text/plain) when the genuine request is a handshake. It is taken from the
    /// request, never made with the secret. `None` also where a value is missing or longer than
    /// [`HANDSHAKE_ANSWER_BYTES_MAX`].
    pub fn answer(&self, verified: &Verified<'_>) -> Option<String> {
        let request = verified.request();
        if !self.rules.iter().any(|rule| may_hold(&request.body, &rule.equals)) {
            return None;
        }
        let values = self.pointers.scan(&request.body).ok()?;
        let rule =
            self.rules.iter().find(|rule| values.text(rule.slot).is_some_and(|text| text == *rule.equals))?;
        let source = Request { request, values: &values };
        let text = rule.answer.render(&source)?;
        (text.len() <= HANDSHAKE_ANSWER_BYTES_MAX).then(|| text.into_owned())
    }
}

fn template(text: &str, pointers: &mut Pointers) -> Result<Template, String> {
    let template = Template::parse(text, Place::Request, pointers).map_err(|error| error.to_string())?;
    let in_request = template.holes().all(|hole| matches!(hole, Hole::Pointer(_) | Hole::Header(_)));
    if in_request { Ok(template) } else { Err("may ask for {/json/pointer} and {header:NAME} only".into()) }
}

/// Whether a scan of this body can find the text: ordinary deliveries seldom hold it, and are not scanned. Looks for
/// the text's longest run of characters that no writer of JSON escapes.
fn may_hold(body: &[u8], text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let run = text.split(|c| !plain(c)).max_by_key(|run| run.len()).unwrap_or_default();
    std::str::from_utf8(body).is_ok_and(|body| body.contains(run))
}

/// What an answer's template may ask for.
struct Request<'a> {
    request: &'a RawRequest,
    values: &'a Values<'a>,
}

impl Source for Request<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        match hole {
            Hole::Pointer(slot) => self.values.text(*slot),
            Hole::Header(name) => self.request.header(name).map(Cow::Borrowed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use jiff::Timestamp;

    use super::*;
    use crate::{HandshakeAnswer, HandshakeMatch, Secret, Verifier, preset};

    fn handshake(pointer: &str, equals: &str, text: &str) -> Handshake {
        Handshake {
            matches: HandshakeMatch { pointer: pointer.into(), equals: equals.into() },
            answer: HandshakeAnswer { text: text.into() },
        }
    }

    /// The answer to a genuine request with this body.
    fn answer(handshakes: &[Handshake], body: &str) -> Option<String> {
        let secret = Secret { text: b"secret".to_vec().into(), not_before: None, not_after: None };
        let scheme = preset("github").expect("a preset");
        let verifier = Verifier::compile(&scheme, &[secret], None).expect("a sound scheme");
        let mut request = RawRequest {
            method: Method::POST,
            path: "/".into(),
            query: None,
            headers: HeaderMap::from_iter([(
                http::HeaderName::from_static("x-challenge"),
                HeaderValue::from_static("from-header"),
            )]),
            body: body.to_owned().into(),
        };
        verifier.sign(&mut request, Timestamp::UNIX_EPOCH).expect("nothing is missing");
        let verified = verifier.verify(&request, Timestamp::UNIX_EPOCH).expect("genuine");
        Handshakes::compile(handshakes).expect("sound handshakes").answer(&verified)
    }

    #[test]
    fn the_first_handshake_that_fits_is_answered_with_what_the_request_says() {
        let known = [
            handshake("/type", "url_verification", "{/challenge}"),
            handshake("/type", "a/b", "{header:X-Challenge}!"),
            handshake("/type", "1", "{\"type\":1}".replace('{', "{'{'}").replace(":1}", ":1{'}'}").as_str()),
        ];
        for (body, told) in [
            (r#"{"type":"url_verification","challenge":"c1"}"#, Some("c1")),
            (r#"{"challenge":5,"type":"url_verification"}"#, Some("5")),
            (r#"{"type":"a\/b"}"#, Some("from-header!")),
            (r#"{"type":1}"#, Some(r#"{"type":1}"#)),
            (r#"{"type":"url_verification"}"#, None),
            (r#"{"type":"url_verification","challenge":""}"#, None),
            (r#"{"type":"other","challenge":"url_verification"}"#, None),
            (r#"{"event":{"type":"url_verification"},"challenge":"c1"}"#, None),
            (r#"[{"type":"url_verification","challenge":"c1"}]"#, None),
            ("type=url_verification&challenge=c1", None),
            (r#"{"type":"url_verification","challenge":"c1""#, None),
            ("", None),
        ] {
            assert_eq!(answer(&known, body).as_deref(), told, "{body}");
        }
        assert_eq!(answer(&[], r#"{"type":"url_verification","challenge":"c1"}"#), None);
    }

    #[test]
    fn answers_longer_than_the_limit_are_not_given() {
        let known = [handshake("/type", "hello", "{/challenge}")];
        let body = |length| format!(r#"{{"type":"hello","challenge":"{}"}}"#, "c".repeat(length));
        let longest = answer(&known, &body(HANDSHAKE_ANSWER_BYTES_MAX));
        assert_eq!(longest.map(|text| text.len()), Some(HANDSHAKE_ANSWER_BYTES_MAX));
        assert_eq!(answer(&known, &body(HANDSHAKE_ANSWER_BYTES_MAX + 1)), None);
    }

    #[test]
    fn every_broken_handshake_is_told_with_its_place() {
        let fields = |handshakes: &[Handshake]| -> Vec<String> {
            Handshakes::compile(handshakes)
                .expect_err("broken")
                .into_iter()
                .map(|error| error.field)
                .collect()
        };
        let broken = [handshake("type", "", "{/challenge"), handshake("/type", "x", "{id}{receivedAt}")];
        assert_eq!(
            fields(&broken),
            [
                "handshakes[0].match.equals",
                "handshakes[0].match.pointer",
                "handshakes[0].answer.text",
                "handshakes[1].answer.text"
            ]
        );
        assert_eq!(fields(&[handshake("/type", "x", "{receivedAt}")]), ["handshakes[0].answer.text"]);
        assert_eq!(fields(&vec![handshake("/t", "x", "{/c}"); HANDSHAKES_MAX + 1]), ["handshakes"]);
    }
}

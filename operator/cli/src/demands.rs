//! What a scheme demands of a request that is to be sent as its provider sends it.
use boathook_verify::{BodyKind, Kind, Part, Scheme, TimestampFrom};
use http::{HeaderMap, HeaderValue};

/// Why nobody but the sender can sign, if so.
pub(crate) fn unsignable(scheme: &Scheme) -> Option<&'static str> {
    let from = scheme.signature.as_ref().map(|signature| &signature.from);
    let in_headers = from.is_some_and(|from| {
        !from.headers.is_empty() || !from.every_header.is_empty() || from.numbered_header.is_some()
    });
    match scheme.kind {
        Kind::PublicKey => Some("only the provider has the private key; verify a request that it has sent"),
        Kind::Jwt => Some("a token is made by its issuer; verify a request that it has sent"),
        Kind::Code => Some("only its provider signs so; verify a request that it has sent"),
        Kind::BodyToken => Some("the secret stands in the body; write it there and send the body as it is"),
        Kind::Hmac | Kind::Hash if !in_headers => {
            Some("the signature stands in the body; verify a request that the provider has sent")
        }
        _ => None,
    }
}

/// Whether the proof is the secret itself.
pub(crate) fn shows_secret(scheme: &Scheme) -> bool {
    matches!(scheme.kind, Kind::Token | Kind::Basic | Kind::QueryToken | Kind::BodyToken)
}

/// The headers that the signature covers and that are not there.
pub(crate) fn missing_headers<'s>(
    scheme: &'s Scheme,
    headers: &'s HeaderMap,
) -> impl Iterator<Item = &'s str> {
    scheme.signed.iter().filter_map(|part| match part {
        Part::Header(name) if !headers.contains_key(name) => Some(name.as_str()),
        _ => None,
    })
}

/// The content type that the provider sends, as far as the scheme says it.
pub(crate) fn content_type(scheme: &Scheme) -> Option<HeaderValue> {
    if let Some(first) = scheme.content_types.first() {
        return first.parse().ok();
    }
    match scheme.body.first() {
        None | Some(BodyKind::Json) => Some(HeaderValue::from_static("application/json")),
        Some(BodyKind::Form) => Some(HeaderValue::from_static("application/x-www-form-urlencoded")),
        Some(BodyKind::Xml) => Some(HeaderValue::from_static("text/xml")),
        Some(BodyKind::Any) => None,
    }
}

/// The names of headers that a scheme writes, as it spells them.
pub(crate) fn header_names(scheme: &Scheme) -> impl Iterator<Item = String> {
    let from = scheme.signature.as_ref().map(|signature| signature.from.clone()).unwrap_or_default();
    let numbered = from.numbered_header.map(|name| format!("{name}1"));
    let time = scheme.timestamp.as_ref().and_then(|rule| match &rule.from {
        TimestampFrom::Header(name) => Some(name.clone()),
        _ => None,
    });
    let required = scheme.require.iter().map(|requirement| requirement.header.clone());
    let names = from.headers.into_iter().chain(from.every_header).chain(numbered);
    names.chain(time).chain(required).chain(["Content-Type".to_owned()])
}

/// The header whose value a template is, if it is nothing else.
pub(crate) fn lone_header(template: Option<&String>) -> Option<&str> {
    let name = template?.strip_prefix("{header:")?.strip_suffix('}')?;
    (!name.contains(['{', '|', '}'])).then_some(name)
}

#[cfg(test)]
mod tests {
    use boathook_verify::{Setup, Verifier, preset, preset_ids};

    use super::*;

    #[test]
    fn a_template_that_is_one_header_is_told_from_others() {
        let lone = |template: &str| lone_header(Some(&template.to_owned())).map(str::to_owned);
        assert_eq!(lone("{header:X-Event}"), Some("X-Event".into()));
        for other in ["{header:X}.{/action}", "{header:X|/a}", "x{header:X}", "{/a}", "{header:X}{header:Y}"]
        {
            assert_eq!(lone(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_said_of_signing_is_what_verifiers_can_do() {
        let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "4d6f6e646179", "user:password"];
        for id in preset_ids() {
            let scheme = preset(id).expect(id);
            let verifier = secrets.iter().find_map(|text| {
                let secret = boathook_verify::Secret {
                    text: text.as_bytes().to_vec().into(),
                    not_before: None,
                    not_after: None,
                };
                let url = Some("https://hooks.example.com/hook");
                let setup = Setup { secrets: &[secret], public_url: url, ..Setup::default() };
                Verifier::compile(&scheme, &setup).ok()
            });
            // Where no secret of ours can be used, the key is a public one.
            let can = verifier.is_some_and(|verifier| verifier.can_sign());
            assert_eq!(can, unsignable(&scheme).is_none(), "{id}");
        }
    }
}

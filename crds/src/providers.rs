//! A page for each provider, made from its preset: what to click, which Secret, an endpoint to start from.
use std::fmt::Write as _;

use boathook_verify::{
    Algorithm, Audience, CodedScheme, Gate, Handshake, JwtAlgorithm, JwtRule, KeyDecode, Kind, Scheme,
    Signature, TimestampRule, Visit, limits::TOLERANCE_DEFAULT, preset, preset_ids, presets,
};

use crate::reference::HEAD;

/// Where the pages are, from the repository's root.
pub const FOLDER: &str = "crds/docs/providers";

/// Presets that are asked for and are not there, and what they need.
const LEFT_OUT: [(&str, &str); 1] = [("plaid", "Plaid's keys are fetched with a client's credentials.")];

/// `crds/docs/providers.md`: the presets, a line each.
pub(crate) fn index() -> String {
    let mut page = format!(
        "{HEAD}# Providers\n\nThe presets that `spec.provider` may name. What is behind each is a file of \
         [receiver/verify/providers](../../receiver/verify/providers); `spec.scheme` takes the same members for a sender of \
         one's own.\n\n| id | provider | proof | covers the body | fresh |\n| --- | --- | --- | --- | --- |\n"
    );
    for (id, scheme) in presets() {
        let yes = |holds: bool| if holds { "yes" } else { "no" };
        let timed = scheme.timestamp.as_ref().is_some_and(|rule| rule.signed && rule.enforce);
        let fresh = timed || scheme.jwt.as_ref().is_some_and(|rule| rule.expires || rule.age_max.is_some());
        let title = scheme.title.as_deref().unwrap_or(id);
        let _ = writeln!(
            page,
            "| [`{id}`](providers/{id}.md) | {title} | {} | {} | {} |",
            proof(&scheme),
            yes(scheme.body_protected),
            yes(fresh)
        );
    }
    page.push_str("\n## Not there yet\n\n| id | why |\n| --- | --- |\n");
    for (id, why) in LEFT_OUT {
        let _ = writeln!(page, "| `{id}` | {why} |");
    }
    page
}

/// The list of the README.
pub fn list() -> String {
    let links = preset_ids().map(|id| format!("[{id}]({FOLDER}/{id}.md)")).collect::<Vec<_>>();
    format!("{} presets, each with a page and proved by vectors:\n\n{}.\n", links.len(), links.join(" · "))
}

/// The pages: path from the repository's root, and content.
pub(crate) fn pages() -> impl Iterator<Item = (String, String)> {
    presets().map(|(id, scheme)| (format!("{FOLDER}/{id}.md"), format!("{HEAD}{}", page(id, &scheme))))
}

/// A provider's page in Markdown; `None` where no preset has this id.
pub fn read(id: &str) -> Option<String> {
    preset(id).map(|scheme| page(id, &scheme))
}

fn page(id: &str, scheme: &Scheme) -> String {
    let title = scheme.title.as_deref().unwrap_or(id);
    let mut page = format!("# {title}\n\n`provider: {id}`");
    if let Some(docs) = &scheme.docs {
        let _ = write!(page, " · [the provider's page]({docs})");
    }
    page.push_str("\n\n");
    if let Some(setup) = &scheme.setup {
        let _ = writeln!(page, "{}\n", setup.trim());
    }
    let _ = write!(page, "## An endpoint\n\n```yaml\n{}```\n\n## What is checked\n\n", example(id, scheme));
    let _ = writeln!(page, "- Proof: {}{}.", proof(scheme), place(scheme.signature.as_ref()));
    if let Some(clock) = &scheme.timestamp {
        page.push_str(&freshness(clock));
    }
    if !scheme.body_protected {
        page.push_str("- The proof does not cover the body: accept it over TLS only.\n");
    }
    for requirement in &scheme.require {
        let _ = writeln!(page, "- The header `{}` must be `{}`.", requirement.header, requirement.equals);
    }
    for handshake in &scheme.handshakes {
        let _ = writeln!(page, "- {}.", greeting(handshake));
    }
    page.push_str(&events(scheme));
    page
}

/// A Secret and an endpoint to start from.
fn example(id: &str, scheme: &Scheme) -> String {
    let mut yaml = String::new();
    let public = scheme.kind == Kind::PublicKey
        || scheme.code == Some(CodedScheme::Ebay)
        || is_checked_with_public_keys(scheme);
    let key = match scheme.code {
        Some(CodedScheme::AwsSns) => "topicARN",
        Some(CodedScheme::PayPal) => "webhookID",
        _ if public => "publicKey",
        _ => "secret",
    };
    if scheme.needs_secrets() && !scheme.brings_secret() {
        let value = match (scheme.kind, scheme.key.as_ref().map(|key| key.decode)) {
            (Kind::Basic, _) => "user:password",
            _ if scheme.code == Some(CodedScheme::SalesforceOutboundMessage) => "the organisation's id",
            _ if scheme.code == Some(CodedScheme::AwsSns) => "arn:aws:sns:eu-west-1:123456789012:your-topic",
            _ if scheme.code == Some(CodedScheme::PayPal) => "the webhook's id",
            _ if public => "the provider's public key",
            (_, Some(KeyDecode::PrefixedBase64)) => "whsec_…",
            (_, Some(KeyDecode::Hex)) => "the provider's secret, in hex",
            (_, Some(KeyDecode::Base64)) => "the provider's secret, in Base64",
            _ => "the provider's secret",
        };
        let _ = write!(
            yaml,
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {id} }}\nstringData:\n  {key}: {value}\n"
        );
        if scheme.needs_verify_token() {
            yaml.push_str("  verifyToken: a text of your choice\n");
        }
        yaml.push_str("---\n");
    }
    let _ = write!(
        yaml,
        "apiVersion: boathook.dev/v1alpha1\nkind: WebhookEndpoint\nmetadata: {{ name: {id} }}\nspec:\n  provider: {id}\n"
    );
    if scheme.needs_secrets() {
        let _ = writeln!(yaml, "  secrets: [{{ name: {id}, key: {key} }}]");
    }
    if scheme.brings_secret() {
        let _ = writeln!(
            yaml,
            "  # For the first minutes; leave it out once the secret is there.\n  \
             secretCapture: {{ secretRef: {{ name: {id}, key: {key} }}, until: \"2026-12-31T12:00:00Z\" }}"
        );
    }
    let audience = scheme.jwt.as_ref().is_some_and(|rule| rule.audience == Some(Audience::Configured));
    if scheme.signs_url() || scheme.needs_verify_token() || audience {
        yaml.push_str("  verification:\n");
    }
    if scheme.signs_url() {
        let _ =
            writeln!(yaml, "    publicURL: https://hooks.example.com/{id}   # as registered at the provider");
    }
    if scheme.needs_verify_token() {
        let _ = writeln!(yaml, "    verifyToken: {{ name: {id}, key: verifyToken }}");
    }
    if audience {
        let email = scheme.jwt.as_ref().is_some_and(|rule| rule.email_configured);
        let email = if email { ", email: the sender's account" } else { "" };
        let _ = writeln!(yaml, "    jwt: {{ audience: what the token is made for{email} }}");
    }
    yaml.push_str("  delivery: { sinks: [{ name: your-sink }] }\n");
    yaml
}

fn is_checked_with_public_keys(scheme: &Scheme) -> bool {
    let shared = [JwtAlgorithm::HS256, JwtAlgorithm::HS384, JwtAlgorithm::HS512];
    let public = |rule: &JwtRule| !rule.algorithms.iter().any(|algorithm| shared.contains(algorithm));
    scheme.jwt.as_ref().is_some_and(public)
}

/// How a provider proves that a delivery is its own, in a few words.
pub fn proof(scheme: &Scheme) -> String {
    let digest = match scheme.algorithm {
        None | Some(Algorithm::Sha256) => "SHA256",
        Some(Algorithm::Sha1) => "SHA1",
        Some(Algorithm::Sha384) => "SHA384",
        Some(Algorithm::Sha512) => "SHA512",
        Some(Algorithm::Ed25519) => "Ed25519",
        Some(Algorithm::EcdsaP256Sha256) => "ECDSA P-256",
        Some(Algorithm::RsaPkcs1Sha256 | Algorithm::RsaPkcs1Sha512) => "RSA",
        Some(Algorithm::RsaPssSha256 | Algorithm::RsaPssSha512) => "RSA-PSS",
    };
    match scheme.kind {
        Kind::Hmac => format!("HMAC-{digest}"),
        Kind::Hash => format!("{digest} with the secret"),
        Kind::PublicKey => digest.into(),
        Kind::Jwt => "a JSON Web Token".into(),
        Kind::Token => "a token".into(),
        Kind::Basic => "Basic credentials".into(),
        Kind::BodyToken => "a token in the body".into(),
        Kind::QueryToken => "a token in the query".into(),
        Kind::Code => match scheme.code {
            Some(CodedScheme::Ebay) => "ECDSA P-256".into(),
            Some(CodedScheme::SalesforceOutboundMessage) => "an id in the body".into(),
            Some(CodedScheme::AwsSns) => "RSA, with a certificate that the body names".into(),
            Some(CodedScheme::PayPal) => "RSA, with a certificate that a header names".into(),
            Some(CodedScheme::AdyenStandard) | None => "a signature in the body".into(),
        },
        Kind::None => "none".into(),
    }
}

/// Where the proof is, in words.
fn place(signature: Option<&Signature>) -> String {
    let Some(Signature { from, .. }) = signature else { return String::new() };
    let list = |names: &[String], word: &str| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(word)
    };
    let numbered = from.numbered_header.iter().map(|name| format!("`{name}1`, `{name}2` …"));
    let pointer = from.pointer.iter().map(|pointer| format!("the body's `{pointer}`"));
    let form = from.form.iter().map(|name| format!("the form field `{name}`"));
    let query = from.query.iter().map(|name| format!("the query parameter `{name}`"));
    let headers = [list(&from.headers, " or "), list(&from.every_header, " and ")];
    let headers = headers.into_iter().filter(|text| !text.is_empty());
    let place = headers.chain(numbered).chain(pointer).chain(form).chain(query).next();
    place.map(|place| format!(" in {place}")).unwrap_or_default()
}

fn freshness(clock: &TimestampRule) -> String {
    let tolerance = clock.tolerance.unwrap_or(TOLERANCE_DEFAULT);
    let signed = if clock.signed { "signed" } else { "not signed" };
    match clock.enforce {
        true => format!("- Freshness: at most {tolerance} from our clock; the timestamp is {signed}.\n"),
        false => format!("- The timestamp is {signed}, and not compared with our clock.\n"),
    }
}

fn greeting(handshake: &Handshake) -> String {
    let method = serde_json::to_value(handshake.matches.method).unwrap_or_default();
    let method = method.as_str().unwrap_or("POST").to_owned();
    let matches = &handshake.matches;
    let pointer = matches.pointer.iter().map(|pointer| format!(" whose body has `{pointer}`"));
    let header = matches.header.iter().map(|name| format!(" with the header `{name}`"));
    let query = matches.query.iter().map(|name| format!(" with the query parameter `{name}`"));
    let what = pointer.chain(header).chain(query).next().unwrap_or_default();
    let equals = matches.equals.as_ref().map(|equals| format!(" = `{equals}`")).unwrap_or_default();
    let gate = match (handshake.gate, &handshake.verify_token) {
        (Gate::Signature, _) => "once its proof holds",
        (Gate::None, Some(_)) => "if its verify token is the endpoint's",
        (Gate::None, None) if handshake.capture_secret.is_some() => {
            "while the endpoint waits for the secret that it brings (`secretCapture`)"
        }
        (Gate::None, None) => "without proof",
    };
    let visit = match handshake.answer.visit {
        Some(Visit::AwsSnsSubscription) => " and the URL in its `/SubscribeURL` was visited",
        None => "",
    };
    format!("Handshake: a {method}{what}{equals} is answered {gate}{visit}")
}

fn events(scheme: &Scheme) -> String {
    let mut text = String::new();
    let code = |texts: &[String]| texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ");
    if let Some(batch) = &scheme.batch {
        let array = if batch.is_empty() { "the body".to_owned() } else { format!("`{batch}`") };
        let _ = writeln!(text, "- Batches: each item of {array} is an event.");
    }
    for (what, texts) in
        [("Id of an item", &scheme.item_id), ("Id", &scheme.id), ("Type", &scheme.event_type)]
    {
        if !texts.is_empty() {
            let _ = writeln!(text, "- {what}: {}.", code(texts));
        }
    }
    let retry = scheme.retry.map(|retry| format!("- The provider retries for {}.\n", retry.horizon));
    text.push_str(&retry.unwrap_or_default());
    if !scheme.catalogue.is_empty() {
        text.push_str(
            "\n## Types it is known to send\n\n| type | category | what happened |\n| --- | --- | --- |\n",
        );
    }
    for entry in &scheme.catalogue {
        let part = |text: &Option<String>| text.as_deref().unwrap_or_default().replace('|', "\\|");
        let (category, description) = (part(&entry.category), part(&entry.description));
        let _ = writeln!(text, "| `{}` | {category} | {description} |", entry.event_type);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_not_there() {
        assert!(LEFT_OUT.iter().all(|(id, _)| preset(id).is_none()));
        assert!(LEFT_OUT.is_sorted());
    }
}

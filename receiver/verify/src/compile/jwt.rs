//! The rules of kind `jwt`.
use std::sync::Arc;

use boathook_template::Pointers;
use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::{Broken, coverage, form, keys::keys, place};
use crate::{
    Audience, Duration, JwtAlgorithm, JwtRule, KeyDecode, Scheme, Setup,
    grammar::Form,
    jwt_check::{Family, JwtCheck},
    jwt_proof::{JwtKeys, JwtProof, TokenKeys},
    key::Dated,
    key_slot::{KeyFormat, KeySlot, KeySource},
    limits::{JWT_ALGORITHMS_MAX, JWT_ISSUERS_MAX},
    url::PublicUrl,
};

/// How far our clock may be from the issuer's where nobody says.
const LEEWAY: Duration = Duration::from_secs(60);

pub(super) fn jwt(
    scheme: &Scheme,
    setup: &Setup<'_>,
    pointers: &mut Pointers,
    broken: &mut Broken,
) -> Option<JwtProof> {
    let Some(rule) = &scheme.jwt else {
        broken.add("jwt", "is missing: it says what the token must be and say");
        return None;
    };
    not_for_tokens(scheme, rule, broken);
    let keys = keys_of(scheme, rule, setup, broken);
    let place = place::place(scheme.signature.as_ref(), pointers, broken);
    let grammar = scheme.signature.as_ref().and_then(|signature| signature.grammar.as_ref());
    let prefix = match form::form(grammar, broken) {
        Form::Prefix(prefix) => prefix,
        _ => {
            broken.add("signature.grammar", "takes a prefix or nothing for this kind");
            return None;
        }
    };
    let url = scheme.signs_url().then(|| coverage::public_url(setup.public_url, broken)).flatten();
    let given = setup.jwt.copied().unwrap_or_default();
    let audience = match (given.audience, rule.audience) {
        (Some(audience), _) => Some(audience),
        (None, Some(Audience::Url)) => setup.public_url,
        (None, Some(Audience::Configured)) => {
            broken.add(
                "jwt.audience",
                "is missing: without it any token of this issuer would pass, also one for somebody else",
            );
            None
        }
        (None, None) => None,
    };
    broken.unless(
        given.email.is_some() || !rule.email_configured,
        "jwt.email",
        "is missing: without it everybody's tokens of this issuer would pass, as anybody can have one for our audience",
    );
    let issuers: Vec<Box<str>> = match given.issuer {
        Some(issuer) => vec![issuer.into()],
        None => rule.issuers.iter().map(|issuer| issuer.as_str().into()).collect(),
    };
    broken.unless(
        issuers.len() <= JWT_ISSUERS_MAX,
        "jwt.issuers",
        format!("must be at most {JWT_ISSUERS_MAX}"),
    );
    let span = |span: Duration| SignedDuration::try_from(span.std()).unwrap_or(SignedDuration::MAX);
    let claim = |claim: &Option<String>| claim.as_deref().map(Into::into);
    Some(JwtProof {
        place: place?,
        prefix,
        keys: keys?,
        issuers,
        audience: audience.map(Into::into),
        email: given.email.map(Into::into),
        expires: rule.expires,
        age_max: rule.age_max.map(span),
        leeway: span(setup.tolerance.or(rule.leeway).unwrap_or(LEEWAY)),
        body_sha256_claim: claim(&rule.body_sha256_claim),
        qsh_claim: claim(&rule.qsh_claim),
        url_sha256_claim: claim(&rule.url_sha256_claim).zip(url),
    })
}

fn not_for_tokens(scheme: &Scheme, rule: &JwtRule, broken: &mut Broken) {
    let covers_body = rule.body_sha256_claim.is_some();
    broken.unless(
        scheme.body_protected == covers_body,
        "bodyProtected",
        if covers_body {
            "must be true: a claim is the body's digest"
        } else {
            "must be set to false: no claim is the body's digest"
        },
    );
    let encoding = scheme.signature.as_ref().and_then(|signature| signature.encoding);
    for (given, field) in [
        (scheme.algorithm.is_some(), "algorithm"),
        (encoding.is_some(), "signature.encoding"),
        (!scheme.signed.is_empty(), "signed"),
        (scheme.timestamp.is_some(), "timestamp"),
    ] {
        broken.unless(!given, field, "is not for kind jwt: leave it out");
    }
}

/// The secrets, or the place of what the issuer publishes: exactly one of them.
fn keys_of(scheme: &Scheme, rule: &JwtRule, setup: &Setup<'_>, broken: &mut Broken) -> Option<TokenKeys> {
    let written = setup.jwt.and_then(|given| given.jwks_url);
    if written.is_some() && !setup.secrets.is_empty() {
        broken.add(
            "jwt.jwksURL",
            "cannot be beside secrets: keys are those of the Secret, or those that the issuer publishes",
        );
        return None;
    }
    let url = written.or(rule.jwks_url.as_deref()).filter(|_| setup.secrets.is_empty());
    let Some(url) = url else {
        return token_keys(scheme, rule, setup, broken).map(TokenKeys::Secrets);
    };
    let loopback = ["http://127.0.0.1:", "http://[::1]:"].iter().any(|start| url.starts_with(start));
    if PublicUrl::parse(url).is_err() || url.contains('@') || !(url.starts_with("https://") || loopback) {
        broken.add("jwt.jwksURL", "must be a URL that begins with https://, without a user");
        return None;
    }
    let checks: Vec<JwtCheck> = rule.algorithms.iter().map(|algorithm| JwtCheck::of(*algorithm)).collect();
    if checks.is_empty() || checks.iter().any(|check| check.family() == Family::Shared) {
        broken.add(
            "jwt.algorithms",
            "must be of public keys where a URL says which: a shared secret is not published",
        );
        return None;
    }
    let slot = KeySlot::new(KeySource::new(url, KeyFormat::KeySet));
    Some(TokenKeys::Published(Arc::new(slot), rule.algorithms.clone()))
}

fn token_keys(
    scheme: &Scheme,
    rule: &JwtRule,
    setup: &Setup<'_>,
    broken: &mut Broken,
) -> Option<Vec<Dated<JwtKeys>>> {
    let checks: Vec<(JwtAlgorithm, JwtCheck)> =
        rule.algorithms.iter().map(|algorithm| (*algorithm, JwtCheck::of(*algorithm))).collect();
    let one_family =
        checks.windows(2).all(|pair| matches!(pair, [(_, a), (_, b)] if a.family() == b.family()));
    let Some((_, first)) = checks.first().filter(|_| one_family && checks.len() <= JWT_ALGORITHMS_MAX) else {
        broken.add(
            "jwt.algorithms",
            format!("must be 1 to {JWT_ALGORITHMS_MAX} of one family: HS*, RS* and PS*, ES256, or EdDSA"),
        );
        return None;
    };
    let shared = first.family() == Family::Shared;
    let default = if shared { KeyDecode::Utf8 } else { KeyDecode::Spki };
    let decode = scheme.key.as_ref().map_or(default, |key| key.decode);
    let fits = (decode == KeyDecode::Spki) != shared;
    broken.unless(fits, "key.decode", if shared { "spki is for public keys" } else { "must be spki" });
    let make = |key: &Zeroizing<Vec<u8>>| {
        let keys = checks.iter().map(|(algorithm, check)| Ok((*algorithm, check.key(key)?)));
        keys.collect::<Result<JwtKeys, String>>()
    };
    Some(keys(setup, decode, broken, make))
}

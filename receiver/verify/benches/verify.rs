//! What verification costs beside the bare digest of the same bytes: ratios within one run, as machines differ and are
//! shared. `cargo xtask bench` runs it.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a benchmark looks at the clock, prints, and fails where it cannot go on"
)]
use std::{hint::black_box, time::Instant};

use boathook_verify::{RawRequest, Secret, Setup, Verifier, preset};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use sha2::Sha256;

const ROUNDS: usize = 200;
const CALLS: usize = 200;
const BODY_BYTES: usize = 2048;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW: Timestamp = Timestamp::constant(1_767_268_800, 0);

fn main() {
    println!(
        "verification of {BODY_BYTES} bytes, as a multiple of their HMAC-SHA256 (medians of {ROUNDS} rounds)"
    );
    let body = format!(r#"{{"type":"a","text":"{}"}}"#, "x".repeat(BODY_BYTES - 24));
    let state = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    for provider in ["github", "shopify", "stripe", "slack", "svix", "square"] {
        let secrets = [Secret { text: SECRET.as_bytes().to_vec().into(), not_before: None, not_after: None }];
        let public_url = Some("https://hooks.example.com/hook");
        let setup = Setup { secrets: &secrets, public_url, ..Setup::default() };
        let verifier = Verifier::compile(&preset(provider).unwrap(), &setup).unwrap();
        let mut request = RawRequest {
            method: Method::POST,
            path: "/hook".into(),
            query: None,
            headers: HeaderMap::from_iter([("svix-id".parse().unwrap(), HeaderValue::from_static("msg_1"))]),
            body: body.clone().into(),
        };
        verifier.sign(&mut request, NOW).unwrap();
        let mut nanos = f64::MAX;
        let mut ratios: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let bare = seconds(|| {
                    let digest = state.clone().chain_update(black_box(body.as_bytes())).finalize();
                    black_box(digest.into_bytes());
                });
                let whole = seconds(|| assert!(verifier.verify(black_box(&request), NOW).is_ok()));
                nanos = nanos.min(bare * 1e9 / CALLS as f64);
                whole / bare
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        let at = |part: usize| ratios.get(ratios.len() * part / 10).copied().unwrap_or_default();
        println!(
            "  {provider:<10} {:.3}   (1st to 9th tenth: {:.3} to {:.3}; bare {nanos:.0} ns)",
            at(5),
            at(1),
            at(9)
        );
    }
    println!("the target: at most 1.2");
}

fn seconds(call: impl Fn()) -> f64 {
    let started = Instant::now();
    (0..CALLS).for_each(|_| call());
    started.elapsed().as_secs_f64()
}

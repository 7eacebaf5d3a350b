//! What verification costs beside the bare digest of the same bytes: ratios within one run, as machines differ and are
//! shared. Both are measured in turn, in samples so short that most are disturbed by nothing. `cargo xtask bench` runs it.
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

/// Samples of each.
const ROUNDS: usize = 4000;
/// Calls in a sample: some hundred microseconds.
const CALLS: usize = 20;
const BODY_BYTES: usize = 2048;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW: Timestamp = Timestamp::constant(1_767_268_800, 0);
/// What comes with every delivery, whoever sends it.
const HEADERS: [(&str, &str); 8] = [
    ("host", "hooks.example.com"),
    ("user-agent", "Hooks/1.0"),
    ("accept", "*/*"),
    ("content-type", "application/json"),
    ("content-length", "2048"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-proto", "https"),
    ("svix-id", "msg_1"),
];

fn main() {
    println!(
        "verification of {BODY_BYTES} bytes, as a multiple of their HMAC-SHA256: {ROUNDS} samples of each in turn"
    );
    println!("             median of the pairs (quartiles)   lower quartiles of each   (bare, ns)");
    let body = format!(r#"{{"type":"a","text":"{}"}}"#, "x".repeat(BODY_BYTES - 22));
    assert_eq!(body.len(), BODY_BYTES);
    let state = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    for provider in ["github", "shopify", "stripe", "slack", "svix", "square"] {
        let secrets = [Secret { text: SECRET.as_bytes().to_vec().into(), not_before: None, not_after: None }];
        let public_url = Some("https://hooks.example.com/hook");
        let setup = Setup { secrets: &secrets, public_url, ..Setup::default() };
        let verifier = Verifier::compile(&preset(provider).unwrap(), &setup).unwrap();
        let headers = HEADERS.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let mut request = RawRequest {
            method: Method::POST,
            path: "/hook".into(),
            query: None,
            headers: HeaderMap::from_iter(headers),
            body: body.clone().into(),
        };
        verifier.sign(&mut request, NOW).unwrap();
        let (mut bare, mut whole): (Vec<f64>, Vec<f64>) = (0..ROUNDS)
            .map(|_| {
                let bare = nanos(|| {
                    let digest = state.clone().chain_update(black_box(body.as_bytes())).finalize();
                    black_box(digest.into_bytes());
                });
                (bare, nanos(|| assert!(verifier.verify(black_box(&request), NOW).is_ok())))
            })
            .unzip();
        // A pair is measured within half a millisecond, mostly at one and the same clock rate.
        let mut pairs: Vec<f64> = whole.iter().zip(&bare).map(|(whole, bare)| whole / bare).collect();
        let [pairs, bare, whole] = [&mut pairs, &mut bare, &mut whole].map(|samples| quartiles(samples));
        println!(
            "  {provider:<10} {:>10.3} ({:.3} to {:.3}) {:>23.3} {:>18.0}",
            pairs[1],
            pairs[0],
            pairs[2],
            whole[0] / bare[0],
            bare[0]
        );
    }
    println!("the target: at most 1.2");
}

/// What a call takes.
fn nanos(call: impl Fn()) -> f64 {
    let started = Instant::now();
    (0..CALLS).for_each(|_| call());
    started.elapsed().as_secs_f64() * 1e9 / CALLS as f64
}

/// A quarter, a half and three quarters of the samples are below.
fn quartiles(samples: &mut [f64]) -> [f64; 3] {
    samples.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| samples.get(samples.len() * quarter / 4).copied().unwrap_or_default())
}

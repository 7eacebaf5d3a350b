//! `verify`: is a saved request genuine?
use std::{io::Read, path::PathBuf};

use boathook_verify::{CodedScheme, Duration, Handshakes, Kind, Scheme, SchemeError, Setup, Verifier};
use clap::Args;
use http::Method;
use jiff::Timestamp;

use crate::{
    Ended, Mistake, Output,
    at::At,
    decision::Decision,
    keys::{self, Keys},
    published::PublishedFlags,
    saved::{self, Saved},
    sender::{Sender, SenderFlags},
    token::TokenFlags,
};

/// Say whether a saved request is genuine, as a receiver would.
///
/// REQUEST is HTTP text (request line, headers, an empty line, and the body's bytes up to the end), or a line of
/// receiver/verify/vectors, which has its own secrets, URL and time. A handshake counts as genuine, and its answer is
/// shown.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    sender: SenderFlags,
    /// A file with a secret, or the provider's public key; give it again for a second one.
    #[arg(long, value_name = "FILE")]
    secret_file: Vec<PathBuf>,
    /// The URL as it is registered at the provider, where that is signed.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// A file with the verify token, for handshakes that ask for it.
    #[arg(long, value_name = "FILE")]
    verify_token_file: Option<PathBuf>,
    /// Decide as while `spec.secretCapture` waits for a secret: a request that brings one is a handshake.
    #[arg(long)]
    awaits_secret: bool,
    #[command(flatten)]
    token: TokenFlags,
    #[command(flatten)]
    published: PublishedFlags,
    /// When the request came: a time in RFC 3339, `now`, or `none`, which leaves freshness out. Default: now, or the
    /// vector's own time.
    #[arg(long, value_name = "TIME")]
    at: Option<At>,
    /// How far the signed time may be from that. Default: as the scheme says.
    #[arg(long, value_name = "DURATION")]
    tolerance: Option<Duration>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// The file with the request; `-` is standard input.
    #[arg(value_name = "REQUEST")]
    request: PathBuf,
}

pub(crate) fn run(flags: &Flags, stdin: &mut dyn Read) -> Result<Ended, Mistake> {
    let Saved {
        request,
        secrets,
        public_url,
        verify_token,
        awaits_secret,
        token,
        certificate,
        now,
        scheme,
        mut notes,
    } = saved::read(&flags.request, stdin)?;
    let own = scheme.map(|scheme| Sender { name: flags.request.display().to_string(), scheme });
    let Sender { name, mut scheme } = flags.sender.sender_or(own)?;
    let keys = match &*flags.secret_file {
        [] => Keys::of_vector(secrets),
        files => Keys::of_files(files)?,
    };
    let verify_token = match &flags.verify_token_file {
        Some(file) => Some(keys::secret(file)?),
        None => verify_token,
    };
    let now = match flags.at {
        Some(At::Time(time)) => time,
        Some(At::Never) => unjudged(&mut scheme, &keys)?,
        None => now.unwrap_or_else(Timestamp::now),
    };
    let expected = flags.token.expected_or(&token);
    let awaits_secret = flags.awaits_secret || awaits_secret;
    let setup = Setup {
        secrets: &keys.secrets,
        tolerance: flags.tolerance,
        public_url: flags.public_url.as_deref().or(public_url.as_deref()),
        verify_token: verify_token.as_ref(),
        jwt: Some(&expected),
        awaits_secret,
    };
    let told = |errors: Vec<SchemeError>| keys.mistake(&name, &errors);
    let verifier = Verifier::compile(&scheme, &setup).map_err(told)?;
    if verify_token.is_none() {
        only_of(&request.method, &mut scheme);
    }
    let handshakes = Handshakes::compile(&scheme, &setup).map_err(told)?;
    flags.published.fill(&verifier, &request, certificate.as_deref(), now)?;
    let decision = Decision::of(&verifier, &handshakes, &request, now, awaits_secret);
    let output = match flags.output {
        Output::Text => decision.text(&scheme, |place| keys.name(place)),
        Output::Json => format!("{}\n", decision.json()),
    };
    if flags.at == Some(At::Never) {
        notes.push("freshness was not judged (--at none)".into());
    }
    Ok(Ended { good: decision.is_good(), output, notes })
}

/// Leaves those handshakes that a request of this method may be: nobody should need a verify token for a delivery.
fn only_of(method: &Method, scheme: &mut Scheme) {
    scheme.handshakes.retain(|handshake| {
        // Methods are written as HTTP writes them.
        serde_json::to_value(handshake.matches.method).is_ok_and(|name| name == method.as_str())
    });
}

/// Takes freshness out of the scheme. The time that is left is for what this cannot take out.
fn unjudged(scheme: &mut Scheme, keys: &Keys) -> Result<Timestamp, Mistake> {
    let next = "give the time at which the request came: --at TIME";
    if keys.are_dated() {
        return Err(Mistake(format!("--at none: the vector's secrets count for a time only; {next}")));
    }
    if scheme.kind == Kind::Jwt {
        return Err(Mistake(format!("--at none: a token is judged by its times; {next}")));
    }
    if matches!(scheme.code, Some(CodedScheme::AwsSns | CodedScheme::PayPal)) {
        return Err(Mistake(format!("--at none: the sender's certificate is judged by its dates; {next}")));
    }
    if let Some(rule) = &mut scheme.timestamp {
        rule.enforce = false;
    }
    Ok(Timestamp::now())
}

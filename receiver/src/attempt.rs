//! One attempt at a sink, whatever its driver does.
use std::panic::AssertUnwindSafe;

use boathook_event::{Delivered, Failure, FailureKind};
use boathook_sinks::{Sending, Sink};
use futures::FutureExt as _;

use crate::term::Term;

/// An attempt that lasts longer than the right to make it is given up: another process may deliver soon.
pub(crate) async fn within(
    term: Term,
    attempt: impl Future<Output = Result<Delivered, Failure>>,
) -> Result<Delivered, Failure> {
    tokio::select! {
        result = attempt => result,
        () = term.ended() => Err(given_up()),
    }
}

/// One attempt; a driver that panics has failed, and takes nobody with it.
pub(crate) async fn tried(sink: &dyn Sink, sending: Sending) -> Result<Delivered, Failure> {
    let sending = [sending];
    let outcomes = AssertUnwindSafe(async { sink.deliver_batch(&sending).await }).catch_unwind().await;
    outcomes.ok().and_then(|mut outcomes| outcomes.pop()).unwrap_or_else(|| Err(broken()))
}

/// The sink was removed after its delivery was chosen.
pub(crate) fn gone() -> Failure {
    passing("the sink is gone from the configuration")
}

/// The right to make it was about to end.
fn given_up() -> Failure {
    passing(
        "the store was away for too long, and the attempt was given up: another receiver may deliver by then",
    )
}

/// A driver panicked, or gave no outcome.
fn broken() -> Failure {
    passing("the sink's driver broke off: this is a bug, please report it")
}

fn passing(message: &'static str) -> Failure {
    let kind = FailureKind::Unreachable;
    Failure { kind, permanent: false, status: None, retry_after: None, message: message.into() }
}

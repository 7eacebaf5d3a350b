//! Changes by hand: what people do to stored events, which dispatch is told of.
use boathook_event::Seq;
use boathook_store::{
    Error, Reader,
    traits::{Erased, Replay, Replayed},
};
use tokio::sync::mpsc;

use crate::deliveries::Changed;

/// Changes events. Whoever asked for it may go meanwhile: what is done is told to dispatch.
#[derive(Clone)]
pub(super) struct Hand {
    reader: Reader,
    changed: mpsc::Sender<Changed>,
}

impl Hand {
    pub(super) fn new(reader: &Reader, changed: mpsc::Sender<Changed>) -> Self {
        Self { reader: reader.clone(), changed }
    }

    /// Makes deliveries of these events pending once more.
    pub(super) async fn arm(&self, events: Vec<Seq>, replay: &Replay) -> Result<Replayed, Error> {
        let (hand, replay) = (self.clone(), replay.clone());
        whole(async move {
            let replayed = hand.reader.replay(events, replay).await?;
            if !replayed.armed.is_empty() {
                hand.tell(Changed::Armed(replayed.armed.clone())).await;
            }
            Ok(replayed)
        })
        .await
    }

    /// Erases these events.
    pub(super) async fn erase(&self, events: Vec<Seq>) -> Result<Erased, Error> {
        let hand = self.clone();
        whole(async move {
            let erased = hand.reader.erase(events.clone()).await?;
            if erased.events > 0 {
                hand.tell(Changed::Erased(events)).await;
            }
            Ok(erased)
        })
        .await
    }

    async fn tell(&self, changed: Changed) {
        // Nobody listens any more when the receiver stops; the next start finds how the store is then.
        self.changed.send(changed).await.ok();
    }
}

/// Does it to its end, also when nobody waits for that.
async fn whole<R: Send + 'static>(
    work: impl Future<Output = Result<R, Error>> + Send + 'static,
) -> Result<R, Error> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|error| Err(Error::Io(format!("a change of the store did not end: {error}"))))
}

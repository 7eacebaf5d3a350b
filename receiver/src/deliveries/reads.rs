//! What dispatch reads from the store: each read is a task, whose answer comes back as a message.
use std::sync::Arc;

use boathook_dispatch::Input;
use boathook_event::{DuePlace, ObjectName, Seq};
use boathook_store::traits::{DueTurns, Fed, Page, Turned, TurnedDue, Turns};
use jiff::Timestamp;

use super::Deliveries;

impl Deliveries {
    pub(super) fn feed(&self, sink: ObjectName, ticket: u64, after: Seq, page: Page) {
        let (reader, of) = (self.parts.reader.clone(), sink.clone());
        self.answer(sink, ticket, "what is to be delivered", async move {
            let Fed { deliveries, tried, blocking, up_to, more } = reader.next(&of, after, page).await?;
            Ok(Input::Fed { sink: of, ticket, deliveries, tried, blocking, up_to, more })
        });
    }

    pub(super) fn feed_turns(&self, sink: ObjectName, ticket: u64, turns: Turns, page: Page) {
        let (reader, of) = (self.parts.reader.clone(), sink.clone());
        self.answer(sink, ticket, "what is to be delivered in turns", async move {
            let turned = reader.turns(&of, turns, page).await?;
            let Turned { deliveries, blocking, places, reached, more, last } = turned;
            Ok(Input::FedTurns { sink: of, ticket, deliveries, blocking, places, reached, more, last })
        });
    }

    pub(super) fn feed_key(&self, sink: ObjectName, ticket: u64, key: Arc<str>, after: Seq, page: Page) {
        let (reader, of) = (self.parts.reader.clone(), sink.clone());
        self.answer(sink, ticket, "what waits for its key", async move {
            let Fed { deliveries, more, .. } = reader.by_key(&of, &key, after, page).await?;
            Ok(Input::FedKey { sink: of, ticket, deliveries, more })
        });
    }

    pub(super) fn feed_oldest(&self, sink: ObjectName, ticket: u64, after: Seq, page: Page) {
        let (reader, of) = (self.parts.reader.clone(), sink.clone());
        self.answer(sink, ticket, "what is too old", async move {
            let Fed { deliveries, up_to, more, .. } = reader.oldest(&of, after, page).await?;
            Ok(Input::FedOldest { sink: of, ticket, deliveries, up_to, more })
        });
    }

    pub(super) fn feed_blocking(&self, sink: ObjectName, ticket: u64, seqs: Vec<Seq>) {
        let (reader, of) = (self.parts.reader.clone(), sink.clone());
        self.answer(sink, ticket, "which keys still wait", async move {
            let seqs = reader.blocking(&of, seqs).await?;
            Ok(Input::FedBlocking { sink: of, ticket, seqs })
        });
    }

    pub(super) fn feed_due(
        &self,
        sink: ObjectName,
        ticket: u64,
        (until, behind): (Timestamp, DuePlace),
        page: Page,
    ) {
        let (reader, of) = (self.parts.reader.clone(), sink.clone());
        self.answer(sink, ticket, "what is to be tried again", async move {
            let Fed { deliveries, more, .. } = reader.due(&of, until, behind, page).await?;
            let next_due = if more { None } else { reader.earliest_due(&of, until).await? };
            Ok(Input::FedDue { sink: of, ticket, deliveries, more, next_due })
        });
    }

    pub(super) fn feed_due_turns(&self, sink: ObjectName, ticket: u64, turns: DueTurns, page: Page) {
        let (reader, of) = (self.parts.reader.clone(), sink.clone());
        self.answer(sink, ticket, "what is to be tried again in turns", async move {
            let TurnedDue { deliveries, places, reached } = reader.due_turns(&of, turns, page).await?;
            Ok(Input::FedDueTurns { sink: of, ticket, deliveries, places, reached })
        });
    }

    /// Gives the dispatcher what a read of the store says, or that it failed; `what` is read, for people.
    fn answer(
        &self,
        sink: ObjectName,
        ticket: u64,
        what: &'static str,
        read: impl Future<Output = Result<Input, boathook_store::Error>> + Send + 'static,
    ) {
        let messages = self.messages.clone();
        tokio::spawn(async move {
            let answer = read.await.unwrap_or_else(|error| {
                tracing::warn!(%sink, %error, "cannot read {what}; trying again");
                Input::FeedFailed { sink, ticket }
            });
            drop(messages.send(answer).await);
        });
    }
}

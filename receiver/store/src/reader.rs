//! Asking a store from asynchronous code, over few connections.
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use boathook_event::{DuePlace, ObjectName, Partition, Partitions, Rejected, Seq, Uid};
use jiff::Timestamp;
use tokio::{sync::Mutex, task};

use crate::{
    Error,
    traits::{
        Archive, Archived, DueTurns, Epoch, Erased, Fed, Feed, Found, Joined, News, Page, Question, Replay,
        Replayed, Retentions, Series, Span, Standing, Statistics, Turned, TurnedDue, Turns,
    },
};

/// Feed and archive of a store; cheap to clone. Dispatch, questions and housekeeping do not wait for each other.
#[derive(Clone)]
pub struct Reader {
    feed: Arc<Mutex<Box<dyn Feed + Send>>>,
    archive: Arc<Mutex<Box<dyn Archive + Send>>>,
    keeper: Arc<Mutex<Box<dyn Archive + Send>>>,
}

impl Reader {
    /// Takes one for dispatch, one for questions, and one for what takes long: [`Reader::retain`] and [`Reader::erase`].
    pub fn new(
        feed: impl Feed + Send + 'static,
        archive: impl Archive + Send + 'static,
        keeper: impl Archive + Send + 'static,
    ) -> Self {
        Self {
            feed: Arc::new(Mutex::new(Box::new(feed))),
            archive: Arc::new(Mutex::new(Box::new(archive))),
            keeper: Arc::new(Mutex::new(Box::new(keeper))),
        }
    }

    /// See [`Feed::join`].
    pub async fn join(&self, lease: Duration) -> Result<Joined, Error> {
        off_the_runtime(&self.feed, move |feed| feed.join(lease)).await
    }

    /// See [`Feed::claim`].
    pub async fn claim(&self, wanted: Partitions) -> Result<BTreeMap<Partition, Epoch>, Error> {
        off_the_runtime(&self.feed, move |feed| feed.claim(wanted)).await
    }

    /// See [`Feed::release`].
    pub async fn release(&self, given: Partitions) -> Result<(), Error> {
        off_the_runtime(&self.feed, move |feed| feed.release(given)).await
    }

    /// See [`Feed::leave`].
    pub async fn leave(&self) -> Result<(), Error> {
        off_the_runtime(&self.feed, |feed| feed.leave()).await
    }

    /// See [`Feed::news`].
    pub async fn news(&self, erased_after: u64) -> Result<News, Error> {
        off_the_runtime(&self.feed, move |feed| feed.news(erased_after)).await
    }

    /// See [`Feed::next`].
    pub async fn next(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        let sink = sink.clone();
        off_the_runtime(&self.feed, move |feed| feed.next(&sink, after, page)).await
    }

    /// See [`Feed::turns`].
    pub async fn turns(&self, sink: &ObjectName, turns: Turns, page: Page) -> Result<Turned, Error> {
        let sink = sink.clone();
        off_the_runtime(&self.feed, move |feed| feed.turns(&sink, &turns, page)).await
    }

    /// See [`Feed::due`].
    pub async fn due(
        &self,
        sink: &ObjectName,
        until: Timestamp,
        behind: DuePlace,
        page: Page,
    ) -> Result<Fed, Error> {
        let sink = sink.clone();
        off_the_runtime(&self.feed, move |feed| feed.due(&sink, until, behind, page)).await
    }

    /// See [`Feed::due_turns`].
    pub async fn due_turns(
        &self,
        sink: &ObjectName,
        turns: DueTurns,
        page: Page,
    ) -> Result<TurnedDue, Error> {
        let sink = sink.clone();
        off_the_runtime(&self.feed, move |feed| feed.due_turns(&sink, &turns, page)).await
    }

    /// See [`Feed::earliest_due`].
    pub async fn earliest_due(
        &self,
        sink: &ObjectName,
        after: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let sink = sink.clone();
        off_the_runtime(&self.feed, move |feed| feed.earliest_due(&sink, after)).await
    }

    /// See [`Feed::oldest`].
    pub async fn oldest(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        let sink = sink.clone();
        off_the_runtime(&self.feed, move |feed| feed.oldest(&sink, after, page)).await
    }

    /// See [`Feed::blocking`].
    pub async fn blocking(&self, sink: &ObjectName, seqs: Vec<Seq>) -> Result<Vec<Seq>, Error> {
        let sink = sink.clone();
        off_the_runtime(&self.feed, move |feed| feed.blocking(&sink, &seqs)).await
    }

    /// See [`Feed::backlog`].
    pub async fn backlog(&self) -> Result<Vec<(ObjectName, u64)>, Error> {
        off_the_runtime(&self.feed, |feed| feed.backlog()).await
    }

    /// See [`Feed::standing`].
    pub async fn standing(&self, seq: Seq) -> Result<Option<Standing>, Error> {
        off_the_runtime(&self.feed, move |feed| feed.standing(seq)).await
    }

    /// See [`Feed::by_key`].
    pub async fn by_key(&self, sink: &ObjectName, key: &str, after: Seq, page: Page) -> Result<Fed, Error> {
        let (sink, key) = (sink.clone(), Box::<str>::from(key));
        off_the_runtime(&self.feed, move |feed| feed.by_key(&sink, &key, after, page)).await
    }

    /// See [`Archive::list`].
    pub async fn list(
        &self,
        endpoint: Option<&ObjectName>,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Archived>, Error> {
        let endpoint = endpoint.cloned();
        off_the_runtime(&self.archive, move |archive| archive.list(endpoint.as_ref(), after, limit)).await
    }

    /// See [`Archive::show`].
    pub async fn show(&self, uid: Uid) -> Result<Option<Archived>, Error> {
        off_the_runtime(&self.archive, move |archive| archive.show(&uid)).await
    }

    /// See [`Archive::place`].
    pub async fn place(&self, uid: Uid) -> Result<Option<Seq>, Error> {
        off_the_runtime(&self.archive, move |archive| archive.place(&uid)).await
    }

    /// See [`Archive::find`].
    pub async fn find(&self, question: &Question, after: Option<Seq>, limit: usize) -> Result<Found, Error> {
        let question = question.clone();
        off_the_runtime(&self.archive, move |archive| archive.find(&question, after, limit)).await
    }

    /// See [`Archive::rejections`].
    pub async fn rejections(
        &self,
        endpoint: Option<&ObjectName>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Rejected)>, Error> {
        let endpoint = endpoint.cloned();
        off_the_runtime(&self.archive, move |archive| archive.rejections(endpoint.as_ref(), after, limit))
            .await
    }

    /// See [`Archive::statistics`].
    pub async fn statistics(&self) -> Result<Statistics, Error> {
        off_the_runtime(&self.archive, |archive| archive.statistics()).await
    }

    /// See [`Archive::series`].
    pub async fn series(&self, span: Span) -> Result<Series, Error> {
        off_the_runtime(&self.archive, move |archive| archive.series(&span)).await
    }

    /// See [`Archive::oldest_pending`].
    pub async fn oldest_pending(&self) -> Result<Vec<(ObjectName, Timestamp)>, Error> {
        off_the_runtime(&self.archive, |archive| archive.oldest_pending()).await
    }

    /// See [`Archive::retain`].
    pub async fn retain(&self, retentions: Retentions, now: Timestamp) -> Result<u64, Error> {
        off_the_runtime(&self.keeper, move |keeper| keeper.retain(&retentions, now)).await
    }

    /// See [`Archive::keys_since`].
    pub async fn keys_since(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        off_the_runtime(&self.keeper, move |keeper| keeper.keys_since(now)).await
    }

    /// See [`Archive::replay`].
    pub async fn replay(&self, events: Vec<Seq>, replay: Replay) -> Result<Replayed, Error> {
        off_the_runtime(&self.archive, move |archive| archive.replay(&events, &replay)).await
    }

    /// See [`Archive::erase`].
    pub async fn erase(&self, events: Vec<Seq>) -> Result<Erased, Error> {
        off_the_runtime(&self.keeper, move |keeper| keeper.erase(&events)).await
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

/// Waits for the part before it takes a thread, so that there are never more threads than parts.
async fn off_the_runtime<P: ?Sized + Send + 'static, R: Send + 'static>(
    part: &Arc<Mutex<Box<P>>>,
    call: impl FnOnce(&mut P) -> Result<R, Error> + Send + 'static,
) -> Result<R, Error> {
    let mut part = Arc::clone(part).lock_owned().await;
    let task = task::spawn_blocking(move || call(&mut part));
    task.await.unwrap_or_else(|error| Err(Error::Io(format!("a read of the store did not end: {error}"))))
}

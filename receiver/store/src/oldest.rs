//! Since when the oldest delivery of each endpoint waits, from the oldest few of each sink.
use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use jiff::Timestamp;

/// Something of this endpoint waits for this sink; numbers are a driver's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backlog<N> {
    pub(crate) sink: N,
    pub(crate) endpoint: N,
}

/// One of a sink's oldest deliveries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting<N> {
    pub(crate) sink: N,
    pub(crate) endpoint: N,
    pub(crate) since: Timestamp,
}

/// By endpoint. `waiting` is by sequence; an endpoint that has none in it at a sink is told with the sink's last one there,
/// behind which its own wait.
pub(crate) fn oldest<N: Copy + Eq + Hash>(
    backlogs: &[Backlog<N>],
    waiting: &[Waiting<N>],
) -> HashMap<N, Timestamp> {
    let (mut found, mut last) = (HashSet::new(), HashMap::new());
    let mut oldest: HashMap<N, Timestamp> = HashMap::new();
    let mut tell = |endpoint, since: Timestamp| {
        let known = oldest.entry(endpoint).or_insert(since);
        *known = since.min(*known);
    };
    for Waiting { sink, endpoint, since } in waiting {
        if found.insert((*sink, *endpoint)) {
            tell(*endpoint, *since);
        }
        last.insert(*sink, *since);
    }
    for Backlog { sink, endpoint } in backlogs {
        if let (false, Some(since)) = (found.contains(&(*sink, *endpoint)), last.get(sink)) {
            tell(*endpoint, *since);
        }
    }
    oldest
}

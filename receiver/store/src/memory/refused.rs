//! What is remembered of refused requests.
use std::collections::{BTreeMap, HashMap, VecDeque};

use boathook_event::{ObjectName, Rejected};
use jiff::{SignedDuration, Timestamp};

use crate::{
    limits::{LIST_MAX, MEMORY_REJECTED_MAX, REJECTED_KEPT_MAX},
    traits::Retentions,
};

/// Of each endpoint the last ones, and of all of them so many.
#[derive(Debug, Default)]
pub(super) struct Refused {
    last: u64,
    all: BTreeMap<u64, Rejected>,
    by_endpoint: HashMap<ObjectName, VecDeque<u64>>,
}

impl Refused {
    pub(super) fn remember(&mut self, rejected: Rejected) {
        self.last += 1;
        let of_endpoint = self.by_endpoint.entry(rejected.endpoint.clone()).or_default();
        of_endpoint.push_back(self.last);
        let surplus = of_endpoint.front().copied().filter(|_| of_endpoint.len() > REJECTED_KEPT_MAX);
        self.all.insert(self.last, rejected);
        surplus.into_iter().for_each(|number| self.forget(number));
        if self.all.len() > MEMORY_REJECTED_MAX {
            self.all.keys().next().copied().into_iter().for_each(|number| self.forget(number));
        }
    }

    /// See [`crate::traits::Archive::rejections`].
    pub(super) fn list(
        &self,
        endpoint: Option<&ObjectName>,
        after: Option<u64>,
        limit: usize,
    ) -> Vec<(u64, Rejected)> {
        let limit = limit.min(LIST_MAX);
        let told = |number: &u64| Some((*number, self.all.get(number)?.clone()));
        let end = after.unwrap_or(u64::MAX);
        match endpoint {
            None => {
                self.all.range(..end).rev().take(limit).map(|(number, one)| (*number, one.clone())).collect()
            }
            Some(endpoint) => {
                let of_endpoint = self.by_endpoint.get(endpoint).into_iter().flatten().rev();
                of_endpoint.filter(|number| **number < end).take(limit).filter_map(told).collect()
            }
        }
    }

    /// Forgets those past their retention.
    pub(super) fn retain(&mut self, retentions: &Retentions, now: Timestamp) {
        let is_past = |(_, rejected): &(&u64, &Rejected)| {
            let kept = SignedDuration::try_from(retentions.of(&rejected.endpoint).rejected);
            now.duration_since(rejected.received_at) >= kept.unwrap_or(SignedDuration::MAX)
        };
        let past: Vec<u64> = self.all.iter().filter(is_past).map(|(number, _)| *number).collect();
        past.into_iter().for_each(|number| self.forget(number));
    }

    fn forget(&mut self, number: u64) {
        let Some(rejected) = self.all.remove(&number) else { return };
        if let Some(of_endpoint) = self.by_endpoint.get_mut(&rejected.endpoint) {
            of_endpoint.retain(|known| *known != number);
            if of_endpoint.is_empty() {
                self.by_endpoint.remove(&rejected.endpoint);
            }
        }
    }
}

//! What was counted since the start: one tally that is never written away.
use std::collections::HashMap;

use boathook_event::{Attempt, Count, EndpointTotals, Latencies, Next, ObjectName, SinkTotals, Word};
use jiff::Timestamp;

use crate::{
    oldest::Backlog,
    series::Hourly,
    tally::{RouteDelta, Tally},
    traits::{Hour, HourType, Series, Span},
};

/// Totals, and what happened hour by hour.
#[derive(Debug)]
pub(super) struct Counts {
    /// By their numbers.
    names: Vec<ObjectName>,
    numbers: HashMap<ObjectName, usize>,
    all: Tally<usize>,
}

impl Default for Counts {
    fn default() -> Self {
        let all = Tally::at(Hour::of(Timestamp::UNIX_EPOCH));
        Self { names: Vec::new(), numbers: HashMap::new(), all }
    }
}

impl Counts {
    /// What is counted from now on is of this time's hour.
    pub(super) fn turn(&mut self, now: Timestamp) {
        self.all.turn(Hour::of(now));
    }

    /// Forgets the hours before this one.
    pub(super) fn forget(&mut self, first_kept: Hour) {
        self.all.hours = self.all.hours.split_off(&first_kept);
    }

    /// An event has come.
    pub(super) fn stored(&mut self, endpoint: &ObjectName, event_type: Option<&str>, conflict: bool) {
        let endpoint = self.number(endpoint);
        self.all.stored_among_all(endpoint, event_type);
        if conflict {
            self.all.word(endpoint, Word::IdConflict, 1);
        }
    }

    /// An event is here no more.
    pub(super) fn gone(&mut self) {
        self.all.events -= 1;
    }

    /// A repetition has come.
    pub(super) fn repeated(&mut self, endpoint: &ObjectName) {
        let endpoint = self.number(endpoint);
        self.all.word(endpoint, Word::Duplicate, 1);
    }

    /// Adds so many of a word.
    pub(super) fn add(&mut self, Count { endpoint, word, by }: &Count) {
        let endpoint = self.number(endpoint);
        self.all.word(endpoint, *word, *by);
    }

    /// A delivery is put aside before anybody has tried it.
    pub(super) fn put_aside(&mut self, endpoint: &ObjectName, sink: &ObjectName) {
        let (endpoint, sink) = (self.number(endpoint), self.number(sink));
        self.all.put_aside(endpoint, sink);
    }

    /// An attempt has failed.
    pub(super) fn failed(&mut self, endpoint: &ObjectName, sink: &ObjectName) {
        let (endpoint, sink) = (self.number(endpoint), self.number(sink));
        self.all.failed(endpoint, sink);
    }

    /// A delivery has moved on.
    pub(super) fn moved(
        &mut self,
        endpoint: &ObjectName,
        sink: &ObjectName,
        attempt: Option<&Attempt>,
        next: &Next,
    ) {
        let (endpoint, sink) = (self.number(endpoint), self.number(sink));
        self.all.moved(endpoint, sink, attempt, next);
    }

    /// Totals of one endpoint's deliveries to one sink.
    pub(super) fn route(&mut self, endpoint: &ObjectName, sink: &ObjectName) -> &mut RouteDelta {
        let (endpoint, sink) = (self.number(endpoint), self.number(sink));
        self.all.route(endpoint, sink)
    }

    /// Events that are here.
    pub(super) fn events(&self) -> u64 {
        number(self.all.events)
    }

    /// By name.
    pub(super) fn endpoints(&self) -> Vec<EndpointTotals> {
        let mut totals: Vec<EndpointTotals> = Vec::new();
        for ((endpoint, word), of_word) in &self.all.words {
            let name = self.name(*endpoint);
            if totals.last().is_none_or(|last| last.endpoint != name) {
                let routes = self.all.routes.range((*endpoint, 0)..=(*endpoint, usize::MAX));
                let sum = |part: fn(&RouteDelta) -> i64| number(routes.clone().map(|(_, of)| part(of)).sum());
                totals.push(EndpointTotals {
                    endpoint: name,
                    words: [0; Word::ALL.len()],
                    delivered: sum(|of| of.delivered),
                    parked: sum(|of| of.parked),
                    skipped: sum(|of| of.skipped),
                    pending: sum(|of| of.pending),
                    erased: sum(|of| of.erased),
                });
            }
            let words = totals.last_mut().into_iter().flat_map(|last| Word::ALL.iter().zip(&mut last.words));
            words.filter(|(known, _)| *known == word).for_each(|(_, total)| *total = number(*of_word));
        }
        totals.sort_by(|one, other| one.endpoint.cmp(&other.endpoint));
        totals
    }

    /// By name.
    pub(super) fn sinks(&self) -> Vec<SinkTotals> {
        let mut totals: HashMap<usize, SinkTotals> = HashMap::new();
        for ((_, sink), of) in &self.all.routes {
            let RouteDelta { delivered, parked, skipped, pending, pending_bytes, failed_attempts, erased } =
                *of;
            let total = totals.entry(*sink).or_insert_with(|| SinkTotals::none_yet(self.name(*sink)));
            total.delivered += number(delivered);
            total.parked += number(parked);
            total.skipped += number(skipped);
            total.pending += number(pending);
            total.pending_bytes += number(pending_bytes);
            total.erased += number(erased);
            total.failed_attempts += number(failed_attempts);
        }
        let mut totals: Vec<SinkTotals> = totals.into_values().collect();
        totals.sort_by(|one, other| one.sink.cmp(&other.sink));
        totals
    }

    /// Which endpoints have something that waits for which sinks.
    pub(super) fn backlogs(&self) -> Vec<Backlog<&ObjectName>> {
        let waits = self.all.routes.iter().filter(|(_, of)| of.pending > 0);
        waits
            .map(|((endpoint, sink), _)| Backlog { sink: self.known(*sink), endpoint: self.known(*endpoint) })
            .collect()
    }

    /// See [`crate::traits::Archive::series`].
    pub(super) fn series(&self, span: &Span) -> Series {
        let mut series = Series::default();
        let hours = self.all.hours.range(span.first..);
        for (hour, hourly) in hours.take_while(|(hour, _)| **hour <= span.last) {
            let told = if span.apart { *hour } else { span.first };
            self.add_hour(span, told, hourly, &mut series);
        }
        series
    }

    fn add_hour(&self, span: &Span, hour: Hour, hourly: &Hourly<usize>, series: &mut Series) {
        let Hourly { words, types, ended, latencies } = hourly;
        let is = |wanted: &Option<ObjectName>, number: usize| {
            wanted.as_ref().is_none_or(|wanted| self.numbers.get(wanted) == Some(&number))
        };
        for ((endpoint, word), of) in words.iter().filter(|((endpoint, _), _)| is(&span.endpoint, *endpoint))
        {
            let told = series.words.entry((self.name(*endpoint), hour)).or_default();
            *told.entry(*word).or_default() += number(*of);
        }
        for ((endpoint, event_type), of) in types.iter().filter(|((of, _), _)| is(&span.endpoint, *of)) {
            let told = series.types.entry(self.name(*endpoint)).or_default();
            *told.entry(HourType::decode(event_type)).or_default() += number(*of);
        }
        for ((endpoint, sink), of) in ended {
            if is(&span.endpoint, *endpoint) && is(&span.sink, *sink) {
                let place = (self.name(*endpoint), self.name(*sink), hour);
                series.ended.entry(place).or_default().add(*of);
            }
        }
        for ((sink, bucket), of) in latencies.iter().filter(|((sink, _), _)| is(&span.sink, *sink)) {
            let told: &mut Latencies = series.latencies.entry((self.name(*sink), hour)).or_default();
            told.add(*bucket, number(*of));
        }
    }

    fn number(&mut self, name: &ObjectName) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len();
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), number);
        number
    }

    fn name(&self, number: usize) -> ObjectName {
        self.known(number).clone()
    }

    fn known(&self, number: usize) -> &ObjectName {
        self.names.get(number).expect("every number was given to a name, and names stay")
    }
}

/// A total is never below zero.
fn number(total: i64) -> u64 {
    total.max(0).unsigned_abs()
}

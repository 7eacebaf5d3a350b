//! What is done from time to time: counts to the store, floods to one line, old rates and old events away.
use std::{sync::Arc, time::Duration};

use boathook_store::{Reader, StoreHandle, traits::Retentions};
use boathook_table::RETENTION_DEFAULT;
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    ingress::Ingress,
    limits::{FORGET_SOURCES, LOOK_AT_BACKLOG, RETAIN, UPKEEP},
    traffic::EndpointTraffic,
};

/// Runs until it is dropped.
pub(crate) async fn run(ingress: Arc<Ingress>, reader: Reader) {
    let second = every(UPKEEP, || tell(&ingress));
    let sources = every(FORGET_SOURCES, || {
        ingress.live.load().endpoints().for_each(|served| served.gate.forget_idle());
    });
    let retention = async {
        let mut ticks = ticks(RETAIN);
        loop {
            ticks.tick().await;
            retain(&ingress, &reader).await;
        }
    };
    let backlog = async {
        let mut ticks = ticks(LOOK_AT_BACKLOG);
        loop {
            ticks.tick().await;
            look_at_backlog(&ingress, &reader).await;
        }
    };
    tokio::join!(second, sources, retention, backlog);
}

/// Hands over what was counted, and sums up what was not logged line by line.
pub(crate) fn tell(ingress: &Ingress) {
    let serving = ingress.live.load();
    let now = Timestamp::now();
    let tell = |traffic: &EndpointTraffic| {
        traffic.pulse.beat(now);
        flush(&ingress.store, traffic.take_untold().collect());
        remember(&ingress.store, traffic.take_refused());
        let held_back = traffic.refusals.take_held_back();
        if held_back > 0 {
            tracing::error!(endpoint = %traffic.name(), count = held_back, "refused: further requests, not logged one by one");
        }
    };
    serving.endpoints().for_each(|served| tell(&served.traffic));
    serving.settle(&ingress.metrics, tell);
    ingress.brought.settle(&ingress.live);
    for served in serving.sinks() {
        let held_back = served.traffic.failures.take_held_back();
        if held_back > 0 {
            tracing::warn!(sink = %served.settings.sink, count = held_back, "not delivered: further attempts, not logged one by one");
        }
    }
    let held_back = ingress.unrouted.take_held_back();
    if held_back > 0 {
        tracing::error!(
            count = held_back,
            "refused: further requests to URLs that no endpoint has, not logged one by one"
        );
    }
}

fn flush(store: &StoreHandle, counts: Vec<boathook_event::Count>) {
    if !counts.is_empty() {
        store.count(counts);
    }
}

fn remember(store: &StoreHandle, refused: Vec<boathook_event::Rejected>) {
    if !refused.is_empty() {
        store.reject(refused);
    }
}

async fn retain(ingress: &Ingress, reader: &Reader) {
    let serving = ingress.live.load_full();
    let endpoints = serving.endpoints().map(|served| &served.endpoint);
    let endpoints = endpoints.filter(|endpoint| endpoint.retention != RETENTION_DEFAULT);
    let retentions = Retentions {
        default: RETENTION_DEFAULT,
        endpoints: endpoints.map(|endpoint| (endpoint.name.clone(), endpoint.retention)).collect(),
    };
    match reader.retain(retentions, Timestamp::now()).await {
        Ok(0) => {}
        Ok(events) => tracing::info!(events, "deleted events past their retention"),
        Err(error) => tracing::warn!(%error, "cannot delete events past their retention; trying again later"),
    }
    match reader.keys_since(Timestamp::now()).await {
        Ok(since) => ingress.keys_since.set(since),
        Err(error) => {
            tracing::warn!(%error, "cannot read since when deduplication keys are known; trying again later")
        }
    }
}

/// Asks how much waits, where a sink has a bound for it.
async fn look_at_backlog(ingress: &Ingress, reader: &Reader) {
    let serving = ingress.live.load_full();
    let mut routes = serving.endpoints().flat_map(|served| &served.endpoint.sinks);
    if !routes.any(|route| route.backlog_bytes_max.is_some()) {
        return;
    }
    if let Err(error) = ingress.backlog.refresh(reader).await {
        tracing::warn!(%error, "cannot read how much waits for the sinks; trying again");
    }
}

async fn every(period: Duration, mut work: impl FnMut()) {
    let mut ticks = ticks(period);
    loop {
        ticks.tick().await;
        work();
    }
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

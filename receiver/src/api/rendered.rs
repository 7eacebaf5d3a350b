//! What sinks would get of an event.
use std::sync::Arc;

use boathook_api::{RenderQuery, RenderedDelivery, RenderedEvent};
use boathook_event::{Delivery, Event, ObjectName};
use boathook_sinks::{Rendered, Sending};
use boathook_store::traits::{Archived, ArchivedDelivery, DeliveryState};
use jiff::Timestamp;

use super::{Answered, Parts, archived, call::Call, json, no_sink, object};
use crate::serving::Serving;

impl Parts {
    pub(super) async fn render_event(&self, uid: &str, call: &Call) -> Answered {
        let RenderQuery { sink } = call.query()?;
        let sink = sink.map(|sink| object("sink", &sink)).transpose()?;
        let Archived { event, deliveries, .. } = self.event(uid).await?;
        let serving = self.live.load_full();
        if let Some(sink) = sink.as_ref().filter(|sink| serving.sink(sink).is_none()) {
            return Err(no_sink(sink));
        }
        // Of each sink the last delivery counts; they are told in their order.
        let mut sinks: Vec<(ObjectName, Option<ArchivedDelivery>)> = Vec::new();
        for delivery in deliveries {
            match sinks.iter_mut().find(|(known, _)| *known == delivery.sink) {
                Some((_, last)) => *last = Some(delivery),
                None => sinks.push((delivery.sink.clone(), Some(delivery))),
            }
        }
        if let Some(asked) = sink {
            sinks.retain(|(sink, _)| *sink == asked);
            if sinks.is_empty() {
                sinks.push((asked, None));
            }
        }
        let now = Timestamp::now();
        let of = |(sink, last): (ObjectName, Option<ArchivedDelivery>)| {
            rendered(&serving, &event, &sink, last.as_ref(), now)
        };
        json(&RenderedEvent {
            uid: event.uid.to_string(),
            key: event.key.as_deref().map(str::to_owned),
            deliveries: sinks.into_iter().map(of).collect(),
        })
    }
}

fn rendered(
    serving: &Serving,
    event: &Arc<Event>,
    sink: &ObjectName,
    last: Option<&ArchivedDelivery>,
    now: Timestamp,
) -> RenderedDelivery {
    let (attempts, replay) = match last {
        Some(ArchivedDelivery { state: DeliveryState::Pending, attempts, replay, .. }) => {
            (*attempts, *replay)
        }
        Some(ArchivedDelivery { state: DeliveryState::Delivered, replay, .. }) => {
            (0, replay.saturating_add(1))
        }
        Some(last) => (0, last.replay),
        None => (0, 0),
    };
    let attempt = attempts.saturating_add(1);
    let result = match serving.sink(sink) {
        Some(served) => {
            let (sink, event) = (sink.clone(), Arc::clone(event));
            let attributes = serving.attributes(&event.endpoint);
            let delivery =
                Delivery { seq: 0, sink, event, attempts, due: None, ordered: false, blocks: false, replay };
            let rendered = served.sink.render(&Sending { delivery, attempt, attributes }, now);
            rendered.map_err(|failure| failure.message.into_owned())
        }
        None => Err("the sink is not configured any more".to_owned()),
    };
    let state = last.map(|last| archived::state(last.state));
    let nothing = RenderedDelivery {
        sink: sink.to_string(),
        state,
        attempt,
        destination: None,
        headers: Vec::new(),
        body: None,
        error: None,
    };
    match result {
        Ok(Rendered { destination, headers, body }) => RenderedDelivery {
            destination: Some(destination),
            headers: archived::headers(&headers),
            body: Some(archived::body(&body)),
            ..nothing
        },
        Err(error) => RenderedDelivery { error: Some(error), ..nothing },
    }
}

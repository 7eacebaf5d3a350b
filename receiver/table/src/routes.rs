//! Where an endpoint's events go: the sinks that it names, and those that its selector means.
use std::{collections::BTreeMap, sync::Arc};

use boathook_crds::{OnParked, Ordering, Reason, SinkChoice, SinkSelector, WebhookEndpointSpec};
use boathook_event::{Filter, ObjectName, TypePatterns, limits::SINKS_PER_EVENT_MAX};

use crate::{Sink, attributes, problem::Problems};

/// One sink of an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkRoute {
    /// The sink.
    pub sink: ObjectName,
    /// Events of one key go there one after the other.
    pub ordered: bool,
    /// Those of a key wait behind one that was parked.
    pub blocks: bool,
    /// Bytes of bodies that may wait for the sink; `None` = no bound.
    pub backlog_bytes_max: Option<u64>,
    /// An event that goes there is delivered only once this sink has it.
    pub required: bool,
    /// Types that go there.
    pub(crate) types: [TypePatterns; 2],
    /// What the sink wants of them.
    pub(crate) filter: Option<Arc<Filter>>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) sinks: Vec<SinkRoute>,
    /// The selector means more than there may be.
    pub(crate) left_out: bool,
}

impl Routes {
    /// Those that are named, then those that are selected, by name and each once.
    pub(crate) fn of(
        spec: &WebhookEndpointSpec,
        sinks: &BTreeMap<ObjectName, Sink>,
        problems: &mut Problems<'_>,
    ) -> Self {
        let keyed = spec.events.as_ref().is_some_and(|events| events.key.is_some());
        let mut routes = Self::default();
        for (index, choice) in spec.delivery.sinks.iter().enumerate() {
            routes.name(choice, index, keyed, sinks, problems);
        }
        problems.at_most("spec.delivery.sinks", routes.sinks.len(), SINKS_PER_EVENT_MAX);
        let named = routes.sinks.iter().filter_map(|route| sinks.get(&route.sink));
        named.for_each(|sink| attributes::check(sink, &spec.attributes, problems));
        if let Some(selector) = &spec.delivery.sink_selector {
            routes.select(selector, keyed, sinks, problems);
        }
        routes
    }

    fn name(
        &mut self,
        choice: &SinkChoice,
        index: usize,
        keyed: bool,
        sinks: &BTreeMap<ObjectName, Sink>,
        problems: &mut Problems<'_>,
    ) {
        let field = format!("spec.delivery.sinks[{index}]");
        let name = ObjectName::new(problems.object.namespace(), &choice.name);
        let Some(sink) = sinks.get(&name) else {
            let message = format!("there is no usable WebhookSink {name}: create or correct it");
            problems.add(format!("{field}.name"), Reason::SinkMissing, message);
            return;
        };
        if self.has(&name) {
            let message = format!("{} is named twice", choice.name);
            problems.add(format!("{field}.name"), Reason::InvalidValue, message);
        }
        if choice.ordering == Some(Ordering::ByKey) && !keyed {
            let message = "needs a key: set events.key, or leave it out";
            problems.add(format!("{field}.ordering"), Reason::InvalidValue, message);
        }
        let ordered = keyed && choice.ordering != Some(Ordering::None);
        let blocks = choice.on_parked == Some(OnParked::Block);
        if blocks && !ordered {
            let message = "only a key can wait: set events.key and leave out `ordering: None`, or write Skip";
            problems.add(format!("{field}.onParked"), Reason::InvalidValue, message);
        }
        let required = choice.required.unwrap_or(true);
        let route = SinkRoute::to(sink, ordered, required, &choice.types);
        self.sinks.push(SinkRoute { blocks, ..route });
    }

    fn select(
        &mut self,
        selector: &SinkSelector,
        keyed: bool,
        sinks: &BTreeMap<ObjectName, Sink>,
        problems: &mut Problems<'_>,
    ) {
        if selector.match_labels.is_empty() {
            let message = "it names no label: write at least one";
            problems.add("spec.delivery.sinkSelector.matchLabels", Reason::InvalidValue, message);
        }
        let namespace = problems.object.namespace();
        let meant = |sink: &&Sink| {
            sink.name.namespace() == namespace
                && selector.selects(Some(&sink.labels))
                && !self.has(&sink.name)
        };
        let room = SINKS_PER_EVENT_MAX.saturating_sub(self.sinks.len());
        let meant: Vec<&Sink> = sinks.values().filter(meant).collect();
        self.left_out = meant.len() > room;
        self.sinks.extend(meant.into_iter().take(room).map(|sink| SinkRoute::to(sink, keyed, false, &[])));
    }

    fn has(&self, name: &ObjectName) -> bool {
        self.sinks.iter().any(|route| route.sink == *name)
    }
}

impl SinkRoute {
    fn to(sink: &Sink, ordered: bool, required: bool, types: &[String]) -> Self {
        let types = [TypePatterns::new(types), sink.types.clone()];
        Self {
            sink: sink.name.clone(),
            ordered,
            blocks: false,
            backlog_bytes_max: sink.backlog_bytes_max,
            required,
            types,
            filter: sink.filter.clone(),
        }
    }
}

//! What becomes of an event at its endpoint, and which sinks it goes to.
use boathook_crds::{Events, Mode, OnMismatch, UnknownTypes};
use boathook_event::{
    Destination, Filter, FilterFailure, Mismatch, ObjectName, ParkReason, Subject, TypePatterns,
};
use boathook_verify::Scheme;

use crate::{Endpoint, SinkRoute, filter, limits::TYPE_PATTERNS_MAX, problem::Problems, schemas::Schemas};

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// It is taken.
    Take(Taken),
    /// It is acknowledged and forgotten.
    Ignore(Ignored),
    /// Its type is not wanted, and the endpoint refuses such.
    RejectType,
    /// It does not fit its schema, and the endpoint refuses such.
    RejectBody(Mismatch),
}

/// An event that is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The sinks that want it.
    pub destinations: Vec<Destination>,
    /// Its deliveries are put aside at once, for this.
    pub parked: Option<ParkReason>,
    /// How it does not fit its schema.
    pub mismatch: Option<Mismatch>,
}

/// Why an event is acknowledged and forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Its type is not wanted.
    UnknownType,
    /// The endpoint's filter does not want it.
    Filtered,
}

/// A filter that could not be evaluated, so that the event counts as not wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unevaluated<'e> {
    /// The sink whose filter it is; `None` = the endpoint's.
    pub sink: Option<&'e ObjectName>,
    /// Why.
    pub why: FilterFailure,
}

/// By what an endpoint chooses.
#[derive(Debug)]
pub(crate) struct Choosing {
    types: TypePatterns,
    catalogue: TypePatterns,
    unknown_types: UnknownTypes,
    schemas: Schemas,
    filter: Option<Filter>,
    /// Nothing goes out.
    shadow: bool,
}

impl Choosing {
    pub(crate) fn compile(events: &Events, scheme: &Scheme, mode: Mode, problems: &mut Problems<'_>) -> Self {
        problems.at_most("spec.events.types", events.types.len(), TYPE_PATTERNS_MAX);
        let catalogue: Vec<&str> = scheme.catalogue.iter().map(|entry| &*entry.event_type).collect();
        Self {
            types: TypePatterns::new(&events.types),
            catalogue: TypePatterns::new(&catalogue),
            unknown_types: match (events.unknown_types, events.types.is_empty()) {
                (Some(written), _) => written,
                (None, true) => UnknownTypes::Accept,
                (None, false) => UnknownTypes::Ignore,
            },
            schemas: Schemas::compile(&events.schemas, problems),
            filter: filter::compile(events.filter.as_ref(), "spec.events.filter", problems),
            shadow: mode == Mode::Shadow,
        }
    }

    fn is_known(&self, event_type: Option<&str>) -> bool {
        if self.types.is_empty() { self.catalogue.matches(event_type) } else { self.types.lists(event_type) }
    }
}

impl Ignored {
    /// As it is written in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownType => "unknown_type",
            Self::Filtered => "filtered",
        }
    }
}

impl Endpoint {
    /// Decides: by type, by schema, by filter, and by what each sink wants. An event that no sink wants is taken all the same:
    /// it can be shown and replayed. One that is not `alone` in its request is not refused for its body, but put aside: the
    /// sender must not send the others again. `tell` hears of filters that could not be evaluated.
    pub fn choose<'e>(
        &'e self,
        subject: &Subject<'_>,
        alone: bool,
        mut tell: impl FnMut(Unevaluated<'e>),
    ) -> Choice {
        let event_type = subject.event().event_type.as_deref();
        let Choosing { unknown_types, schemas, filter, shadow, .. } = &self.choosing;
        match unknown_types {
            _ if self.choosing.is_known(event_type) => {}
            UnknownTypes::Accept => {}
            UnknownTypes::Ignore => return Choice::Ignore(Ignored::UnknownType),
            UnknownTypes::Reject => return Choice::RejectType,
        }
        let shadow = shadow.then_some(ParkReason::Shadow);
        let (mismatch, parked) = match schemas.mismatch(subject) {
            None => (None, shadow),
            Some((mismatch, OnMismatch::Reject)) if alone => return Choice::RejectBody(mismatch),
            Some((mismatch, OnMismatch::Report)) => (Some(mismatch), shadow),
            Some((mismatch, OnMismatch::Reject | OnMismatch::Park)) => {
                (Some(mismatch), Some(ParkReason::SchemaMismatch))
            }
        };
        let mut admits = |filter: Option<&Filter>, sink: Option<&'e ObjectName>| {
            let admitted = filter.map_or(Ok(true), |filter| filter.admits(subject));
            admitted.unwrap_or_else(|why| {
                tell(Unevaluated { sink, why });
                false
            })
        };
        if !admits(filter.as_ref(), None) {
            return Choice::Ignore(Ignored::Filtered);
        }
        let mut wants = |route: &&'e SinkRoute| {
            route.types.iter().all(|types| types.matches(event_type))
                && admits(route.filter.as_deref(), Some(&route.sink))
        };
        let destination = |route: &SinkRoute| Destination {
            sink: route.sink.clone(),
            ordered: route.ordered,
            blocks: route.blocks,
        };
        let destinations = self.sinks.iter().filter(|route| wants(route)).map(destination).collect();
        Choice::Take(Taken { destinations, parked, mismatch })
    }

    /// The type as a metrics label: the pattern that lists it, of the endpoint or else of the catalogue, or `other`. There
    /// are as many as are written, whatever senders send.
    pub fn type_label(&self, event_type: Option<&str>) -> &str {
        let Choosing { types, catalogue, .. } = &self.choosing;
        types.pattern(event_type).or_else(|| catalogue.pattern(event_type)).unwrap_or("other")
    }
}

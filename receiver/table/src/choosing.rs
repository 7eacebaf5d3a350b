//! What becomes of an event at its endpoint, and which sinks it goes to.
use boathook_crds::UnknownTypes;
use boathook_event::{Destination, Filter, FilterFailure, ObjectName, Subject};

use crate::{Endpoint, SinkRoute};

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// It is taken, for these sinks.
    Take(Vec<Destination>),
    /// It is acknowledged and forgotten.
    Ignore(Ignored),
    /// It is refused.
    Reject,
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
    /// Decides: by type, then by filter, then by what each sink wants. An event that no sink wants is taken all the same: it
    /// can be shown and replayed. `tell` hears of filters that could not be evaluated.
    pub fn choose<'e>(&'e self, subject: &Subject<'_>, mut tell: impl FnMut(Unevaluated<'e>)) -> Choice {
        let event_type = subject.event().event_type.as_deref();
        match self.unknown_types {
            _ if self.is_known(event_type) => {}
            UnknownTypes::Accept => {}
            UnknownTypes::Ignore => return Choice::Ignore(Ignored::UnknownType),
            UnknownTypes::Reject => return Choice::Reject,
        }
        let mut admits = |filter: Option<&Filter>, sink: Option<&'e ObjectName>| {
            let admitted = filter.map_or(Ok(true), |filter| filter.admits(subject));
            admitted.unwrap_or_else(|why| {
                tell(Unevaluated { sink, why });
                false
            })
        };
        if !admits(self.filter.as_ref(), None) {
            return Choice::Ignore(Ignored::Filtered);
        }
        let mut wants = |route: &&'e SinkRoute| {
            route.types.iter().all(|types| types.matches(event_type))
                && admits(route.filter.as_deref(), Some(&route.sink))
        };
        let destination =
            |route: &SinkRoute| Destination { sink: route.sink.clone(), ordered: route.ordered };
        Choice::Take(self.sinks.iter().filter(|route| wants(route)).map(destination).collect())
    }

    fn is_known(&self, event_type: Option<&str>) -> bool {
        if self.types.is_empty() { self.catalogue.matches(event_type) } else { self.types.lists(event_type) }
    }
}

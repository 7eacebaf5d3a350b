//! The data API of a receiver: what goes over the wire, for the receiver that answers and for whoever asks.
//!
//! The types are the source: [`openapi`] makes `openapi.json` from them and from [`ROUTES`].
mod erasure;
mod event;
mod job;
mod openapi;
mod problem;
mod rendered;
mod replay;
mod routes;
mod standing;
mod statistics;

pub use erasure::{Erasure, ErasureRequest};
pub use event::{
    Body, Delivery, DeliveryState, Event, EventPage, EventQuery, EventSummary, FailedAttempt, Header, Order,
};
pub use job::JobState;
pub use openapi::{OPENAPI_FILE, openapi};
pub use problem::{Code, Problem, ProblemBody};
pub use rendered::{RenderQuery, RenderedDelivery, RenderedEvent};
pub use replay::{Armed, EventReplay, Replay, ReplayRequest, SinkTest, TestOutcome};
pub use routes::{ROUTES, Role, Route};
pub use standing::{Endpoint, Endpoints, Rejection, RejectionPage, RejectionQuery, Sink, Sinks};
pub use statistics::{
    Ended, EndpointHour, EndpointStatistics, Latency, SinkHour, SinkShare, SinkStatistics, Statistics,
    StatisticsQuery,
};

//! The routes: one entry each, from which `openapi.json` is made.
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{
    Armed, Endpoints, Erasure, ErasureRequest, Event, EventPage, EventQuery, EventReplay, RejectionPage,
    RejectionQuery, RenderQuery, RenderedEvent, Replay, ReplayRequest, SinkTest, Sinks, Statistics,
    StatisticsQuery, TestOutcome,
};

/// What a token must be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It may read.
    View,
    /// It may read and act.
    Operate,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The HTTP method.
    pub method: &'static str,
    /// The path; `{name}` is any segment, and its value is percent-encoded.
    pub path: &'static str,
    /// What it is called in clients that are generated.
    pub operation: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Who may call it.
    pub role: Role,
    /// The type whose members the query may have.
    pub(crate) query: Option<Shape>,
    /// The type of the body, which may be left out.
    pub(crate) body: Option<Shape>,
    /// The status of success, and the type of its body.
    pub(crate) success: (u16, Option<Shape>),
}

impl Route {
    /// Whether a path of these segments, percent-decoded, is this route's.
    pub fn has_path(&self, segments: &[&str]) -> bool {
        let mut path = self.path.split('/').skip(1);
        let fits = |segment: &&str| path.next().is_some_and(|part| part.starts_with('{') || part == *segment);
        segments.iter().all(fits) && path.next().is_none()
    }
}

/// The schema of a type.
pub(crate) type Shape = fn(&mut SchemaGenerator) -> Schema;

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn view(
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
    query: Option<Shape>,
    answer: Shape,
) -> Route {
    let success = (200, Some(answer));
    Route { method: "GET", path, operation, summary, role: Role::View, query, body: None, success }
}

const fn act(
    method: &'static str,
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
    body: Option<Shape>,
    success: (u16, Option<Shape>),
) -> Route {
    Route { method, path, operation, summary, role: Role::Operate, query: None, body, success }
}

/// Every route.
pub const ROUTES: [Route; 16] = [
    view("/v1/events", "listEvents", "List events, page by page.", Some(of::<EventQuery>), of::<EventPage>),
    view(
        "/v1/events/{uid}",
        "showEvent",
        "Show one event with headers, body, deliveries and failed attempts.",
        None,
        of::<Event>,
    ),
    Route {
        role: Role::Operate,
        ..view(
            "/v1/events/{uid}/rendered",
            "renderEvent",
            "Show what each sink would get of an event now: URL, headers, body. Nothing is sent.",
            Some(of::<RenderQuery>),
            of::<RenderedEvent>,
        )
    },
    act(
        "DELETE",
        "/v1/events/{uid}",
        "eraseEvent",
        "Overwrite and delete an event's body and headers at once. An attempt that is under way may still arrive. \
         Repetitions of it go on being known.",
        None,
        (204, None),
    ),
    act(
        "POST",
        "/v1/events/{uid}/replay",
        "replayEvent",
        "Deliver one event again, with the configuration of now.",
        Some(of::<EventReplay>),
        (200, Some(of::<Armed>)),
    ),
    act(
        "POST",
        "/v1/replays",
        "startReplay",
        "Deliver again what a filter finds, or count it.",
        Some(of::<ReplayRequest>),
        (201, Some(of::<Replay>)),
    ),
    view("/v1/replays/{id}", "showReplay", "How far a replay is.", None, of::<Replay>),
    act(
        "DELETE",
        "/v1/replays/{id}",
        "cancelReplay",
        "Cancel a replay; what it has made pending goes on.",
        None,
        (200, Some(of::<Replay>)),
    ),
    act(
        "POST",
        "/v1/erasures",
        "startErasure",
        "Erase the events of an endpoint in which a template has some value, or count them. Repetitions of them go on being \
         known, and what was counted stays counted.",
        Some(of::<ErasureRequest>),
        (201, Some(of::<Erasure>)),
    ),
    view("/v1/erasures/{id}", "showErasure", "How far an erasure is.", None, of::<Erasure>),
    act(
        "DELETE",
        "/v1/erasures/{id}",
        "cancelErasure",
        "Cancel an erasure; what it has erased is gone.",
        None,
        (200, Some(of::<Erasure>)),
    ),
    view("/v1/endpoints", "listEndpoints", "How the endpoints stand.", None, of::<Endpoints>),
    view("/v1/sinks", "listSinks", "How the sinks stand.", None, of::<Sinks>),
    view(
        "/v1/statistics",
        "showStatistics",
        "What happened, hour by hour: counts by outcome and type, success rates, how long sinks took.",
        Some(of::<StatisticsQuery>),
        of::<Statistics>,
    ),
    act(
        "POST",
        "/v1/sinks/{namespace}/{name}/test",
        "testSink",
        "Send a test to a sink, once, and say how it ended.",
        Some(of::<SinkTest>),
        (200, Some(of::<TestOutcome>)),
    ),
    view(
        "/v1/rejections",
        "listRejections",
        "List requests that were refused, with what would explain it.",
        Some(of::<RejectionQuery>),
        of::<RejectionPage>,
    ),
];

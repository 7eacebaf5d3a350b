//! From the table's sinks to drivers.
use std::{collections::HashMap, sync::Arc};

use boathook_crds::{BodyField, Reason};
use boathook_event::ObjectName;
use boathook_sinks::{
    BodySpec, FieldSpec, HeaderContent, HeaderSpec, HttpSpec, Registry, Secret, Sink, SinkSpec,
};
use boathook_table::{self as table, Kind, Problem, Target};

/// Drivers by the names of their sinks.
pub(super) type Drivers = HashMap<ObjectName, Arc<dyn Sink>>;

/// Makes a driver for each sink; tells, by field, of those that cannot be made.
pub(super) fn drivers<'t>(
    sinks: impl Iterator<Item = &'t table::Sink>,
    registry: &Registry,
) -> (Drivers, Vec<Problem>) {
    let (mut drivers, mut problems) = (Drivers::new(), Vec::new());
    for sink in sinks {
        match registry.build(&sink.name, &spec(sink)) {
            Ok(driver) => drop(drivers.insert(sink.name.clone(), driver)),
            Err(error) => problems.push(Problem {
                kind: Kind::Sink,
                object: sink.name.clone(),
                field: format!("spec.{}", error.field),
                reason: Reason::InvalidValue,
                message: error.message,
            }),
        }
    }
    (drivers, problems)
}

fn spec(sink: &table::Sink) -> SinkSpec {
    let body = body(&sink.body);
    match &sink.target {
        Target::Log => SinkSpec::Log(body),
        Target::Http { url, headers, timeout, body_bytes_max } => SinkSpec::Http(HttpSpec {
            url: url.clone(),
            headers: headers.iter().map(header).collect(),
            timeout: *timeout,
            body,
            body_bytes_max: *body_bytes_max,
        }),
    }
}

fn body(body: &table::Body) -> BodySpec {
    let field =
        |BodyField { name, value }: &BodyField| FieldSpec { name: name.clone(), value: value.clone() };
    match body {
        table::Body::Raw => BodySpec::Raw,
        table::Body::CloudEvents => BodySpec::CloudEvents,
        table::Body::Envelope => BodySpec::Envelope,
        table::Body::Fields(fields) => BodySpec::Fields(fields.iter().map(field).collect()),
    }
}

fn header(header: &table::Header) -> HeaderSpec {
    let value = match &header.content {
        table::HeaderContent::Template(text) => HeaderContent::Template(text.clone()),
        table::HeaderContent::Secret(bytes) => HeaderContent::Secret(Secret::new(bytes.to_vec())),
    };
    HeaderSpec { name: header.name.clone(), value }
}

//! From the table's sinks to drivers.
use std::{collections::HashMap, sync::Arc};

use boathook_crds::Reason;
use boathook_event::ObjectName;
use boathook_sinks::{HeaderContent, HeaderSpec, HttpSpec, Registry, Secret, Sink, SinkSpec};
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
        match registry.build(&sink.name, &spec(&sink.target)) {
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

fn spec(target: &Target) -> SinkSpec {
    match target {
        Target::Log => SinkSpec::Log,
        Target::Http { url, headers, timeout } => SinkSpec::Http(HttpSpec {
            url: url.clone(),
            headers: headers.iter().map(header).collect(),
            timeout: *timeout,
        }),
    }
}

fn header(header: &table::Header) -> HeaderSpec {
    let value = match &header.content {
        table::HeaderContent::Template(text) => HeaderContent::Template(text.clone()),
        table::HeaderContent::Secret(bytes) => HeaderContent::Secret(Secret::new(bytes.to_vec())),
    };
    HeaderSpec { name: header.name.clone(), value }
}

//! What is wrong with an object, and where.
use std::fmt;

use boathook_crds::Reason;
use boathook_event::ObjectName;

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A WebhookEndpoint.
    Endpoint,
    /// A WebhookSink.
    Sink,
}

/// One thing that a person must change before the object is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The kind of the object.
    pub kind: Kind,
    /// The object.
    pub object: ObjectName,
    /// The field, as a path such as `spec.secrets[0].key`.
    pub field: String,
    /// Why.
    pub reason: Reason,
    /// What is wrong and what to do, in one sentence; no secret.
    pub message: String,
}

impl Kind {
    /// As documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "WebhookEndpoint",
            Self::Sink => "WebhookSink",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, object, field, reason, message } = self;
        write!(f, "{} {object}: {field}: {message} ({})", kind.as_str(), reason.as_str())
    }
}

/// Collects the problems of one object.
pub(crate) struct Problems<'p> {
    pub(crate) kind: Kind,
    pub(crate) object: &'p ObjectName,
    pub(crate) found: Vec<Problem>,
}

impl Problems<'_> {
    pub(crate) fn add(&mut self, field: impl Into<String>, reason: Reason, message: impl Into<String>) {
        self.found.push(Problem {
            kind: self.kind,
            object: self.object.clone(),
            field: field.into(),
            reason,
            message: message.into(),
        });
    }

    pub(crate) fn within<T: PartialOrd + Copy + fmt::Display>(
        &mut self,
        field: &str,
        value: T,
        range: core::ops::RangeInclusive<T>,
    ) {
        if !range.contains(&value) {
            let message = format!("{value} is not between {} and {}", range.start(), range.end());
            self.add(field, Reason::InvalidValue, message);
        }
    }

    /// Keeps the value, or the problem that there is none.
    pub(crate) fn at_most<T: PartialOrd + Copy + fmt::Debug>(&mut self, field: &str, value: T, max: T) -> T {
        if value > max {
            self.add(field, Reason::InvalidValue, format!("{value:?} is more than {max:?}"));
        }
        value
    }
}

//! Choosing by what an event says: rules over its body, or one CEL expression. Compiled once, evaluated in bounded time.
mod cel_check;
mod cel_filter;
mod cel_values;
mod rules;

use std::borrow::Cow;

pub use self::rules::{Operator, RuleSpec};
use self::{cel_filter::CelFilter, rules::Rules};
use crate::{Subject, limits::FILTER_MESSAGE_BYTES_MAX};

/// A filter as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterSpec {
    /// All of these rules hold.
    Match(Vec<RuleSpec>),
    /// This CEL expression is true.
    Cel(String),
}

/// A filter, compiled. Two are equal where they are written alike.
#[derive(Debug)]
pub struct Filter {
    spec: FilterSpec,
    compiled: Compiled,
}

#[derive(Debug)]
enum Compiled {
    Rules(Rules),
    Cel(Box<CelFilter>),
}

/// What is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FilterError {
    /// The member, as a path from the filter such as `match[1].value`.
    pub field: String,
    /// What is wrong, where in the text, and what to write.
    pub message: String,
}

/// A filter could not be evaluated for an event, which is then not wanted. At most
/// [`FILTER_MESSAGE_BYTES_MAX`] bytes; it names members and kinds of values, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterFailure(pub Cow<'static, str>);

impl Filter {
    /// Compiles.
    ///
    /// # Errors
    /// The first mistake.
    pub fn compile(spec: FilterSpec) -> Result<Self, FilterError> {
        let compiled = match &spec {
            FilterSpec::Match(rules) => Compiled::Rules(Rules::compile(rules)?),
            FilterSpec::Cel(text) => {
                let told = |message| FilterError { field: "cel".into(), message };
                Compiled::Cel(Box::new(CelFilter::compile(text).map_err(told)?))
            }
        };
        Ok(Self { spec, compiled })
    }

    /// Whether the event is wanted.
    ///
    /// # Errors
    /// It cannot be said: a CEL expression asks for what is not there, or would take too long. Rules always say.
    pub fn admits(&self, subject: &Subject<'_>) -> Result<bool, FilterFailure> {
        match &self.compiled {
            Compiled::Rules(rules) => Ok(rules.hold(subject.body())),
            Compiled::Cel(filter) => filter.admits(subject),
        }
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

/// The message, cut at a character so that a status and a log line can hold it.
fn clipped(mut message: String) -> String {
    message.truncate(message.floor_char_boundary(FILTER_MESSAGE_BYTES_MAX));
    message
}

//! A filter as the API writes it, compiled.
use boathook_crds::{EventFilter, MatchOperator, MatchRule, Reason};
use boathook_event::{Filter, FilterError, FilterSpec, Operator, RuleSpec};

use crate::problem::Problems;

/// Compiles the filter that stands at `field`; a mistake becomes a problem.
pub(crate) fn compile(
    written: Option<&EventFilter>,
    field: &str,
    problems: &mut Problems<'_>,
) -> Option<Filter> {
    let EventFilter { rules, cel } = written?;
    let spec = match (rules.is_empty(), cel) {
        (false, None) => FilterSpec::Match(rules.iter().map(rule).collect()),
        (true, Some(text)) => FilterSpec::Cel(text.clone()),
        _ => {
            problems.add(field, Reason::InvalidValue, "exactly one of match and cel must be set");
            return None;
        }
    };
    match Filter::compile(spec) {
        Ok(filter) => Some(filter),
        Err(FilterError { field: member, message }) => {
            problems.add(format!("{field}.{member}"), Reason::InvalidFilter, message);
            None
        }
    }
}

fn rule(MatchRule { field, operator, value }: &MatchRule) -> RuleSpec {
    let operator = match operator {
        MatchOperator::Equals => Operator::Equals,
        MatchOperator::NotEquals => Operator::NotEquals,
        MatchOperator::Contains => Operator::Contains,
        MatchOperator::GreaterThan => Operator::GreaterThan,
        MatchOperator::LessThan => Operator::LessThan,
        MatchOperator::In => Operator::In,
        MatchOperator::Regex => Operator::Regex,
        MatchOperator::Exists => Operator::Exists,
    };
    RuleSpec { field: field.clone(), operator, value: value.clone() }
}

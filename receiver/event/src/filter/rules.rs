//! `match`: rules over the values of a body.
use boathook_template::Pointers;
use jiff::Timestamp;
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::{FilterError, clipped};
use crate::limits::{REGEX_BYTES_MAX, REGEX_COMPILED_BYTES_MAX, RULES_MAX};

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// It is the value; numbers by what they are worth.
    Equals,
    /// It is not, or is missing.
    NotEquals,
    /// A text has this part, a list this item.
    Contains,
    /// A number or a time beyond.
    GreaterThan,
    /// A number or a time before.
    LessThan,
    /// One of a list.
    In,
    /// A text in which the expression is found.
    Regex,
    /// It is there, or with `false` it is not.
    Exists,
}

/// One rule as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// A JSON pointer, or members with dots between them.
    pub field: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: Option<Value>,
}

/// Rules, all of which must hold.
#[derive(Debug)]
pub(super) struct Rules(Box<[Rule]>);

#[derive(Debug)]
struct Rule {
    /// As a pointer (RFC 6901).
    pointer: String,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Is(Value),
    IsNot(Value),
    Contains(Value),
    Beyond(Limit),
    Before(Limit),
    OneOf(Vec<Value>),
    Finds(Regex),
    IsThere(bool),
}

/// What numbers or times are compared with.
#[derive(Debug)]
enum Limit {
    Number(f64),
    Time(Timestamp),
}

impl Rules {
    pub(super) fn compile(specs: &[RuleSpec]) -> Result<Self, FilterError> {
        if specs.is_empty() || specs.len() > RULES_MAX {
            let message = format!("there are {} rules: write 1 to {RULES_MAX}", specs.len());
            return Err(FilterError { field: "match".into(), message });
        }
        let rule = |(index, RuleSpec { field, operator, value }): (usize, &RuleSpec)| {
            let told = |member: &str, message: String| FilterError {
                field: format!("match[{index}].{member}"),
                message: clipped(message),
            };
            Ok(Rule {
                pointer: pointer(field).map_err(|message| told("field", message))?,
                test: Test::compile(*operator, value.as_ref()).map_err(|message| told("value", message))?,
            })
        };
        specs.iter().enumerate().map(rule).collect::<Result<_, _>>().map(Self)
    }

    /// Whether all hold. A body that is no JSON has no values.
    pub(super) fn hold(&self, body: Option<&Value>) -> bool {
        self.0.iter().all(|rule| {
            let value = body.and_then(|body| body.pointer(&rule.pointer));
            rule.test.holds(value.filter(|value| !value.is_null()))
        })
    }
}

impl Test {
    fn compile(operator: Operator, value: Option<&Value>) -> Result<Self, String> {
        let some = || value.cloned().ok_or_else(|| "it is missing: write what to compare with".to_owned());
        Ok(match operator {
            Operator::Equals => Self::Is(some()?),
            Operator::NotEquals => Self::IsNot(some()?),
            Operator::Contains => Self::Contains(some()?),
            Operator::GreaterThan => Self::Beyond(Limit::read(&some()?)?),
            Operator::LessThan => Self::Before(Limit::read(&some()?)?),
            Operator::In => match some()? {
                Value::Array(values) => Self::OneOf(values),
                _ => return Err("In takes a list: write [a, b]".into()),
            },
            Operator::Regex => match some()? {
                Value::String(text) => Self::Finds(regex(&text)?),
                _ => return Err("Regex takes a text".into()),
            },
            Operator::Exists => match value {
                None => Self::IsThere(true),
                Some(Value::Bool(wanted)) => Self::IsThere(*wanted),
                Some(_) => return Err("Exists takes true or false, or nothing".into()),
            },
        })
    }

    /// `None` = missing.
    fn holds(&self, found: Option<&Value>) -> bool {
        let Some(found) = found else {
            return matches!(self, Self::IsNot(_) | Self::IsThere(false));
        };
        match self {
            Self::Is(value) => same(found, value),
            Self::IsNot(value) => !same(found, value),
            Self::Contains(part) => match (found, part) {
                (Value::String(text), Value::String(part)) => text.contains(&**part),
                (Value::Array(items), item) => items.iter().any(|found| same(found, item)),
                _ => false,
            },
            Self::Beyond(limit) => limit.compare(found).is_some_and(core::cmp::Ordering::is_gt),
            Self::Before(limit) => limit.compare(found).is_some_and(core::cmp::Ordering::is_lt),
            Self::OneOf(values) => values.iter().any(|value| same(found, value)),
            Self::Finds(regex) => found.as_str().is_some_and(|text| regex.is_match(text)),
            Self::IsThere(wanted) => *wanted,
        }
    }
}

impl Limit {
    fn read(value: &Value) -> Result<Self, String> {
        let time = |text: &str| text.parse().ok().map(Self::Time);
        value.as_f64().map(Self::Number).or_else(|| value.as_str().and_then(time)).ok_or_else(|| {
            "it is neither a number nor a time: write 10 or \"2026-01-31T00:00:00Z\"".to_owned()
        })
    }

    /// How what was found stands to the limit; `None` where it is of another kind.
    fn compare(&self, found: &Value) -> Option<core::cmp::Ordering> {
        match self {
            Self::Number(limit) => found.as_f64()?.partial_cmp(limit),
            Self::Time(limit) => Some(found.as_str()?.parse::<Timestamp>().ok()?.cmp(limit)),
        }
    }
}

/// Compiles a regular expression under its bounds: unanchored, in linear time.
pub(super) fn regex(text: &str) -> Result<Regex, String> {
    if text.len() > REGEX_BYTES_MAX {
        return Err(format!("a regular expression has at most {REGEX_BYTES_MAX} bytes: shorten it"));
    }
    let compiled = RegexBuilder::new(text)
        .size_limit(REGEX_COMPILED_BYTES_MAX)
        .dfa_size_limit(REGEX_COMPILED_BYTES_MAX)
        .build();
    // Its text is a drawing over several lines, of which the last says what is wrong.
    compiled.map_err(|error| {
        let told = error.to_string();
        let last = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("no regular expression: {last}")
    })
}

/// The field as a pointer; members with dots between them become one.
fn pointer(field: &str) -> Result<String, String> {
    let pointer = match field.starts_with('/') || field.is_empty() {
        true => field.to_owned(),
        false => field.split('.').fold(String::new(), |pointer, member| {
            pointer + "/" + &member.replace('~', "~0").replace('/', "~1")
        }),
    };
    let empty = field.is_empty() || (!field.starts_with('/') && field.split('.').any(str::is_empty));
    if empty {
        return Err("it names nothing: write a pointer such as /data/priority, or data.priority".into());
    }
    Pointers::default().slot(&pointer).map_err(|error| error.to_string())?;
    Ok(pointer)
}

/// Whether two values are the same; numbers by what they are worth, so that `1` is `1.0`.
fn same(found: &Value, value: &Value) -> bool {
    match (found, value) {
        (Value::Number(a), Value::Number(b)) if a != b => match (a.as_f64(), b.as_f64()) {
            // Beyond 2^53 different integers have one and the same float.
            _ if a.is_f64() == b.is_f64() => false,
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => found == value,
    }
}

//! Bodies held against a JSON Schema: which members are missing, which are not what they should be.
use std::{borrow::Cow, fmt};

use jsonschema::{PatternOptions, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use crate::{
    Subject,
    limits::{
        FAULT_FIELD_BYTES_MAX, FAULTS_MAX, REGEX_COMPILED_BYTES_MAX, SCHEMA_BYTES_MAX,
        SCHEMA_FAULTS_BODY_BYTES_MAX,
    },
};

/// A JSON Schema, compiled. Formats are asserted, patterns take linear time, and no reference leads out of it.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    /// The members that the schema requires, in its order: the first faults are told of these.
    required: Vec<String>,
}

/// A body that does not fit; at least one fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The first [`FAULTS_MAX`], those of required members first, in the order in which the schema requires them, then by name.
    pub faults: Vec<Fault>,
}

/// One member that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The member, as its way from the top with dots, `customer.email`; letters, digits and `_.-` only. Empty = the whole body.
    pub field: String,
    /// It is not there; else it is there and wrong.
    pub missing: bool,
}

impl Schema {
    /// Compiles; of no draft that it names, draft 2020-12.
    ///
    /// # Errors
    /// It is larger than [`SCHEMA_BYTES_MAX`], no schema, or refers to another document.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        let bytes = schema.to_string().len();
        if bytes > SCHEMA_BYTES_MAX {
            return Err(format!("a schema has at most {SCHEMA_BYTES_MAX} bytes, this one {bytes}"));
        }
        let patterns = PatternOptions::regex()
            .size_limit(REGEX_COMPILED_BYTES_MAX)
            .dfa_size_limit(REGEX_COMPILED_BYTES_MAX);
        let options = jsonschema::options().should_validate_formats(true).with_pattern_options(patterns);
        let validator = options.offline().build(schema).map_err(|error| {
            let at = error.instance_path().as_str();
            let mut message = error.to_string();
            message.truncate(message.floor_char_boundary(crate::limits::FILTER_MESSAGE_BYTES_MAX));
            if at.is_empty() { message } else { format!("{message} (at {at})") }
        })?;
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let required = required.filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { validator, required })
    }

    /// Holds the body against the schema. A body that is no JSON is wrong as a whole. Of one larger than
    /// [`SCHEMA_FAULTS_BODY_BYTES_MAX`] one fault is told.
    ///
    /// # Errors
    /// It does not fit.
    pub fn check(&self, subject: &Subject<'_>) -> Result<(), Mismatch> {
        let Some(body) = subject.body() else {
            return Err(Mismatch { faults: vec![Fault { field: String::new(), missing: false }] });
        };
        if self.validator.is_valid(body) {
            return Ok(());
        }
        let mut faults: Vec<Fault> = match subject.bytes() > SCHEMA_FAULTS_BODY_BYTES_MAX {
            true => self.validator.validate(body).err().iter().map(fault).collect(),
            false => self.validator.iter_errors(body).map(|error| fault(&error)).collect(),
        };
        faults.sort_by_cached_key(|fault| (self.place(fault), fault.clone()));
        faults.dedup();
        faults.truncate(FAULTS_MAX);
        Err(Mismatch { faults })
    }

    /// Where a fault's first step stands among the required members; behind them all if it is none.
    fn place(&self, fault: &Fault) -> usize {
        let first = fault.field.split('.').next().unwrap_or_default();
        self.required.iter().position(|name| name == first).unwrap_or(self.required.len())
    }
}

impl Mismatch {
    /// `missing_<field>` or `invalid_<field>` of the first fault, as senders are told; `invalid_body` for the whole body.
    pub fn code(&self) -> Cow<'static, str> {
        match self.faults.first() {
            Some(Fault { field, missing }) if !field.is_empty() => {
                format!("{}_{field}", if *missing { "missing" } else { "invalid" }).into()
            }
            _ => "invalid_body".into(),
        }
    }

    /// Whether the first fault is a member that is missing.
    pub fn is_missing(&self) -> bool {
        self.faults.first().is_some_and(|fault| fault.missing)
    }
}

/// All that is wrong, in one sentence without values.
impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body does not fit: ")?;
        for (index, Fault { field, missing }) in self.faults.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let field = if field.is_empty() { "the whole of it" } else { field };
            write!(f, "{comma}{field} is {}", if *missing { "missing" } else { "not valid" })?;
        }
        Ok(())
    }
}

fn fault(error: &ValidationError<'_>) -> Fault {
    let way = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            Fault { field: field(way, property.as_str()), missing: true }
        }
        _ => Fault { field: field(way, None), missing: false },
    }
}

/// A pointer and a member below it as a way with dots, in characters that any log and header can carry.
fn field(way: &str, member: Option<&str>) -> String {
    let way = way.trim_start_matches('/');
    let mut field = match (way.is_empty(), member) {
        (false, Some(member)) => format!("{way}/{member}"),
        (_, member) => member.unwrap_or(way).to_owned(),
    };
    field.truncate(field.floor_char_boundary(FAULT_FIELD_BYTES_MAX));
    let plain = |c: char| match c {
        '/' => '.',
        c if c.is_ascii_alphanumeric() || "_.-".contains(c) => c,
        _ => '_',
    };
    field.chars().map(plain).collect()
}

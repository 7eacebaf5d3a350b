//! A CEL expression that says whether an event is wanted, evaluated within a budget.
use std::{
    borrow::Cow,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use cel::{
    Context, Env, ExecutionError, Value,
    common::value::{CowVal, Val},
    context::VariableResolver,
    extractors::This,
};

use super::{
    FilterFailure,
    cel_check::{BODY, Checked, EVENT, check},
    cel_values::{body_value, event_value},
    clipped,
};
use crate::{
    Subject,
    limits::{CEL_BODY_BYTES_MAX, CEL_STEPS_MAX, CEL_TOUCHED_BYTES_MAX},
};

/// The functions and macros of CEL, without its optional values.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A checked expression.
#[derive(Debug)]
pub(super) struct CelFilter(Arc<Checked>);

impl CelFilter {
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        check(text, &ENV).map(|checked| Self(Arc::new(checked)))
    }

    pub(super) fn admits(&self, subject: &Subject<'_>) -> Result<bool, FilterFailure> {
        let Self(checked) = self;
        let failed = |why: &'static str| FilterFailure(Cow::Borrowed(why));
        let mut variables = Variables { event: None, body: None, touched: AtomicUsize::new(0) };
        let mut values = 0;
        if checked.uses_body {
            if subject.bytes() > CEL_BODY_BYTES_MAX {
                return Err(failed("the body is larger than 1 MiB, which no expression looks at"));
            }
            let body = subject.body().ok_or_else(|| failed("the body is no JSON with values"))?;
            variables.body = Some((body_value(body, &mut values), subject.bytes()));
        }
        let (event, bytes) = event_value(subject.event(), checked.uses_headers);
        variables.event = Some((event, bytes));
        if checked.loop_nodes.saturating_mul(values.max(1)) > CEL_STEPS_MAX {
            return Err(failed("the body has too many values for the loops of the expression"));
        }
        self.evaluate(&variables)
    }

    fn evaluate(&self, variables: &Variables<'_>) -> Result<bool, FilterFailure> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.set_variable_resolver(variables);
        let checked = Arc::clone(&self.0);
        let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
            checked.patterns.get(&**pattern).is_some_and(|regex| regex.is_match(&text))
        };
        let added = context.add_function("matches", matches);
        debug_assert!(added.is_ok(), "the crate's own `matches` is left out by its features");
        let result = Value::resolve(&self.0.expression, &context);
        if variables.touched.load(Relaxed) > CEL_TOUCHED_BYTES_MAX {
            return Err(FilterFailure("the expression looks through too much of the body".into()));
        }
        match result {
            Ok(Value::Bool(wanted)) => Ok(wanted),
            Ok(_) => Err(FilterFailure("the expression is neither true nor false".into())),
            Err(error) => Err(FilterFailure(told(&error))),
        }
    }
}

/// A variable's value and its size in bytes.
type Sized<'v> = (Box<dyn Val + 'v>, usize);

/// The variables, and how much of them was handed out.
struct Variables<'v> {
    event: Option<Sized<'v>>,
    body: Option<Sized<'v>>,
    touched: AtomicUsize,
}

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let (value, bytes) = match name {
            EVENT => self.event.as_ref()?,
            BODY => self.body.as_ref()?,
            _ => return None,
        };
        let touched = self.touched.fetch_add(*bytes, Relaxed).saturating_add(*bytes);
        (touched <= CEL_TOUCHED_BYTES_MAX).then(|| CowVal::Borrowed(value.as_ref()))
    }
}

/// Why there is no result, without any value.
fn told(error: &ExecutionError) -> Cow<'static, str> {
    match error {
        ExecutionError::NoSuchKey(name) => clipped(format!("there is no `{name}`: ask has(…) first")).into(),
        ExecutionError::NoSuchOverload(overload) => clipped(overload.to_string()).into(),
        ExecutionError::UndeclaredReference(name) => clipped(format!("there is no `{name}`")).into(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "a division by zero".into(),
        ExecutionError::Overflow(..) => "a number is too large".into(),
        ExecutionError::IndexOutOfBounds(_) => "a list has no such item".into(),
        _ => "the values are of kinds that do not fit the expression".into(),
    }
}

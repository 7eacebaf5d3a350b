//! Conditions: always all of a kind, and each keeps the time at which it changed.
use boathook_crds::{Condition, ConditionType, Time, Timestamp};

/// How one condition stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    status: &'static str,
    reason: String,
    pub(crate) message: String,
}

impl State {
    pub(crate) fn yes(reason: &str, message: impl Into<String>) -> Self {
        Self { status: "True", reason: reason.into(), message: message.into() }
    }

    pub(crate) fn no(reason: &str, message: impl Into<String>) -> Self {
        Self { status: "False", reason: reason.into(), message: message.into() }
    }

    pub(crate) fn unknown(reason: &str, message: impl Into<String>) -> Self {
        Self { status: "Unknown", reason: reason.into(), message: message.into() }
    }

    pub(crate) fn holds(&self) -> bool {
        self.status == "True"
    }

    pub(crate) fn fails(&self) -> bool {
        self.status == "False"
    }
}

/// An object's conditions while they are decided.
pub(crate) struct Conditions<'b> {
    before: &'b [Condition],
    generation: Option<i64>,
    now: Timestamp,
    conditions: Vec<Condition>,
}

impl<'b> Conditions<'b> {
    pub(crate) fn new(before: &'b [Condition], generation: Option<i64>, now: Timestamp) -> Self {
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { before, generation, now, conditions: Vec::new() }
    }

    pub(crate) fn add(&mut self, kind: ConditionType, State { status, reason, message }: State) {
        let before = self.before.iter().find(|known| known.type_ == kind.as_str());
        let since =
            before.filter(|known| known.status == status).map(|known| known.last_transition_time.clone());
        self.conditions.push(Condition {
            type_: kind.as_str().into(),
            status: status.into(),
            reason,
            message,
            observed_generation: self.generation,
            last_transition_time: since.unwrap_or(Time(self.now)),
        });
    }

    pub(crate) fn finish(self) -> Vec<Condition> {
        self.conditions
    }
}

//! When an endpoint's deliveries are acknowledged.
use std::time::Duration;

use boathook_crds::{AcknowledgeMode, Mode, Reason, WebhookEndpointSpec};

use crate::{
    limits::{ACKNOWLEDGE_DEADLINE_DEFAULT, ACKNOWLEDGE_DEADLINE_MAX},
    problem::Problems,
};

/// What must have happened before a delivery is acknowledged, and how long that may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledge {
    /// The event is durable.
    OnStored {
        /// Time from the end of the request's head to the answer; `None` = as long as the receiver waits for its store.
        deadline: Option<Duration>,
    },
    /// It is durable, and every sink that [`crate::SinkRoute::required`] names has it.
    OnDelivered {
        /// Time from the end of the request's head to the answer.
        deadline: Duration,
    },
}

impl Acknowledge {
    /// Reads `spec.acknowledge`.
    pub(crate) fn compile(spec: &WebhookEndpointSpec, problems: &mut Problems<'_>) -> Self {
        let written = spec.acknowledge.clone().unwrap_or_default();
        let deadline = written.deadline.map(|deadline| deadline.std());
        if let Some(deadline) = deadline {
            let field = "spec.acknowledge.deadline";
            problems.at_most(field, deadline, ACKNOWLEDGE_DEADLINE_MAX);
            if deadline.is_zero() {
                problems.add(field, Reason::InvalidValue, "nothing is done in no time: write `5s` or so");
            }
        }
        if written.mode == AcknowledgeMode::OnStored {
            return Self::OnStored { deadline };
        }
        if !spec.delivery.sinks.iter().any(|choice| choice.required.unwrap_or(true)) {
            let message = "OnDelivered waits for a sink that is required, and there is none: name one in \
                           spec.delivery.sinks, leave out its `required: false`, or write OnStored";
            problems.add("spec.acknowledge.mode", Reason::InvalidValue, message);
        }
        let deadline = deadline.unwrap_or(ACKNOWLEDGE_DEADLINE_DEFAULT);
        // Of an endpoint in shadow nothing is delivered.
        if spec.mode == Mode::Shadow {
            return Self::OnStored { deadline: Some(deadline) };
        }
        Self::OnDelivered { deadline }
    }

    /// Time from the end of the request's head to the answer, where the endpoint has one.
    pub fn deadline(&self) -> Option<Duration> {
        match *self {
            Self::OnStored { deadline } => deadline,
            Self::OnDelivered { deadline } => Some(deadline),
        }
    }
}

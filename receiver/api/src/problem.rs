//! Why a call was not carried out.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of every answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What is wrong.
    pub error: ProblemBody,
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemBody {
    /// For machines.
    pub code: Code,
    /// What happened, for people.
    pub message: String,
    /// What to do next.
    pub next: String,
}

/// Why a call was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No token, or one that is not known.
    Unauthorized,
    /// The token may read only.
    Forbidden,
    /// There is no such route, or nothing of that name.
    NotFound,
    /// The route has no such method.
    MethodNotAllowed,
    /// The query or the body is not what it should be.
    Invalid,
    /// It contradicts what is going on.
    Conflict,
    /// The receiver is starting, or its store does not answer.
    Unavailable,
}

impl Code {
    /// The HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Invalid => 400,
            Self::Conflict => 409,
            Self::Unavailable => 503,
        }
    }
}

impl Problem {
    /// What is wrong, and what to do next.
    pub fn new(code: Code, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { error: ProblemBody { code, message: message.into(), next: next.into() } }
    }
}

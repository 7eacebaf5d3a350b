//! The public codes: one word for machines, in the answer to every request that is not taken. `crds/docs/answers.md`
//! documents them for senders.
use boathook_event::ReadError;
use boathook_verify as verify;

/// Why a request was not taken, as its sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    /// Nothing is received at this URL.
    NotFound,
    /// This method is not taken.
    MethodNotAllowed,
    /// The caller's address is not among the allowed ones.
    SourceNotAllowed,
    /// A rate is used up; `Retry-After` says for how long.
    RateLimited,
    /// The endpoint is paused; `Retry-After` says when to ask again.
    Paused,
    /// The body is larger than the endpoint takes.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body broke off.
    BodyIncomplete,
    /// The signature (or token) is missing.
    MissingSignature,
    /// It is there, but no secret of the endpoint makes it.
    InvalidSignature,
    /// The timestamp is missing.
    MissingTimestamp,
    /// The timestamp cannot be read.
    InvalidTimestamp,
    /// The timestamp is too far from the present.
    StaleTimestamp,
    /// The content type is not the one that the provider sends.
    InvalidContentType,
    /// The body is not the JSON that it should be.
    InvalidJson,
    /// The body is not the form that it should be.
    InvalidForm,
    /// The body is not the XML that it should be.
    InvalidXml,
    /// More events in one request than are taken.
    BatchTooLarge,
    /// The endpoint refuses events of this type.
    UnknownType,
    /// A member of the body is missing; the sender is told `missing_<field>`.
    MissingField,
    /// A member of the body is not as it should be; the sender is told `invalid_<field>`.
    InvalidField,
    /// It was not stored; `Retry-After` says when to send it again.
    Unavailable,
    /// It is stored, and a sink that it must be delivered to does not have it yet; `Retry-After` says when to ask again.
    NotDelivered,
}

impl Code {
    /// Every code, in the order in which a request meets them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 23] = [
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::SourceNotAllowed,
        Self::RateLimited,
        Self::Paused,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::BodyIncomplete,
        Self::MissingSignature,
        Self::InvalidSignature,
        Self::MissingTimestamp,
        Self::InvalidTimestamp,
        Self::StaleTimestamp,
        Self::InvalidContentType,
        Self::InvalidJson,
        Self::InvalidForm,
        Self::InvalidXml,
        Self::BatchTooLarge,
        Self::UnknownType,
        Self::MissingField,
        Self::InvalidField,
        Self::Unavailable,
        Self::NotDelivered,
    ];

    /// As it is written in answers, logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::SourceNotAllowed => "source_not_allowed",
            Self::RateLimited => "rate_limited",
            Self::Paused => "paused",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyIncomplete => "body_incomplete",
            Self::MissingSignature => "missing_signature",
            Self::InvalidSignature => "invalid_signature",
            Self::MissingTimestamp => "missing_timestamp",
            Self::InvalidTimestamp => "invalid_timestamp",
            Self::StaleTimestamp => "stale_timestamp",
            Self::InvalidContentType => "invalid_content_type",
            Self::InvalidJson => "invalid_json",
            Self::InvalidForm => "invalid_form",
            Self::InvalidXml => "invalid_xml",
            Self::BatchTooLarge => "batch_too_large",
            Self::UnknownType => "unknown_type",
            Self::MissingField => "missing_field",
            Self::InvalidField => "invalid_field",
            Self::Unavailable => "unavailable",
            Self::NotDelivered => "not_delivered",
        }
    }

    /// What is said with it where there is nothing more to say.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::NotFound => "nothing is received at this URL",
            Self::MethodNotAllowed => "this method is not taken: deliveries are a POST",
            Self::SourceNotAllowed => "this address may not call",
            Self::RateLimited => "too many requests: wait and send again",
            Self::Paused => "this endpoint takes nothing for now: send again later",
            Self::BodyTooLarge => "the body is too large",
            Self::BodyTimeout => "the body did not arrive in time",
            Self::BodyIncomplete => "the body broke off",
            Self::MissingSignature => "the signature is missing",
            Self::InvalidSignature => "the signature is not valid",
            Self::MissingTimestamp => "the timestamp is missing",
            Self::InvalidTimestamp => "the timestamp cannot be read",
            Self::StaleTimestamp => "the timestamp is too far from the present",
            Self::InvalidContentType => "the content type is not accepted",
            Self::InvalidJson => "the body is not valid JSON",
            Self::InvalidForm => "the body is not a form",
            Self::InvalidXml => "the body is not XML that is read here",
            Self::BatchTooLarge => "the batch has too many events",
            Self::UnknownType => "events of this type are not taken here",
            Self::MissingField => "a member of the body is missing",
            Self::InvalidField => "a member of the body is not valid",
            Self::Unavailable => "not stored: send again later",
            Self::NotDelivered => "not delivered in time: send again later",
        }
    }
}

impl From<verify::Code> for Code {
    fn from(code: verify::Code) -> Self {
        match code {
            verify::Code::MissingSignature => Self::MissingSignature,
            verify::Code::InvalidSignature => Self::InvalidSignature,
            verify::Code::MissingTimestamp => Self::MissingTimestamp,
            verify::Code::InvalidTimestamp => Self::InvalidTimestamp,
            verify::Code::StaleTimestamp => Self::StaleTimestamp,
            verify::Code::Unavailable => Self::Unavailable,
        }
    }
}

impl From<&ReadError> for Code {
    fn from(error: &ReadError) -> Self {
        match error {
            ReadError::ContentType { .. } => Self::InvalidContentType,
            ReadError::Body(_) => Self::InvalidJson,
            ReadError::Form => Self::InvalidForm,
            ReadError::Xml(_) => Self::InvalidXml,
            ReadError::BatchTooLarge(_) => Self::BatchTooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes in the first column of the page's table.
    fn documented(page: &str) -> Vec<String> {
        page.lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            // Senders are told the name of the field; metrics are not.
            .map(|(code, _)| code.replace("<field>", "field"))
            .collect()
    }

    #[test]
    fn the_page_for_senders_has_every_code_in_order_and_no_other() {
        let page = include_str!("../../../crds/docs/answers.md");
        assert_eq!(documented(page), Code::ALL.map(Code::as_str));
    }
}

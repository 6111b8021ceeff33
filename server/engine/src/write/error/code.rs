//! Which kind, for programs, a refused write or change of the definitions is.
//!
//! Knows the whole mapping, so that like refusals are seen to be of one kind. Does not know what
//! is said to a person.

use super::{RuleRefusal, SchemaError, SchemaErrorKind, WriteError};
use crate::error::ErrorCode;

impl WriteError {
    /// The kind.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownTag { .. }
            | Self::UnknownAttribute { .. }
            | Self::UnknownEvent { .. }
            | Self::UnknownProperty { .. }
            | Self::UnknownUser { .. }
            | Self::UnknownForm { .. }
            | Self::UnknownValue { .. } => ErrorCode::UnknownName,
            Self::InvalidKey { .. }
            | Self::InvalidName { .. }
            | Self::Naming(_)
            | Self::WrongType { .. }
            | Self::NotMulti { .. }
            | Self::EventTime { .. }
            | Self::EventId { .. }
            | Self::StaticEnds { .. }
            | Self::EndsBeforeStart { .. }
            | Self::BeyondCalendar(_)
            | Self::Derived { .. }
            | Self::Submission { .. }
            | Self::SubmissionId { .. }
            | Self::Shape(_) => ErrorCode::TypeMismatch,
            Self::NoRule { .. }
            | Self::WriteOnce { .. }
            | Self::NoNewHoldings { .. }
            | Self::InviterCycle { .. } => ErrorCode::Conflict,
        }
    }
}

impl SchemaError {
    /// The kind, for programs.
    pub fn code(&self) -> ErrorCode {
        match &self.kind {
            SchemaErrorKind::Defined { .. }
            | SchemaErrorKind::InUse { .. }
            | SchemaErrorKind::HoldsTwo { .. }
            | SchemaErrorKind::HoldingsEnd { .. }
            | SchemaErrorKind::Lifecycle { .. }
            | SchemaErrorKind::FormerName { .. }
            | SchemaErrorKind::GroupCycle(_)
            | SchemaErrorKind::MergesItself { .. }
            | SchemaErrorKind::MergesRule { .. }
            | SchemaErrorKind::MergesEnding { .. }
            | SchemaErrorKind::RepeatedValue(_)
            | SchemaErrorKind::Rule(
                RuleRefusal::Exclusive { .. }
                | RuleRefusal::Shared { .. }
                | RuleRefusal::Nested { .. }
                | RuleRefusal::Layer { .. },
            )
            | SchemaErrorKind::Cycle(_) => ErrorCode::Conflict,
            SchemaErrorKind::Rule(RuleRefusal::Parameters) => ErrorCode::TypeMismatch,
            SchemaErrorKind::Unknown { .. } => ErrorCode::UnknownName,
            SchemaErrorKind::NoVocabulary { .. }
            | SchemaErrorKind::StaticRetag { .. }
            | SchemaErrorKind::FormField { .. }
            | SchemaErrorKind::NoDay { .. }
            | SchemaErrorKind::Settled { .. }
            | SchemaErrorKind::PropertyKind { .. }
            | SchemaErrorKind::InvalidValue { .. }
            | SchemaErrorKind::EmptyVocabulary
            | SchemaErrorKind::Naming(_)
            | SchemaErrorKind::Scale(_)
            | SchemaErrorKind::Parameters => ErrorCode::TypeMismatch,
            SchemaErrorKind::Unreadable(_)
            | SchemaErrorKind::FormerNames { .. }
            | SchemaErrorKind::GroupLevels { .. }
            | SchemaErrorKind::TooLarge { .. } => ErrorCode::LimitExceeded,
            SchemaErrorKind::Meaningless(error) => {
                crate::error::code_of_resolve_error(error.kind())
            }
        }
    }
}

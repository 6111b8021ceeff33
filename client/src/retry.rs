//! Whether and when to ask again.

use tessera_protocol::{
    handshake::HandshakeError,
    message::{FailureCode, RequestBody},
};

use crate::{
    error::{Error, Outcome},
    options::ClientOptions,
};

/// Whether asking twice does the same as asking once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It does.
    Safe,
    /// It may not.
    Unsafe,
}

impl Repeat {
    /// Judges a request. A statement is judged by its first word: those that only read are safe.
    pub(crate) fn of(body: &RequestBody) -> Self {
        match body {
            RequestBody::Ping => Self::Safe,
            RequestBody::Execute { statement, .. } => Self::of_statement(statement),
            RequestBody::Write {
                idempotency_key, ..
            }
            | RequestBody::Load {
                idempotency_key, ..
            }
            | RequestBody::LoadEvents {
                idempotency_key, ..
            } => match idempotency_key {
                Some(_) => Self::Safe,
                None => Self::Unsafe,
            },
        }
    }

    fn of_statement(statement: &str) -> Self {
        const READS: [&str; 10] = [
            "count",
            "segment",
            "dimension",
            "portrait",
            "show",
            "explain",
            "why",
            "usages",
            "lint",
            "trend",
        ];
        let first: String = statement
            .trim_start()
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect();
        if READS.iter().any(|word| first.eq_ignore_ascii_case(word)) {
            Self::Safe
        } else {
            Self::Unsafe
        }
    }
}

/// What an error means for asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Advice {
    /// Asking again will not help, or might do something twice.
    GiveUp,
    /// Ask again after a pause.
    Pause,
    /// Ask again; getting a connection pauses by itself.
    AtOnce,
}

/// Counts the repetitions of one request.
#[derive(Debug)]
pub(crate) struct Retries<'a> {
    options: &'a ClientOptions,
    repeat: Repeat,
    failures: u32,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(options: &'a ClientOptions, repeat: Repeat) -> Self {
        Self {
            options,
            repeat,
            failures: 0,
        }
    }

    /// Returns when it is time to ask again.
    ///
    /// # Errors
    /// The error itself, when asking again is not safe, not useful, or was done often enough.
    pub(crate) async fn pause_after(&mut self, error: Error) -> Result<(), Error> {
        let advice = advise(&error, self.repeat);
        if advice == Advice::GiveUp || self.failures >= self.options.retries_max {
            return Err(error);
        }
        self.failures += 1;
        tracing::debug!(%error, failures = self.failures, "asking again");
        if advice == Advice::Pause {
            let delay = self.options.backoff.delay(self.failures, rand::random());
            tokio::time::sleep(delay).await;
        }
        Ok(())
    }
}

fn advise(error: &Error, repeat: Repeat) -> Advice {
    match error {
        Error::Connect { .. } => Advice::AtOnce,
        Error::Handshake {
            source: HandshakeError::Refused(failure),
            ..
        } => advise_on_code(failure.code, Advice::AtOnce),
        Error::ConnectionLost {
            outcome: Outcome::NothingDone,
            ..
        } => Advice::AtOnce,
        Error::ConnectionLost {
            outcome: Outcome::Unknown,
            ..
        } => match repeat {
            Repeat::Safe => Advice::Pause,
            Repeat::Unsafe => Advice::GiveUp,
        },
        Error::Refused(failure) => advise_on_code(failure.code, Advice::Pause),
        Error::Handshake { .. }
        | Error::Timeout(_)
        | Error::Query(_)
        | Error::Rows(_)
        | Error::TooLong { .. }
        | Error::AnswerTooLong { .. }
        | Error::Unexpected(_)
        | Error::Stopped(_) => Advice::GiveUp,
    }
}

/// A server that is closing or overloaded has done nothing, so that anything may be asked again.
fn advise_on_code(code: FailureCode, again: Advice) -> Advice {
    match code {
        FailureCode::Closing | FailureCode::Overloaded => again,
        FailureCode::Syntax
        | FailureCode::UnknownName
        | FailureCode::TypeMismatch
        | FailureCode::LimitExceeded
        | FailureCode::Conflict
        | FailureCode::NotAvailableYet
        | FailureCode::Cancelled
        | FailureCode::DeadlineExceeded
        | FailureCode::UnknownCursor
        | FailureCode::Protocol
        | FailureCode::Version
        | FailureCode::Storage
        | FailureCode::Internal => Advice::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_only_read_are_safe_to_repeat() {
        let check = |statement: &str, expected: Repeat| {
            assert_eq!(Repeat::of_statement(statement), expected, "{statement}");
        };
        check("COUNT ALL", Repeat::Safe);
        check("  \n segment tag:vip", Repeat::Safe);
        check("Dimension gender", Repeat::Safe);
        check("PORTRAIT \"u1\"", Repeat::Safe);
        check("show tags", Repeat::Safe);
        check("EXPLAIN ANALYZE COUNT ALL", Repeat::Safe);
        check("why $1 IN ALL", Repeat::Safe);
        check("TREND tag:vip", Repeat::Safe);
        check("USAGES TAG vip", Repeat::Safe);
        check("LINT TAGS", Repeat::Safe);
        check("CLEAR TAG \"u1\" WITH vip", Repeat::Unsafe);
        check("TRACK \"u1\" login", Repeat::Unsafe);
        check("SUBMIT FORM f FOR \"u1\"", Repeat::Unsafe);
        check("FETCH \"c\"", Repeat::Unsafe);
        check("RENAME TAG a TO b", Repeat::Unsafe);
        check("SUBMIT FORM f FOR u1", Repeat::Unsafe);
        check("COUNTER ALL", Repeat::Unsafe);
        check("TAG \"u1\" WITH vip", Repeat::Unsafe);
        check("", Repeat::Unsafe);
    }
}

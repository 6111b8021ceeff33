//! What stops a command, and with which exit status.
//!
//! Knows the four ways a command can end. Does not know which command it was.

use std::io;

use tessera_query_lang::{ast::Span, render};

use crate::cli::output::printable;
use crate::cli::session::Failure;

/// The status of a process that did what it should.
pub(crate) const EXIT_OK: u8 = 0;
/// The server, or `--strict`, refused.
pub(crate) const EXIT_REFUSED: u8 = 1;
/// The command cannot be understood or cannot be begun.
pub(crate) const EXIT_USAGE: u8 = 2;
/// The server cannot be reached, or does not answer.
pub(crate) const EXIT_CONNECTION: u8 = 3;

/// What stops a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The server refused a statement; the place is marked in its text.
    #[error("{}", shown_failure(.statement, .failure))]
    Refused {
        /// The statement.
        statement: String,
        /// The server's words.
        failure: Failure,
    },
    /// Something other than a single statement was refused, or reading failed half-way.
    #[error("{0}")]
    Stopped(String),
    /// The command's arguments or files are not right.
    #[error("{0}")]
    Usage(String),
    /// The server cannot be reached, or does not answer.
    #[error("{0}")]
    Connection(String),
    /// Writing the answer failed.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// What an error of the client library means for a statement.
    pub(crate) fn of_statement(error: &crate::Error, statement: &str) -> Self {
        match error.failure() {
            Some(failure) if !error.is_connection() => Self::Refused {
                statement: statement.to_owned(),
                failure: failure.clone(),
            },
            Some(_) | None => Self::of_request(error),
        }
    }

    /// What an error of the client library means where there is no statement.
    pub(crate) fn of_request(error: &crate::Error) -> Self {
        let is_ours = matches!(
            error,
            crate::Error::Query(_)
                | crate::Error::TooLong { .. }
                | crate::Error::AnswerTooLong { .. }
        );
        if error.is_connection() {
            return Self::Connection(error.to_string());
        }
        match error.failure() {
            Some(failure) => Self::Stopped(with_hint(failure)),
            None if is_ours => Self::Stopped(error.to_string()),
            None => Self::Connection(error.to_string()),
        }
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Refused { .. } | Self::Stopped(_) => EXIT_REFUSED,
            Self::Usage(_) => EXIT_USAGE,
            Self::Connection(_) => EXIT_CONNECTION,
            // Whoever reads the output has had enough of it, as `head` does.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_OK,
            Self::Output(_) => EXIT_REFUSED,
        }
    }

    /// What to say to a person: a server's words, names and values may hold anything, and only
    /// ends of lines reach the terminal as they are.
    pub(crate) fn told(&self) -> String {
        let text = self.to_string();
        let lines: Vec<String> = text.split('\n').map(printable).collect();
        lines.join("\n")
    }

    /// Whether there is anything to say about it.
    pub(crate) fn is_silent(&self) -> bool {
        self.status() == EXIT_OK
    }
}

/// A failure's message and hint, for a place without a statement.
pub(crate) fn with_hint(failure: &Failure) -> String {
    match &failure.hint {
        Some(hint) => format!("{} ({hint})", failure.message),
        None => failure.message.clone(),
    }
}

fn shown_failure(statement: &str, failure: &Failure) -> String {
    match failure.span {
        Some((start, end)) => {
            let span = Span { start, end };
            render(statement, span, &failure.message, failure.hint.as_deref())
        }
        None => match &failure.hint {
            Some(hint) => format!("{}\n  {hint}", failure.message),
            None => failure.message.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailureCode;

    fn failure(code: FailureCode, span: Option<(u32, u32)>) -> crate::Error {
        crate::Error::Refused(Failure {
            code,
            message: "unknown tag".to_owned(),
            span,
            hint: Some("did you mean vip?".to_owned()),
        })
    }

    #[test]
    fn each_way_to_end_has_its_status() {
        let check = |error: CliError, expected: u8| assert_eq!(error.status(), expected, "{error}");
        let refused = |code| CliError::of_statement(&failure(code, None), "COUNT tag:vpi");
        check(refused(FailureCode::UnknownName), EXIT_REFUSED);
        check(refused(FailureCode::DeadlineExceeded), EXIT_REFUSED);
        check(refused(FailureCode::Closing), EXIT_CONNECTION);
        check(CliError::Usage("x".to_owned()), EXIT_USAGE);
        check(CliError::Output(io::ErrorKind::BrokenPipe.into()), EXIT_OK);
        check(
            CliError::Output(io::ErrorKind::StorageFull.into()),
            EXIT_REFUSED,
        );
        let timeout = crate::Error::Timeout(std::time::Duration::from_secs(1));
        check(
            CliError::of_statement(&timeout, "COUNT ALL"),
            EXIT_CONNECTION,
        );
    }

    #[test]
    fn a_refusal_points_at_the_place() {
        let error = CliError::of_statement(
            &failure(FailureCode::UnknownName, Some((10, 13))),
            "COUNT tag:vpi",
        );
        let text = error.to_string();
        assert!(
            text.contains("line 1, column 11") && text.contains("^^^"),
            "{text}"
        );
        let error =
            CliError::of_statement(&failure(FailureCode::UnknownName, None), "COUNT tag:vpi");
        assert_eq!(error.to_string(), "unknown tag\n  did you mean vip?");
    }

    #[test]
    fn what_a_server_says_cannot_drive_the_terminal() {
        let check = |span, expected: &str| {
            let failure = crate::Error::Refused(Failure {
                code: FailureCode::UnknownName,
                message: "unknown\u{7} value".to_owned(),
                span,
                hint: Some("did you mean a\u{1b}[31mRED?".to_owned()),
            });
            let error = CliError::of_statement(&failure, "COUNT x:a");
            assert_eq!(error.told(), expected);
        };
        check(
            None,
            "unknown\u{2407} value\n  did you mean a\u{241b}[31mRED?",
        );
        check(
            Some((8, 9)),
            "unknown\u{2407} value\n  at line 1, column 9\n  1 | COUNT x:a\n    |         ^\n  \
             did you mean a\u{241b}[31mRED?",
        );
    }
}

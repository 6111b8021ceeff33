//! Where log lines go and how they look.
//!
//! Lines name what happened by kind, number and time. At the level `info` and above none holds a
//! user's key, a value, or the text of a statement.

use std::io;

use tracing_subscriber::{EnvFilter, filter::ParseError, fmt};

use crate::config::{LogConfig, LogFormat};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is none, nor directives.
    #[error("`log.level` is `{level}`, which is not understood: {source}")]
    Level {
        /// What was configured.
        level: String,
        /// Why not.
        source: ParseError,
    },
    /// Somebody else logs in this process.
    #[error("the log is set up already")]
    Twice,
}

/// Sends the log of the whole process to standard error.
///
/// # Errors
/// The level is not understood, or a log is set up already.
pub fn set_up(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::builder()
        .parse(&config.level)
        .map_err(|source| LogError::Level {
            level: config.level.clone(),
            source,
        })?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|_| LogError::Twice)
}

/// The kind of a statement for the log: its first word, if that begins a statement.
pub(crate) fn statement_kind(text: &str) -> &'static str {
    const KINDS: [&str; 16] = [
        "count",
        "segment",
        "dimension",
        "portrait",
        "explain",
        "show",
        "define",
        "alter",
        "drop",
        "save",
        "tag",
        "untag",
        "set",
        "delete",
        "fetch",
        "close",
    ];
    let start = text.trim_start();
    let end = start
        .find(|character: char| !character.is_ascii_alphabetic())
        .unwrap_or(start.len());
    let word = &start[..end];
    KINDS
        .into_iter()
        .find(|kind| kind.eq_ignore_ascii_case(word))
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_known_by_their_first_word() {
        let check = |text: &str, expected: &str| assert_eq!(statement_kind(text), expected);
        check("COUNT ALL", "count");
        check("\n  segment tag:vip", "segment");
        check("delete user \"secret\"", "delete");
        check("counted", "unknown");
        check("\"secret\"", "unknown");
        check("héllo", "unknown");
        check("", "unknown");
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        let config = LogConfig {
            level: "loud=!".to_owned(),
            ..LogConfig::default()
        };
        let seen = set_up(&config).map_err(|error| error.to_string());
        assert!(seen.is_err_and(|text| text.starts_with("`log.level` is `loud=!`")));
    }
}

//! Lines that begin with a backslash: commands to the program itself.
//!
//! Knows their words. Does not know what they do.

use std::time::Duration;

use crate::cli::args::address;
use crate::cli::output::Format;

/// The words, for completion.
pub(crate) const NAMES: [&str; 14] = [
    "\\attributes",
    "\\connect",
    "\\events",
    "\\format",
    "\\forms",
    "\\groups",
    "\\help",
    "\\quit",
    "\\segments",
    "\\status",
    "\\tags",
    "\\timing",
    "\\values",
    "\\watch",
];

/// The longest pause between two repetitions.
const WATCH_SECONDS_MAX: f64 = 86_400.0;

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// `\help [topic]`
    Help(Option<String>),
    /// `\quit`
    Quit,
    /// `\timing [on|off]`: turned over when nothing is said.
    Timing(Option<Switch>),
    /// `\format [name]`: told when nothing is said.
    Format(Option<Format>),
    /// `\watch seconds [statement]`: the last statement when none is said.
    Watch(Duration, Option<String>),
    /// `\connect host:port`
    Connect(String),
    /// A statement that a shorter word stands for.
    Statement(String),
}

/// `on` or `off`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    /// `on`
    On,
    /// `off`
    Off,
}

/// Reads a line that begins with a backslash.
pub(crate) fn parse(line: &str) -> Result<Command, String> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let said = (!rest.is_empty()).then(|| rest.to_owned());
    match word {
        "\\help" | "\\h" | "\\?" => Ok(Command::Help(said)),
        "\\quit" | "\\q" | "\\exit" => Ok(Command::Quit),
        "\\timing" => parse_switch(rest).map(Command::Timing),
        "\\format" => parse_format(said.as_deref()).map(Command::Format),
        "\\watch" => parse_watch(rest),
        "\\connect" | "\\c" => address(rest)
            .map(Command::Connect)
            .map_err(|_| "expected \\connect HOST:PORT".to_owned()),
        "\\tags" => Ok(show("TAGS", said)),
        "\\attributes" => Ok(show("ATTRIBUTES", said)),
        "\\groups" => Ok(show("GROUPS", said)),
        "\\events" => Ok(show("EVENTS", said)),
        "\\forms" => Ok(show("FORMS", said)),
        "\\segments" => Ok(show("SEGMENTS", said)),
        "\\status" => Ok(Command::Statement("SHOW STATUS".to_owned())),
        "\\values" => said
            .map(|attribute| Command::Statement(format!("SHOW VALUES OF {attribute}")))
            .ok_or_else(|| "expected \\values ATTRIBUTE".to_owned()),
        _ => Err(unknown(word)),
    }
}

/// `\tags promo-*`
fn show(what: &str, like: Option<String>) -> Command {
    Command::Statement(match like {
        Some(like) => format!("SHOW {what} LIKE {}", quoted(&like)),
        None => format!("SHOW {what}"),
    })
}

/// A text as the language writes it.
pub(crate) fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.trim_matches('"')
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
    )
}

fn parse_switch(rest: &str) -> Result<Option<Switch>, String> {
    match rest.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "on" => Ok(Some(Switch::On)),
        "off" => Ok(Some(Switch::Off)),
        _ => Err("expected \\timing, \\timing on or \\timing off".to_owned()),
    }
}

fn parse_format(said: Option<&str>) -> Result<Option<Format>, String> {
    said.map(|name| {
        Format::from_name(name)
            .ok_or_else(|| "the formats are table, json, jsonl, csv and tsv".to_owned())
    })
    .transpose()
}

fn parse_watch(rest: &str) -> Result<Command, String> {
    let (seconds, statement) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let usage = || "expected \\watch SECONDS [STATEMENT]".to_owned();
    let seconds: f64 = seconds.parse().map_err(|_| usage())?;
    if !(0.1..=WATCH_SECONDS_MAX).contains(&seconds) {
        return Err("the seconds are 0.1 to 86400".to_owned());
    }
    let statement = statement.trim();
    let pause = Duration::try_from_secs_f64(seconds).map_err(|_| usage())?;
    Ok(Command::Watch(
        pause,
        (!statement.is_empty()).then(|| statement.to_owned()),
    ))
}

fn unknown(word: &str) -> String {
    let near = tessera_query_lang::suggest::nearest(word, NAMES);
    match near.first() {
        Some(name) => format!("unknown command {word}: did you mean {name}?"),
        None => format!("unknown command {word}: see \\help"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        let check = |line: &str, expected: Command| assert_eq!(parse(line), Ok(expected), "{line}");
        let statement = |text: &str| Command::Statement(text.to_owned());
        check("\\help", Command::Help(None));
        check("\\? dimension", Command::Help(Some("dimension".to_owned())));
        check(" \\q;", Command::Quit);
        check("\\timing", Command::Timing(None));
        check("\\timing OFF", Command::Timing(Some(Switch::Off)));
        check("\\format", Command::Format(None));
        check("\\format JSON", Command::Format(Some(Format::Json)));
        check("\\watch 2", Command::Watch(Duration::from_secs(2), None));
        check(
            "\\watch 0.5 COUNT ALL;",
            Command::Watch(Duration::from_millis(500), Some("COUNT ALL".to_owned())),
        );
        check("\\connect db:7700", Command::Connect("db:7700".to_owned()));
        check("\\tags", statement("SHOW TAGS"));
        check("\\tags promo-*", statement("SHOW TAGS LIKE \"promo-*\""));
        check("\\events", statement("SHOW EVENTS"));
        check("\\forms w*", statement("SHOW FORMS LIKE \"w*\""));
        check("\\values city", statement("SHOW VALUES OF city"));
        check("\\status", statement("SHOW STATUS"));
    }

    #[test]
    fn what_is_no_command_says_why() {
        let check = |line: &str, expected: &str| {
            let message = parse(line).err().unwrap_or_default();
            assert!(message.contains(expected), "{line}: {message}");
        };
        check("\\hepl", "did you mean \\help?");
        check("\\zzzzzz", "see \\help");
        check("\\format xml", "the formats are");
        check("\\watch", "expected \\watch");
        check("\\watch 0", "0.1 to 86400");
        check("\\watch NaN", "0.1 to 86400");
        check("\\connect", "expected \\connect");
        check("\\connect db", "expected \\connect");
        check("\\values", "expected \\values");
        check("\\timing maybe", "expected \\timing");
    }
}

//! The command line.
//!
//! Knows the words of the command line. Does not know what they do.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::import::FileFormat;
use super::output::Format;

/// Ask a Tessera server who, how many, and split by what.
#[derive(Debug, Parser)]
#[command(
    name = "tessera",
    version,
    about,
    long_about = "Ask a Tessera server who, how many, and split by what.\n\nWithout a command: an interactive session on a terminal, else the statements on standard input.\n\nExit status: 0 done, 1 refused, 2 wrong usage, 3 no connection."
)]
pub(crate) struct Arguments {
    /// The server.
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT",
        env = "TESSERA_CONNECT",
        default_value = "127.0.0.1:7700",
        value_parser = address
    )]
    pub(crate) connect: String,
    /// Time to connect, then for an answer to begin, and between its parts, in seconds.
    #[arg(long, global = true, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// How answers are written, without a command.
    #[arg(long, value_enum, default_value = "table", env = "TESSERA_FORMAT")]
    pub(crate) format: Format,
    /// Tell rows and time of each statement on standard error, as is done for tables anyway.
    #[arg(long, global = true)]
    pub(crate) timing: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Execute statements and write their answers.
    Exec(ExecArguments),
    /// Load users or what they did from CSV or JSON lines; see docs/import.md.
    Import(Box<ImportArguments>),
    /// Write all rows of a statement, such as a SEGMENT, to a file.
    Export(ExportArguments),
    /// Show what the server says of itself.
    Status(StatusArguments),
}

/// `tessera status`
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// How it is written.
    #[arg(long, value_enum, default_value = "table", env = "TESSERA_FORMAT")]
    pub(crate) format: Format,
}

/// `tessera exec`
#[derive(Debug, Args)]
pub(crate) struct ExecArguments {
    /// Statements; one text may hold several, with `;` between them.
    #[arg(required = true, value_name = "STATEMENT")]
    pub(crate) statements: Vec<String>,
    /// A value for `$NAME` (or `$1`): its type is guessed, or said as in `NAME:text=VALUE`.
    #[arg(long = "param", short = 'p', value_name = "NAME[:TYPE]=VALUE")]
    pub(crate) parameters: Vec<String>,
    /// How answers are written.
    #[arg(long, value_enum, default_value = "table", env = "TESSERA_FORMAT")]
    pub(crate) format: Format,
}

/// `tessera import`
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Files, plain or packed with gzip or zstd; `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Which column is what.
    #[arg(
        long,
        value_name = "FILE.toml",
        required_unless_present = "infer",
        conflicts_with = "infer"
    )]
    pub(crate) mapping: Option<PathBuf>,
    /// Propose a mapping from the first rows, print it, and import nothing.
    #[arg(long)]
    pub(crate) infer: bool,
    /// Import with the proposed mapping.
    #[arg(long)]
    pub(crate) yes: bool,
    /// The files' form [default: by extension, else csv].
    #[arg(long, value_enum)]
    pub(crate) format: Option<FileFormat>,
    /// The byte between CSV fields [default: a comma; a tab for .tsv].
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,
    /// Stop at the first bad row, with exit status 1.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Where bad rows are written with the reason [default: FILE.rejects.csv].
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    /// Rows sent at once (100000 if not given), or changes (2000) where rows become such
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) batch: Option<u32>,
    /// Read and check everything, and send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `tessera export`
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The statement.
    #[arg(value_name = "STATEMENT")]
    pub(crate) statement: String,
    /// The file: .csv, .tsv or .jsonl, packed when .gz or .zst follows; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// The file's form, where its name does not tell.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// A value for a parameter, as for exec.
    #[arg(long = "param", short = 'p', value_name = "NAME[:TYPE]=VALUE")]
    pub(crate) parameters: Vec<String>,
}

/// Checks that a text is a host and a port, with brackets around an IPv6 address.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let is_address = text.rsplit_once(':').is_some_and(|(host, port)| {
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let is_host = !host.is_empty() && (is_bracketed || !host.contains([':', ' ']));
        is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if is_address {
        Ok(text.to_owned())
    } else {
        Err("expected HOST:PORT, such as localhost:7700".to_owned())
    }
}

/// A statement may begin with a comment, which looks like a flag: what stands between its dashes
/// and a `=` has a blank, or there is nothing. A blank in front tells the two apart, and means
/// nothing in a statement.
pub(crate) fn tell_comments_from_flags(argument: OsString) -> OsString {
    let is_comment = argument
        .to_str()
        .and_then(|text| text.strip_prefix("--"))
        .and_then(|rest| rest.split('=').next())
        .is_some_and(|name| name.contains(char::is_whitespace));
    if !is_comment {
        return argument;
    }
    let mut told = OsString::from(" ");
    told.push(argument);
    told
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() && seconds <= 86_400.0 => Ok(duration),
        Ok(_) | Err(_) => Err("must be above 0 and at most 86400".to_owned()),
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if super::import::is_delimiter(*byte) => Ok(*byte),
        b"\\t" | b"tab" => Ok(b'\t'),
        _ => Err(
            "must be one ASCII character other than a quote or a line end (\\t for a tab)"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_comment_is_no_flag() {
        let check = |argument: &str, expected: &str| {
            assert_eq!(tell_comments_from_flags(argument.into()), expected);
        };
        check("-- all\nCOUNT ALL", " -- all\nCOUNT ALL");
        check("--all of them\nCOUNT ALL", " --all of them\nCOUNT ALL");
        check("--", "--");
        check("--format", "--format");
        check("--param=a=b c", "--param=a=b c");
        check("COUNT ALL -- x", "COUNT ALL -- x");
    }

    #[test]
    fn arguments_are_checked() {
        let check = |line: &str, expected: bool| {
            let parsed = Arguments::try_parse_from(line.split(' '));
            assert_eq!(
                parsed.is_ok(),
                expected,
                "{line}: {:?}",
                parsed.err().map(|e| e.to_string())
            );
        };
        check("tessera", true);
        check("tessera status --connect localhost:1", true);
        check("tessera status --format json", true);
        check("tessera --connect [::1]:7700", true);
        check("tessera --connect ::1:7700", false);
        check("tessera --connect localhost", false);
        check("tessera --connect localhost:0", false);
        check("tessera --connect localhost:70000", false);
        check("tessera --connect :7700", false);
        check("tessera exec COUNT --format csv", true);
        check("tessera --format csv exec COUNT", true);
        check("tessera exec", false);
        check("tessera exec COUNT --format xml", false);
        check("tessera --timeout 0 status", false);
        check("tessera --timeout 2.5 status", true);
        check("tessera import a.csv", false);
        check(
            "tessera import a.csv --mapping m.toml --strict --batch 10",
            true,
        );
        check("tessera import a.csv --mapping m.toml --infer", false);
        check("tessera import a.csv --infer --yes", true);
        check("tessera import a.csv --infer --delimiter ;", true);
        check("tessera import a.csv --infer --delimiter \\t", true);
        check("tessera import a.csv --infer --delimiter ab", false);
        check("tessera import a.csv --infer --batch 0", false);
        check("tessera import a.csv --infer --format jsonl", true);
        check("tessera import a.csv --infer --format table", false);
        check("tessera export SEGMENT --to x.csv", true);
        check("tessera export SEGMENT", false);
    }
}

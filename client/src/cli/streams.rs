//! Where a command reads and writes, so that a test can stand in for a terminal.
//!
//! Knows the three streams and what they are. Does not know commands.

use std::io::{self, BufWriter, IsTerminal, Read, Write};

use super::output::Colour;

/// The three streams of a process.
pub struct Streams {
    /// Statements, or rows to import.
    pub stdin: Box<dyn Read + Send>,
    /// Answers.
    pub stdout: Box<dyn Write + Send>,
    /// Messages and progress.
    pub stderr: Box<dyn Write + Send>,
    /// What they are connected to.
    pub terminal: Terminal,
}

/// Which of the streams are a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// Someone types.
    pub stdin: Ends,
    /// Someone reads the answers.
    pub stdout: Ends,
    /// Someone reads the messages.
    pub stderr: Ends,
    /// Whether the environment forbids colours (`NO_COLOR`, or a terminal that has none).
    pub colours: Colours,
}

/// What is at the other end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ends {
    /// A person.
    InTerminal,
    /// A file, a pipe, a test.
    #[default]
    Elsewhere,
}

/// Whether the environment forbids colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colours {
    /// It does not.
    Allowed,
    /// It does.
    #[default]
    Forbidden,
}

impl Streams {
    /// The streams of this process.
    pub fn of_process() -> Self {
        let ends = |is_terminal| {
            if is_terminal {
                Ends::InTerminal
            } else {
                Ends::Elsewhere
            }
        };
        Self {
            stdin: Box::new(io::stdin()),
            stdout: Box::new(BufWriter::new(io::stdout())),
            stderr: Box::new(io::stderr()),
            terminal: Terminal {
                stdin: ends(io::stdin().is_terminal()),
                stdout: ends(io::stdout().is_terminal()),
                stderr: ends(io::stderr().is_terminal()),
                colours: colours_of_environment(),
            },
        }
    }
}

impl Terminal {
    /// Whether answers are coloured.
    pub(crate) fn colour(self) -> Colour {
        match (self.stdout, self.colours) {
            (Ends::InTerminal, Colours::Allowed) => Colour::On,
            (Ends::InTerminal | Ends::Elsewhere, _) => Colour::Off,
        }
    }

    /// The width that answers should keep to; none where nobody looks.
    pub(crate) fn width(self) -> Option<u16> {
        match self.stdout {
            Ends::InTerminal => {
                Some(terminal_size::terminal_size().map_or(80, |(width, _)| width.0.max(20)))
            }
            Ends::Elsewhere => None,
        }
    }
}

/// See <https://no-color.org>: any value but the empty one forbids.
fn colours_of_environment() -> Colours {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    if forbidden || dumb {
        Colours::Forbidden
    } else {
        Colours::Allowed
    }
}

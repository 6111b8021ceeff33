//! The line editor: when a statement is finished, how it is coloured, what completes it.
//!
//! Knows rustyline. Does not know what happens to a line.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use anstyle::{AnsiColor, Effects, Style};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, CompletionType, Config, Context, Helper, Hinter};
use tessera_query_lang::{
    Completeness, Found, Limits, ParseErrorKind, TokenClass, classify, parse_statement,
    split_statements,
};

use super::complete::{Names, complete};
use super::history;
use crate::cli::output::Colour;

const PROMPT: &str = "tessera> ";
/// Lines that are remembered over sessions.
const HISTORY_LINES_MAX: usize = 10_000;
/// Longer texts are not coloured while they are typed: it would be felt.
const COLOURED_BYTES_MAX: usize = 64 * 1024;

/// The editor.
pub(crate) struct Editor<N: Names> {
    inner: rustyline::Editor<Assistant<N>, FileHistory>,
    history: Option<PathBuf>,
}

impl<N: Names> Editor<N> {
    /// An editor with the history of earlier sessions.
    pub(crate) fn new(names: Rc<RefCell<N>>, colour: Colour) -> rustyline::Result<Self> {
        let color_mode = match colour {
            Colour::On => ColorMode::Enabled,
            Colour::Off => ColorMode::Disabled,
        };
        let config = Config::builder()
            .max_history_size(HISTORY_LINES_MAX)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .color_mode(color_mode)
            .build();
        let mut inner = rustyline::Editor::with_config(config)?;
        inner.set_helper(Some(Assistant { names, colour }));
        let history = history::path();
        if let Some(path) = &history {
            // The first session has none, and a broken one is not worth stopping for.
            let _ = inner.load_history(path);
        }
        Ok(Self { inner, history })
    }

    /// Reads a statement or a command, which may be several lines.
    pub(crate) fn read(&mut self) -> Result<String, ReadlineError> {
        self.inner.readline(PROMPT)
    }

    /// Keeps a line for this session and later ones.
    pub(crate) fn remember(&mut self, line: &str) {
        let is_new = self
            .inner
            .add_history_entry(line.trim_end())
            .unwrap_or(false);
        if let (true, Some(path)) = (is_new, &self.history) {
            // A history that cannot be written must not disturb the session.
            let _ = self.inner.append_history(path);
        }
    }
}

#[derive(Helper, Hinter)]
struct Assistant<N: Names> {
    names: Rc<RefCell<N>>,
    colour: Colour,
}

impl<N: Names> Completer for Assistant<N> {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let text = line.get(..pos).unwrap_or(line);
        let offers = complete(text, &mut *self.names.borrow_mut());
        Ok((offers.start, offers.words))
    }
}

impl<N: Names> Validator for Assistant<N> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_finished(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl<N: Names> Highlighter for Assistant<N> {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        match self.colour {
            Colour::On => coloured(line),
            Colour::Off => Cow::Borrowed(line),
        }
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        match self.colour {
            Colour::On => Cow::Owned(paint(prompt, Style::new().effects(Effects::BOLD))),
            Colour::Off => Cow::Borrowed(prompt),
        }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.colour == Colour::On && kind != CmdKind::MoveCursor
    }
}

/// Whether Enter should run the text: it is a command, ends with `;`, is a whole statement, or
/// is wrong in a way that more text does not mend. An empty line always ends it.
fn is_finished(text: &str) -> bool {
    if text.trim().is_empty() || text.trim_start().starts_with('\\') || text.ends_with('\n') {
        return true;
    }
    let split = split_statements(text);
    let rest = text.get(split.rest.range()).unwrap_or_default();
    match split.completeness {
        Completeness::Complete => true,
        Completeness::OpenQuote | Completeness::OpenParenthesis => false,
        Completeness::NoSemicolon => match parse_statement(rest, &Limits::default()) {
            Ok(_) => true,
            Err(error) => !matches!(
                error.kind,
                ParseErrorKind::Syntax {
                    found: Found::End,
                    ..
                }
            ),
        },
    }
}

fn coloured(text: &str) -> Cow<'_, str> {
    if text.len() > COLOURED_BYTES_MAX || text.trim_start().starts_with('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for (span, class) in classify(text) {
        let range = span.range();
        out.push_str(text.get(at..range.start).unwrap_or_default());
        at = range.end;
        let piece = text.get(range).unwrap_or_default();
        match style_of(class) {
            Some(style) => out.push_str(&paint(piece, style)),
            None => out.push_str(piece),
        }
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(out)
}

fn paint(text: &str, style: Style) -> String {
    format!("{}{text}{}", style.render(), style.render_reset())
}

fn style_of(class: TokenClass) -> Option<Style> {
    let colour = |colour: AnsiColor| Some(colour.on_default());
    match class {
        TokenClass::Keyword => Some(AnsiColor::Blue.on_default().effects(Effects::BOLD)),
        TokenClass::String => colour(AnsiColor::Green),
        TokenClass::Number | TokenClass::Time => colour(AnsiColor::Cyan),
        TokenClass::Parameter => colour(AnsiColor::Magenta),
        TokenClass::Comment => Some(Style::new().effects(Effects::DIMMED)),
        TokenClass::Error => colour(AnsiColor::Red),
        TokenClass::Name | TokenClass::Operator => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_runs_what_is_whole() {
        let check =
            |text: &str, expected: bool| assert_eq!(is_finished(text), expected, "{text:?}");
        check("", true);
        check("\\help", true);
        check("COUNT ALL", true);
        check("COUNT ALL;", true);
        check("COUNT tag:a AND", false);
        check("COUNT", false);
        check("COUNT (tag:a", false);
        check("COUNT tag:\"a", false);
        check("COUNT tag:(a,", false);
        check("DIMENSION gender WHERE", false);
        check("COUNT tag:a AND\n", true);
        check("COUNT tag:a AND\ntag:b", true);
        check("COUNT COUNT x", true);
        check("nonsense", true);
        check("COUNT ALL; COUNT", false);
    }

    #[test]
    fn colours_add_nothing_but_colours() {
        let strip = |text: &str| {
            let mut out = String::new();
            let mut rest = text;
            while let Some((before, after)) = rest.split_once('\u{1b}') {
                out.push_str(before);
                rest = after.split_once('m').map_or("", |(_, rest)| rest);
            }
            out + rest
        };
        for text in [
            "COUNT tag:vip AND age >= 18 -- note",
            " x \"unclosed",
            "",
            "高 ' $1",
            "\\help",
        ] {
            assert_eq!(strip(&coloured(text)), text);
        }
        assert!(coloured("COUNT ALL").contains('\u{1b}'));
    }
}

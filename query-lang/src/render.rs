//! Shows an error at its place in the text.
//!
//! Knows lines, columns and how wide characters are on a terminal. Does not know what an error
//! means; the engine's errors are shown by it as well as the parser's.

use std::fmt::Write;

use unicode_normalization::char::is_combining_mark;

use crate::ast::Span;

/// A tab is shown as this many spaces.
const TAB_COLUMNS: usize = 4;

/// The most characters of a line shown before and after the place.
const CONTEXT_CHARS: usize = 60;

/// The line and the column of an offset, both counted from one, the column in characters.
/// An offset beyond the text is taken for its end.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let offset = char_boundary(text, offset);
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// The last border between characters that is not after the offset.
fn char_boundary(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

/// The message, its line and column, that line with carets under the place, and the hint.
///
/// ```
/// use tessera_query_lang::{ast::Span, render};
/// let shown = render("COUNT tag:vpi", Span::new(10, 13), "unknown tag", Some("did you mean vip?"));
/// assert_eq!(shown, "\
/// unknown tag
///   at line 1, column 11
///   1 | COUNT tag:vpi
///     |           ^^^
///   did you mean vip?");
/// ```
pub fn render(text: &str, span: Span, message: &str, hint: Option<&str>) -> String {
    let start = char_boundary(text, span.start as usize);
    let end = char_boundary(text, span.end as usize).max(start);
    let (line, column) = line_column(text, start);
    let excerpt = Excerpt::around(text, start, end);
    let gutter = line.to_string();
    let mut shown = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        shown,
        "{message}\n  at line {line}, column {column}\n  {gutter} | {line_text}\n  {blank} | {indent}{carets}",
        line_text = excerpt.line,
        blank = " ".repeat(gutter.len()),
        indent = " ".repeat(excerpt.indent_columns),
        carets = "^".repeat(excerpt.caret_columns),
    );
    if let Some(hint) = hint {
        let _ = write!(shown, "\n  {hint}");
    }
    shown
}

/// The shown part of a line.
struct Excerpt {
    /// The text, with nothing in it that moves a terminal's cursor.
    line: String,
    /// Columns before the place.
    indent_columns: usize,
    /// Columns of the place: at least one.
    caret_columns: usize,
}

impl Excerpt {
    fn around(text: &str, start: usize, end: usize) -> Self {
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..]
            .find('\n')
            .map_or(text.len(), |newline| start + newline);
        let line_end = if text[..line_end].ends_with('\r') {
            line_end - 1
        } else {
            line_end
        };
        let line_end = line_end.max(start);
        let end = end.min(line_end);
        let (before, cut_before) = last_chars(&text[line_start..start], CONTEXT_CHARS);
        let (place, cut_place) = first_chars(&text[start..end], CONTEXT_CHARS);
        let (after, cut_after) = match cut_place {
            Cut::Whole => first_chars(&text[end..line_end], CONTEXT_CHARS),
            Cut::Shortened => ("", Cut::Shortened),
        };
        let before = format!("{}{}", cut_before.ellipsis(), printable(before));
        let place = printable(place);
        let after = format!("{}{}", printable(after), cut_after.ellipsis());
        Self {
            indent_columns: columns(&before),
            caret_columns: columns(&place).max(1),
            line: format!("{before}{place}{after}"),
        }
    }
}

/// Whether something was left out.
#[derive(Clone, Copy)]
enum Cut {
    Whole,
    Shortened,
}

impl Cut {
    fn ellipsis(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Shortened => "…",
        }
    }
}

fn first_chars(text: &str, chars_max: usize) -> (&str, Cut) {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => (&text[..end], Cut::Shortened),
        None => (text, Cut::Whole),
    }
}

fn last_chars(text: &str, chars_max: usize) -> (&str, Cut) {
    match text.char_indices().rev().nth(chars_max) {
        Some((before, char)) => (&text[before + char.len_utf8()..], Cut::Shortened),
        None => (text, Cut::Whole),
    }
}

/// The text with tabs as spaces and other control characters as `·`.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\t' => shown.push_str(&" ".repeat(TAB_COLUMNS)),
            control if control.is_control() => shown.push('·'),
            other => shown.push(other),
        }
    }
    shown
}

fn columns(text: &str) -> usize {
    text.chars().map(char_columns).sum()
}

/// How many columns a terminal gives a character: none to a combining mark, two to the blocks
/// that Unicode's annex 11 calls wide, one to all others.
fn char_columns(char: char) -> usize {
    if is_combining_mark(char) || matches!(char, '\u{200b}'..='\u{200f}' | '\u{feff}') {
        return 0;
    }
    let is_wide = matches!(u32::from(char),
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xa960..=0xa97f | 0xac00..=0xd7a3
        | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1faff | 0x20000..=0x3fffd);
    if is_wide { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let check = |text: &str, offset: usize, expected: (usize, usize)| {
            assert_eq!(line_column(text, offset), expected, "{text:?} at {offset}");
        };
        check("", 0, (1, 1));
        check("abc", 2, (1, 3));
        check("abc", 99, (1, 4));
        check("a\nbc", 2, (2, 1));
        check("a\nbc", 1, (1, 2));
        check("高价", 3, (1, 2));
        check("高价", 4, (1, 2));
        check("a\n\n", 3, (3, 1));
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        let check = |text: &str, start: usize, end: usize, expected: [&str; 3]| {
            let shown = render(text, Span::new(start, end), "wrong", None);
            let lines: Vec<&str> = shown.lines().skip(1).collect();
            assert_eq!(lines, expected, "{text:?}");
        };
        check(
            "ab cd",
            3,
            5,
            ["  at line 1, column 4", "  1 | ab cd", "    |    ^^"],
        );
        check(
            "ab",
            2,
            2,
            ["  at line 1, column 3", "  1 | ab", "    |   ^"],
        );
        check("", 0, 0, ["  at line 1, column 1", "  1 | ", "    | ^"]);
        check(
            "x\r\n\tab\r\ny",
            4,
            6,
            ["  at line 2, column 2", "  2 |     ab", "    |     ^^"],
        );
        check(
            "高 x",
            4,
            5,
            ["  at line 1, column 3", "  1 | 高 x", "    |    ^"],
        );
        check(
            "e\u{301} x",
            4,
            5,
            ["  at line 1, column 4", "  1 | e\u{301} x", "    |   ^"],
        );
        check(
            "\u{1b} x",
            2,
            3,
            ["  at line 1, column 3", "  1 | · x", "    |   ^"],
        );
        check(
            "a\nb",
            0,
            3,
            ["  at line 1, column 1", "  1 | a", "    | ^"],
        );
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("{}!!{}", "a".repeat(500), "b".repeat(500));
        let shown = render(&text, Span::new(500, 502), "wrong", Some("right"));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines[2],
            format!("  1 | …{}!!{}…", "a".repeat(60), "b".repeat(60))
        );
        assert_eq!(lines[3], format!("    | {}^^", " ".repeat(61)));
        assert_eq!(lines[4], "  right");
    }

    #[test]
    fn any_span_is_shown() {
        for start in 0..8 {
            for end in 0..8 {
                let shown = render("é\n高x", Span { start, end }, "wrong", None);
                assert!(shown.contains('^'));
            }
        }
    }
}

//! Tables for people: headers, aligned numbers, bars, and a layout that the first rows fix so
//! that the rest can stream.
//!
//! Knows columns, rows and a width in characters. Does not know where the text goes.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, ContentLineStyle,
    LineStyle, Table, TableStyle, Width,
};

use super::bars::{bar, largest};
use super::value::{approximate, pretty, pretty_share, printable};
use crate::cli::session::{Column, ColumnRole, Datum, ResultKind};

/// The widest bar, in characters.
const BAR_WIDTH_MAX: u16 = 32;
/// A bar narrower than this says nothing.
const BAR_WIDTH_MIN: u16 = 6;
/// Room for a bar where the output has no width of its own.
const WIDTH_WITHOUT_TERMINAL: u16 = 100;

const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none().junction('│'))
    .header_separator(LineStyle::none().fill('─').junction('┼'))
    .content_lines(ContentLineStyle::none().junction('│'));

/// Whether text may carry colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Escape sequences are understood and wanted.
    On,
    /// Nothing but text.
    Off,
}

/// How an answer is laid out; made from its first rows.
#[derive(Debug)]
pub(crate) struct Layout {
    columns: Vec<Column>,
    alignments: Vec<CellAlignment>,
    bars: Option<Bars>,
    width: Option<u16>,
    colour: Colour,
    /// Widths of the columns with their padding, once the first rows have been drawn.
    widths: Vec<u16>,
}

#[derive(Debug)]
struct Bars {
    column: usize,
    largest: f64,
    width: u16,
}

impl Layout {
    /// Lays out an answer by its first rows. `width` is the terminal's, `None` for no limit.
    pub(crate) fn new(
        kind: ResultKind,
        columns: Vec<Column>,
        first: &[Vec<Datum>],
        width: Option<u16>,
        colour: Colour,
    ) -> Self {
        let alignments = (0..columns.len())
            .map(|column| alignment(first, column))
            .collect();
        let mut layout = Self {
            columns,
            alignments,
            bars: None,
            width,
            colour,
            widths: Vec::new(),
        };
        layout.bars = layout.fit_bars(kind, first);
        layout
    }

    /// Draws the header and the first rows, and keeps the widths for the rows that follow.
    pub(crate) fn first(&mut self, rows: &[Vec<Datum>]) -> String {
        let mut table = self.table(rows);
        table.set_header(self.header());
        let text = table.trim_fmt();
        self.widths = widths_of(&table.to_string());
        text
    }

    /// Draws further rows below the first ones.
    pub(crate) fn more(&self, rows: &[Vec<Datum>]) -> String {
        let mut table = self.table(rows);
        for (index, width) in self.widths.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(*width)));
            }
        }
        table.trim_fmt()
    }

    fn table(&self, rows: &[Vec<Datum>]) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE);
        match self.colour {
            Colour::On => table.enforce_styling(),
            Colour::Off => table.force_no_tty(),
        };
        match self.width {
            Some(width) => table
                .set_width(width)
                .set_content_arrangement(ContentArrangement::Dynamic),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        for row in rows {
            table.add_row(self.cells(row));
        }
        table
    }

    fn header(&self) -> Vec<Cell> {
        let mut header: Vec<Cell> = self
            .columns
            .iter()
            .zip(&self.alignments)
            .map(|(column, alignment)| {
                Cell::new(printable(&column.name))
                    .set_alignment(*alignment)
                    .add_attribute(Attribute::Bold)
            })
            .collect();
        if self.bars.is_some() {
            header.push(Cell::new(""));
        }
        header
    }

    fn cells(&self, row: &[Datum]) -> Vec<Cell> {
        let mut cells: Vec<Cell> = row
            .iter()
            .zip(self.columns.iter().zip(&self.alignments))
            .map(|(value, (column, alignment))| cell(value, column.role, *alignment))
            .collect();
        if let Some(bars) = &self.bars {
            let value = row.get(bars.column).and_then(approximate);
            cells.push(Cell::new(bar(value, bars.largest, bars.width)).fg(Color::Cyan));
        }
        cells
    }

    /// Bars stand beside dimensions, by the first measure (or share), where there is room.
    fn fit_bars(&self, kind: ResultKind, rows: &[Vec<Datum>]) -> Option<Bars> {
        if kind != ResultKind::Dimension {
            return None;
        }
        let role =
            |wanted: ColumnRole| self.columns.iter().position(|column| column.role == wanted);
        let column = role(ColumnRole::Measure).or_else(|| role(ColumnRole::Share))?;
        let largest = largest(rows.iter().map(|row| row.get(column).and_then(approximate)));
        let mut table = self.table(rows);
        table.set_header(self.header());
        let content: u16 = table
            .column_max_content_widths()
            .iter()
            .map(|width| width.saturating_add(3))
            .sum();
        // Two of padding and one of junction for every column but the last, which has no junction.
        let room = self
            .width
            .unwrap_or(WIDTH_WITHOUT_TERMINAL)
            .saturating_sub(content.saturating_add(2));
        let width = room.min(BAR_WIDTH_MAX);
        (largest > 0.0 && width >= BAR_WIDTH_MIN).then_some(Bars {
            column,
            largest,
            width,
        })
    }
}

/// Reads the widths of the drawn columns from the line below the header.
fn widths_of(drawn: &str) -> Vec<u16> {
    let separator = drawn
        .lines()
        .find(|line| line.contains('─') && line.chars().all(|c| matches!(c, '─' | '┼')));
    separator.map_or_else(Vec::new, |line| {
        line.split('┼')
            .map(|part| u16::try_from(part.chars().count()).unwrap_or(u16::MAX))
            .collect()
    })
}

/// Numbers stand on the right; a column of which nothing is known yet, on the left.
fn alignment(rows: &[Vec<Datum>], column: usize) -> CellAlignment {
    let mut values = rows
        .iter()
        .filter_map(|row| row.get(column))
        .filter(|v| **v != Datum::Null)
        .peekable();
    let numbers = values.peek().is_some() && values.all(|value| approximate(value).is_some());
    if numbers {
        CellAlignment::Right
    } else {
        CellAlignment::Left
    }
}

fn cell(value: &Datum, role: ColumnRole, alignment: CellAlignment) -> Cell {
    match (value, role) {
        (Datum::Null, ColumnRole::Dim) => Cell::new("(missing)").add_attribute(Attribute::Dim),
        (_, ColumnRole::Share) => {
            Cell::new(pretty_share(value)).set_alignment(CellAlignment::Right)
        }
        (_, ColumnRole::Dim | ColumnRole::Value | ColumnRole::Measure) => {
            Cell::new(pretty(value)).set_alignment(alignment)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(roles: &[(&str, ColumnRole)]) -> Vec<Column> {
        roles
            .iter()
            .map(|(name, role)| Column {
                name: (*name).to_owned(),
                role: *role,
            })
            .collect()
    }

    fn text(text: &str) -> Datum {
        Datum::Text(text.to_owned())
    }

    fn genders() -> (Vec<Column>, Vec<Vec<Datum>>) {
        let columns = columns(&[
            ("gender", ColumnRole::Dim),
            ("count", ColumnRole::Measure),
            ("share", ColumnRole::Share),
        ]);
        let rows = vec![
            vec![text("female"), Datum::Integer(18_112), Datum::Real(0.75)],
            vec![text("male"), Datum::Integer(4_528), Datum::Real(0.1875)],
            vec![Datum::Null, Datum::Integer(0), Datum::Real(0.0625)],
        ];
        (columns, rows)
    }

    fn draw(width: Option<u16>) -> String {
        let (columns, rows) = genders();
        Layout::new(ResultKind::Dimension, columns, &rows, width, Colour::Off).first(&rows)
    }

    #[test]
    fn dimensions_have_bars_and_aligned_numbers() {
        let expected = [
            " gender    │  count │  share │",
            "───────────┼────────┼────────┼────────────────────────────────",
            " female    │ 18,112 │ 75.00% │ ██████████████████████████████",
            " male      │  4,528 │ 18.75% │ ███████▌",
            " (missing) │      0 │  6.25% │",
        ]
        .join("\n");
        assert_eq!(draw(Some(62)), expected, "\n{}", draw(Some(62)));
    }

    #[test]
    fn bars_give_way_where_the_terminal_is_narrow() {
        assert!(!draw(Some(34)).contains('█'), "\n{}", draw(Some(34)));
        for line in draw(Some(34)).lines() {
            assert!(line.chars().count() <= 34, "{line}");
        }
        assert!(draw(None).contains('█'));
    }

    #[test]
    fn long_values_wrap_within_the_terminal() {
        let rows = vec![vec![text(&"word ".repeat(40)), text(&"x".repeat(100))]];
        let names = columns(&[("a", ColumnRole::Value), ("b", ColumnRole::Value)]);
        let drawn =
            Layout::new(ResultKind::Definitions, names, &rows, Some(40), Colour::Off).first(&rows);
        assert!(
            drawn.lines().all(|line| line.chars().count() <= 40),
            "\n{drawn}"
        );
    }

    #[test]
    fn further_rows_keep_the_layout() {
        let names = columns(&[("key", ColumnRole::Value), ("age", ColumnRole::Value)]);
        let first = vec![vec![text("customer-1"), Datum::Integer(41)]];
        let mut layout = Layout::new(ResultKind::Segment, names, &first, Some(80), Colour::Off);
        assert_eq!(
            layout.first(&first),
            " key        │ age\n────────────┼─────\n customer-1 │  41"
        );
        let more = vec![
            vec![text("c2"), Datum::Integer(7)],
            vec![text("c3"), Datum::Null],
        ];
        assert_eq!(layout.more(&more), " c2         │   7\n c3         │");
    }

    #[test]
    fn colours_are_only_there_when_wanted() {
        let (columns, rows) = genders();
        let mut layout = Layout::new(ResultKind::Dimension, columns, &rows, Some(62), Colour::On);
        assert!(layout.first(&rows).contains('\u{1b}'));
        assert!(!layout.more(&rows).is_empty());
        assert!(!draw(Some(62)).contains('\u{1b}'));
    }

    #[test]
    fn an_empty_answer_still_names_its_columns() {
        let names = columns(&[("key", ColumnRole::Value)]);
        let mut layout = Layout::new(ResultKind::Segment, names, &[], Some(80), Colour::Off);
        assert_eq!(layout.first(&[]), " key\n─────");
    }
}

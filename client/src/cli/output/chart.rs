//! A line of numbers over time, drawn with characters.
//!
//! Knows numbers and a width. Does not know tables or colours.

use super::value::pretty;
use crate::cli::session::Datum;

/// From an eighth of a character's height to all of it.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Lines of the drawing.
const HEIGHT: usize = 6;
/// The widest that one number is drawn.
const STEP_MAX: usize = 4;
/// A drawing that is narrower says nothing.
const WIDTH_MIN: usize = 4;

/// Draws whole numbers from left to right, in at most `width` characters with the least and the
/// greatest beside them. Of more numbers than there is room for, the last of each few is drawn.
/// Nothing for fewer than two.
pub(crate) fn chart(numbers: &[i64], width: u16) -> String {
    let (Some(low), Some(high)) = (numbers.iter().min(), numbers.iter().max()) else {
        return String::new();
    };
    let labels = [high, low].map(|number| pretty(&Datum::Integer(*number)));
    let label_width = labels.iter().map(|label| label.chars().count()).max();
    let label_width = label_width.unwrap_or(0);
    let room = usize::from(width).saturating_sub(label_width + 3);
    if numbers.len() < 2 || room < WIDTH_MIN {
        return String::new();
    }
    let drawn = fitted(numbers, room);
    let step = (room / drawn.len().max(1)).clamp(1, STEP_MAX);
    let mut text = String::new();
    for line in (0..HEIGHT).rev() {
        let label = match line {
            0 => labels[1].as_str(),
            line if line == HEIGHT - 1 => labels[0].as_str(),
            _ => "",
        };
        let mut row = format!(" {label:>label_width$} │");
        for number in &drawn {
            let eighths = level(*number, *low, *high).saturating_sub(line * 8).min(8);
            row.extend(std::iter::repeat_n(EIGHTHS[eighths], step));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// How many eighths of a line a number is high: the least one, the greatest all.
fn level(number: i64, low: i64, high: i64) -> usize {
    let above = number.abs_diff(low) as f64;
    let whole = high.abs_diff(low) as f64;
    let most = (HEIGHT * 8 - 1) as f64;
    match whole > 0.0 {
        true => 1 + (above / whole * most).round() as usize,
        false => HEIGHT * 4,
    }
}

/// As many numbers as there is room for.
fn fitted(numbers: &[i64], room: usize) -> Vec<i64> {
    if numbers.len() <= room {
        return numbers.to_vec();
    }
    (1..=room)
        .filter_map(|column| numbers.get(column * numbers.len() / room - 1).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_rises_from_the_least_to_the_greatest() {
        assert_eq!(
            chart(&[0, 24, 47], 12),
            concat!(
                " 47 │    ██\n",
                "    │    ██\n",
                "    │  ▁▁██\n",
                "    │  ████\n",
                "    │  ████\n",
                "  0 │▁▁████\n",
            )
        );
    }

    #[test]
    fn a_line_is_as_wide_as_there_is_room() {
        let width = |numbers: &[i64], width: u16| {
            let drawn = chart(numbers, width);
            drawn.lines().map(|line| line.chars().count()).max()
        };
        let many: Vec<i64> = (0..1_000).collect();
        assert_eq!(width(&many, 80), Some(80));
        assert_eq!(width(&[1, 2], 80), Some(4 + 2 * STEP_MAX));
        assert_eq!(chart(&[1], 80), "");
        assert_eq!(chart(&[], 80), "");
        assert_eq!(chart(&[1, 2], 6), "");
        assert_eq!(
            fitted(&many, 10),
            [99, 199, 299, 399, 499, 599, 699, 799, 899, 999]
        );
        assert!(chart(&[i64::MIN, i64::MAX], 80).contains('█'));
    }
}

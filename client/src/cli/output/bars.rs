//! Bars in eighths of a character.
//!
//! Knows numbers and a width. Does not know tables or colours.

/// From an eighth to a whole.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// A bar of at most `width` characters for `value`, where `largest` fills it. Nothing for what
/// cannot be drawn: zero, negative and absent numbers. What is above zero shows at least an
/// eighth, so that few never look like none.
pub(crate) fn bar(value: Option<f64>, largest: f64, width: u16) -> String {
    let Some(value) = value.filter(|value| *value > 0.0 && largest > 0.0) else {
        return String::new();
    };
    let whole = f64::from(width) * 8.0;
    let eighths = (value / largest * whole).round().clamp(1.0, whole.max(1.0)) as usize;
    let mut bar = String::with_capacity((eighths / 8 + 1) * 3);
    bar.extend(std::iter::repeat_n(EIGHTHS[7], eighths / 8));
    if let Some(rest) = (eighths % 8).checked_sub(1) {
        bar.push(EIGHTHS[rest]);
    }
    bar
}

/// The largest of the numbers that can be drawn; 0 when there is none.
pub(crate) fn largest(values: impl IntoIterator<Item = Option<f64>>) -> f64 {
    values.into_iter().flatten().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_drawn_in_eighths() {
        let check = |value: Option<f64>, largest: f64, width: u16, expected: &str| {
            assert_eq!(
                bar(value, largest, width),
                expected,
                "{value:?} of {largest} in {width}"
            );
        };
        check(Some(8.0), 8.0, 2, "██");
        check(Some(4.0), 8.0, 2, "█");
        check(Some(1.0), 8.0, 1, "▏");
        check(Some(7.0), 8.0, 1, "▉");
        check(Some(9.0), 16.0, 2, "█▏");
        check(Some(0.000_1), 8.0, 2, "▏");
        check(Some(80.0), 8.0, 2, "██");
        check(Some(0.0), 8.0, 2, "");
        check(Some(-3.0), 8.0, 2, "");
        check(None, 8.0, 2, "");
        check(Some(f64::NAN), 8.0, 2, "");
        check(Some(1.0), 0.0, 2, "");
    }

    #[test]
    fn the_largest_ignores_what_cannot_be_drawn() {
        assert!((largest([None, Some(-1.0), Some(2.5)]) - 2.5).abs() < f64::EPSILON);
        assert!(largest([None]).abs() < f64::EPSILON);
    }
}

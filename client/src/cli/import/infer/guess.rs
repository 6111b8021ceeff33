//! What one column is, by its values and its name.
//!
//! Knows the forms of values. Does not know the other columns.

use std::collections::HashSet;

use super::sample::{Column, Form};
use crate::cli::import::mapping::AttributeKind;
use crate::cli::import::value::Reading;

/// What people write for "no value" in columns of numbers and dates.
const MARKERS: [&str; 10] = [
    "NA", "N/A", "n/a", "NULL", "null", "NaN", "nan", "None", "-", "?",
];
/// The forms of dates, least surprising first.
const DATE_FORMATS: [&str; 6] = [
    "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y-%m",
];
/// The forms of moments beside RFC 3339.
const TIMESTAMP_FORMATS: [&str; 4] = [
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%Y/%m/%d %H:%M:%S",
];
/// More different values than this do not make a list to choose from.
const ENUM_VALUES_MAX: usize = 200;
/// More different values than this do not make the values of a multi.
const MULTI_VALUES_MAX: usize = 1_000;
/// What stands between the values of a multi.
const SEPARATORS: [&str; 2] = [";", "|"];
/// Names of columns that hold the key of another user.
const USER_NAMES: [&str; 6] = [
    "invited_by",
    "referred_by",
    "referrer",
    "referrer_id",
    "parent_user",
    "manager_id",
];

/// What a column is taken for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guess {
    /// What it is taken for.
    pub(crate) what: What,
    /// The reason, for the person who reads the proposal.
    pub(crate) why: String,
}

/// What a column is taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// An attribute.
    Attribute {
        /// Its type.
        kind: AttributeKind,
        /// Digits after the point of a decimal.
        scale: Option<u8>,
        /// The form of a date or timestamp that is not ISO.
        format: Option<&'static str>,
        /// Between the values of a multi.
        separator: Option<&'static str>,
        /// What stands for "no value" beside nothing.
        missing: Vec<&'static str>,
    },
    /// A tag for those who have not zero.
    Flag,
    /// Nothing to import.
    Nothing,
}

impl What {
    fn attribute(kind: AttributeKind) -> Self {
        Self::Attribute {
            kind,
            scale: None,
            format: None,
            separator: None,
            missing: Vec::new(),
        }
    }
}

/// Guesses what a column is.
pub(crate) fn guess(column: &Column) -> Guess {
    let values: Vec<&str> = column.values.iter().map(String::as_str).collect();
    if values.is_empty() {
        return Guess {
            what: What::Nothing,
            why: "no value in the sample".to_owned(),
        };
    }
    if column.form == Form::Lists {
        return Guess {
            what: What::attribute(AttributeKind::Multi),
            why: "lists".to_owned(),
        };
    }
    let distinct: HashSet<&str> = values.iter().copied().collect();
    guess_flag(&distinct)
        .or_else(|| guess_typed(&values))
        .or_else(|| guess_typed_with_markers(&values))
        .or_else(|| guess_user(&column.name))
        .or_else(|| guess_multi(&values))
        .unwrap_or_else(|| guess_text(values.len(), &distinct))
}

fn guess_flag(distinct: &HashSet<&str>) -> Option<Guess> {
    let words = ["true", "false", "yes", "no", "y", "n", "t"];
    let is_word = |value: &&str| words.iter().any(|word| word.eq_ignore_ascii_case(value));
    if distinct.len() == 2 && distinct.contains("0") && distinct.contains("1") {
        return Some(Guess {
            what: What::Flag,
            why: "only 0 and 1".to_owned(),
        });
    }
    let two = distinct.len() == 2 || distinct.iter().any(|value| value.len() > 3);
    (two && distinct.iter().all(is_word)).then(|| Guess {
        what: What::attribute(AttributeKind::Boolean),
        why: "only words for true and false".to_owned(),
    })
}

fn guess_typed_with_markers(values: &[&str]) -> Option<Guess> {
    let markers: Vec<&'static str> = MARKERS
        .into_iter()
        .filter(|marker| values.contains(marker))
        .collect();
    let rest: Vec<&str> = values
        .iter()
        .copied()
        .filter(|value| !MARKERS.contains(value))
        .collect();
    if markers.is_empty() || rest.is_empty() {
        return None;
    }
    let mut guess = guess_typed(&rest)?;
    if let What::Attribute { missing, .. } = &mut guess.what {
        guess.why = format!("{}, and {}", guess.why, markers.join(" "));
        *missing = markers;
    }
    Some(guess)
}

fn guess_typed(values: &[&str]) -> Option<Guess> {
    guess_number(values)
        .or_else(|| guess_date(values))
        .or_else(|| guess_timestamp(values))
}

fn guess_number(values: &[&str]) -> Option<Guess> {
    // 007 is a code and not a number: its zeros would be lost.
    let is_code = |value: &&str| {
        let digits = value.trim_start_matches(['-', '+']);
        digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.")
    };
    if values.iter().any(is_code) {
        return None;
    }
    if all_read(values, AttributeKind::Integer, 0, None) {
        let why = "whole numbers".to_owned();
        return Some(Guess {
            what: What::attribute(AttributeKind::Integer),
            why,
        });
    }
    let digits = |value: &&str| {
        value
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len())
    };
    let scale = u8::try_from(values.iter().map(digits).max()?)
        .ok()
        .filter(|scale| *scale <= 18)?;
    all_read(values, AttributeKind::Decimal, scale, None).then(|| Guess {
        what: What::Attribute {
            kind: AttributeKind::Decimal,
            scale: Some(scale),
            format: None,
            separator: None,
            missing: Vec::new(),
        },
        why: format!("numbers with up to {scale} digits after the point"),
    })
}

fn guess_date(values: &[&str]) -> Option<Guess> {
    if all_read(values, AttributeKind::Date, 0, None)
        && values.iter().all(|value| value.len() == 10)
    {
        return Some(Guess {
            what: What::attribute(AttributeKind::Date),
            why: "dates".to_owned(),
        });
    }
    guess_formatted(values, AttributeKind::Date, &DATE_FORMATS, "dates")
}

fn guess_timestamp(values: &[&str]) -> Option<Guess> {
    if all_read(values, AttributeKind::Timestamp, 0, None) {
        let why = "moments; without an offset UTC is meant".to_owned();
        return Some(Guess {
            what: What::attribute(AttributeKind::Timestamp),
            why,
        });
    }
    guess_formatted(
        values,
        AttributeKind::Timestamp,
        &TIMESTAMP_FORMATS,
        "moments (UTC)",
    )
}

fn guess_formatted(
    values: &[&str],
    kind: AttributeKind,
    formats: &[&'static str],
    noun: &str,
) -> Option<Guess> {
    let format = formats
        .iter()
        .copied()
        .find(|format| all_read(values, kind, 0, Some(format)))?;
    Some(Guess {
        what: What::Attribute {
            kind,
            scale: None,
            format: Some(format),
            separator: None,
            missing: Vec::new(),
        },
        why: format!("{noun} of the form {format}"),
    })
}

fn all_read(values: &[&str], kind: AttributeKind, scale: u8, format: Option<&str>) -> bool {
    values.iter().all(|value| {
        Reading {
            kind,
            scale,
            format,
        }
        .read(value)
        .is_ok()
    })
}

fn guess_user(name: &str) -> Option<Guess> {
    USER_NAMES
        .contains(&name.to_lowercase().as_str())
        .then(|| Guess {
            what: What::attribute(AttributeKind::User),
            why: "by its name, keys of other users".to_owned(),
        })
}

fn guess_multi(values: &[&str]) -> Option<Guess> {
    SEPARATORS.into_iter().find_map(|separator| {
        let several = values
            .iter()
            .filter(|value| value.contains(separator))
            .count();
        let distinct: HashSet<&str> = values
            .iter()
            .flat_map(|value| value.split(separator))
            .collect();
        let few = distinct.len() <= MULTI_VALUES_MAX && distinct.len() < values.len();
        (several * 10 >= values.len() && few).then(|| Guess {
            what: What::Attribute {
                kind: AttributeKind::Multi,
                scale: None,
                format: None,
                separator: Some(separator),
                missing: Vec::new(),
            },
            why: format!("{} different values, several in a row", distinct.len()),
        })
    })
}

fn guess_text(count: usize, distinct: &HashSet<&str>) -> Guess {
    let repeated = distinct.len() * 2 <= count || (count < 20 && distinct.len() < count);
    let (kind, why) = match distinct.len() {
        1 => (AttributeKind::Enum, "1 value".to_owned()),
        few if few <= ENUM_VALUES_MAX && repeated => {
            (AttributeKind::Enum, format!("{few} different values"))
        }
        many => (AttributeKind::Text, format!("{many} different values")),
    };
    Guess {
        what: What::attribute(kind),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[&str]) -> Column {
        Column {
            name: "x".to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            form: Form::Single,
        }
    }

    fn attribute(kind: AttributeKind) -> What {
        What::attribute(kind)
    }

    #[test]
    fn values_tell_the_type() {
        let check = |values: &[&str], expected: What| {
            assert_eq!(guess(&column(values)).what, expected, "{values:?}");
        };
        use AttributeKind as Kind;
        check(&[], What::Nothing);
        check(&["0", "1", "1"], What::Flag);
        check(&["1", "1"], attribute(Kind::Integer));
        check(&["true", "false"], attribute(Kind::Boolean));
        check(&["true"], attribute(Kind::Boolean));
        check(&["Y", "N", "Y"], attribute(Kind::Boolean));
        check(&["M", "F", "M"], attribute(Kind::Enum));
        check(&["1", "-20", "300"], attribute(Kind::Integer));
        check(&["007", "008", "007", "008"], attribute(Kind::Enum));
        check(&["2026-01-31", "2025-12-01"], attribute(Kind::Date));
        check(
            &["2026-01-31T10:00:00Z", "2026-01-31 10:00:00"],
            attribute(Kind::Timestamp),
        );
        check(&["a", "b", "a", "b"], attribute(Kind::Enum));
        check(&["a", "b", "c", "d"], attribute(Kind::Text));
        check(&["2026-13-31", "2026-13-31"], attribute(Kind::Enum));
    }

    #[test]
    fn forms_and_markers_are_found() {
        let check = |values: &[&str],
                     expected: (
            AttributeKind,
            Option<u8>,
            Option<&str>,
            Option<&str>,
            &[&str],
        )| {
            let What::Attribute {
                kind,
                scale,
                format,
                separator,
                missing,
            } = guess(&column(values)).what
            else {
                return assert_eq!(values, [""; 0], "not an attribute");
            };
            assert_eq!(
                (kind, scale, format, separator, missing.as_slice()),
                expected,
                "{values:?}"
            );
        };
        use AttributeKind as Kind;
        check(
            &["1.5", "2", "-0.125"],
            (Kind::Decimal, Some(3), None, None, &[]),
        );
        check(
            &["31/01/2026", "01/02/2026"],
            (Kind::Date, None, Some("%d/%m/%Y"), None, &[]),
        );
        check(
            &["01/31/2026", "01/02/2026"],
            (Kind::Date, None, Some("%m/%d/%Y"), None, &[]),
        );
        check(
            &["2005-04", "2005-09"],
            (Kind::Date, None, Some("%Y-%m"), None, &[]),
        );
        check(
            &["31.01.2026 10:30"],
            (Kind::Timestamp, None, Some("%d.%m.%Y %H:%M"), None, &[]),
        );
        check(
            &["1", "NA", "3", "-"],
            (Kind::Integer, None, None, None, &["NA", "-"]),
        );
        check(
            &["a;b", "b", "a", "a;b", "b;a"],
            (Kind::Multi, None, None, Some(";"), &[]),
        );
    }

    #[test]
    fn a_name_may_tell_a_reference() {
        let mut invited = column(&["u1", "u2", "u1"]);
        invited.name = "Invited_By".to_owned();
        assert_eq!(guess(&invited).what, attribute(AttributeKind::User));
    }
}

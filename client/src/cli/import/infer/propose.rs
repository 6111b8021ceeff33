//! The proposal as a mapping file with its reasons.
//!
//! Knows which column is likely the key. Does not know how a single column is guessed.

use std::collections::HashSet;
use std::fmt::Write;

use super::guess::{What, guess};
use super::sample::{Column, Form, Sample};
use crate::cli::import::mapping::AttributeKind;

/// Names of key columns, likeliest first.
const KEY_NAMES: [&str; 12] = [
    "key",
    "user_id",
    "userid",
    "user",
    "customer_id",
    "customerid",
    "client_id",
    "member_id",
    "id",
    "uid",
    "uuid",
    "email",
];

/// Proposes a mapping as TOML. `None` when no column can be the key.
pub(crate) fn propose(sample: &Sample) -> Option<String> {
    let (key, why) = choose_key(sample)?;
    let mut text = String::new();
    line(
        &mut text,
        &format!(
            "# Proposed from the first {} rows. Read it before you trust it.",
            sample.rows
        ),
    );
    line(
        &mut text,
        &format!("key = {}  # {why}", quoted(&sample.columns[key].name)),
    );
    if sample.delimiter != b',' {
        line(
            &mut text,
            &format!(
                "delimiter = {}",
                quoted(&char::from(sample.delimiter).to_string())
            ),
        );
    }
    for (index, column) in sample.columns.iter().enumerate() {
        if index != key {
            text.push('\n');
            propose_column(column, &mut text);
        }
    }
    Some(text)
}

fn propose_column(column: &Column, text: &mut String) {
    let guess = guess(column);
    match guess.what {
        What::Nothing => line(
            text,
            &format!("# column {}: {}", quoted(&column.name), guess.why),
        ),
        What::Flag => {
            line(text, &format!("[[tag]]  # {}", guess.why));
            line(text, &format!("column = {}", quoted(&column.name)));
            line(text, &format!("name = {}", quoted(&tidy(&column.name))));
            line(text, "by = \"non-zero\"");
        }
        What::Attribute {
            kind,
            scale,
            format,
            separator,
            missing,
        } => {
            line(text, &format!("[[attribute]]  # {}", guess.why));
            line(text, &format!("column = {}", quoted(&column.name)));
            line(text, &format!("name = {}", quoted(&tidy(&column.name))));
            line(
                text,
                &format!("type = {}", quoted(&kind.keyword().to_lowercase())),
            );
            optional(text, "scale", scale.map(|scale| scale.to_string()));
            optional(text, "format", format.map(quoted));
            optional(text, "separator", separator.map(quoted));
            let markers: Vec<String> = std::iter::once("")
                .chain(missing.iter().copied())
                .map(quoted)
                .collect();
            optional(
                text,
                "missing",
                (!missing.is_empty()).then(|| format!("[{}]", markers.join(", "))),
            );
            if kind == AttributeKind::Multi {
                line(
                    text,
                    "mode = \"add\"  # or \"replace\", where a row has the whole list",
                );
            }
        }
    }
}

fn optional(text: &mut String, name: &str, value: Option<String>) {
    if let Some(value) = value {
        line(text, &format!("{name} = {value}"));
    }
}

fn line(text: &mut String, line: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{line}");
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned())
        .to_string()
        .replace('\n', "\\n")
}

/// A name that needs no quotes in the query language, as far as white space is concerned.
fn tidy(name: &str) -> String {
    let joined = name.split_whitespace().collect::<Vec<_>>().join("_");
    if joined.is_empty() {
        "column".to_owned()
    } else {
        joined
    }
}

/// A key is in every row. Among those, a unique one wins, then the name that says so; where no
/// column is unique, only the name is left.
fn choose_key(sample: &Sample) -> Option<(usize, String)> {
    let candidates = sample.columns.iter().enumerate().filter(|(_, column)| {
        column.form == Form::Single && column.values.len() == sample.rows && !column.name.is_empty()
    });
    let scored = candidates.map(|(index, column)| {
        let distinct = column.values.iter().collect::<HashSet<_>>().len();
        (score(column, distinct == sample.rows), index, distinct)
    });
    let (score, index, distinct) = leftmost_best(scored)?;
    if score == 0 {
        return None;
    }
    let why = match distinct == sample.rows {
        true => "in every row, and each time another".to_owned(),
        false => format!(
            "by its name; {distinct} users in {} rows, whose rows add up",
            sample.rows
        ),
    };
    Some((index, why))
}

fn score(column: &Column, unique: bool) -> u32 {
    let name = column.name.to_lowercase().replace([' ', '-'], "_");
    let last = name.rsplit('.').next().unwrap_or(&name);
    let by_name = match KEY_NAMES.iter().position(|known| *known == last) {
        Some(position) => 40 - u32::try_from(position).unwrap_or(20),
        None if last.ends_with("_id") || last.starts_with("id_") || last.ends_with("_key") => 20,
        None => 0,
    };
    let looks_measured = matches!(
        guess(column).what,
        What::Attribute {
            kind: AttributeKind::Decimal
                | AttributeKind::Date
                | AttributeKind::Timestamp
                | AttributeKind::Boolean,
            ..
        }
    );
    if unique && !looks_measured {
        100 + by_name
    } else {
        by_name
    }
}

/// The first of those with the highest score.
fn leftmost_best(scored: impl Iterator<Item = (u32, usize, usize)>) -> Option<(u32, usize, usize)> {
    scored.fold(None, |best: Option<(u32, usize, usize)>, next| match best {
        Some((score, _, _)) if score >= next.0 => best,
        Some(_) | None => Some(next),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;
    use crate::cli::import::mapping::{Mapping, TagBy};
    use crate::cli::import::records::FileFormat;

    fn proposal(text: &str) -> Option<Mapping> {
        let sample = Sample::read(text.as_bytes().to_vec(), FileFormat::Csv, None).unwrap();
        propose(&sample).map(|text| Mapping::parse(&text).unwrap())
    }

    #[test]
    fn a_table_of_customers_is_understood() {
        let mapping = proposal(
            "customer_id,gender,age,credit limit,defaulted_next,joined,notes\n\
             1,female,24,20000.50,1,2026-01-01,\n2,female,26,120000,0,2026-01-02,\n\
             3,male,34,90000.25,0,2026-01-03,\n4,male,24,1,1,2026-01-03,\n",
        )
        .unwrap();
        assert_eq!(mapping.key, "customer_id");
        let attributes: Vec<_> = mapping
            .attributes
            .iter()
            .map(|rule| (rule.target(), rule.kind, rule.scale))
            .collect();
        assert_eq!(
            attributes,
            [
                ("gender", AttributeKind::Enum, None),
                ("age", AttributeKind::Integer, None),
                ("credit_limit", AttributeKind::Decimal, Some(2)),
                ("joined", AttributeKind::Date, None),
            ]
        );
        assert_eq!(mapping.tags.len(), 1);
        assert_eq!(mapping.tags[0].name.as_deref(), Some("defaulted_next"));
        assert_eq!(mapping.tags[0].by, TagBy::NonZero);
    }

    #[test]
    fn the_key_is_found_by_uniqueness_and_name() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                proposal(text).map(|mapping| mapping.key).as_deref(),
                expected,
                "{text}"
            );
        };
        check("n,email\n1,a@x\n2,b@x\n", Some("email"));
        check("x,y\na,1\nb,1\n", Some("x"));
        check("invoice,customer_id\n1,7\n2,7\n", Some("invoice"));
        check("invoice,customer_id\n1,7\n1,7\n", Some("customer_id"));
        check("x,y\na,1\na,1\n", None);
        check("spend,who\n1.5,a\n2.5,b\n", Some("who"));
    }

    #[test]
    fn strange_names_survive() {
        let mapping = proposal("id\tthe \"x\"\\\t\n1\ta\t\n2\tb\t\n").unwrap();
        assert_eq!(mapping.delimiter_byte(), Some(b'\t'));
        assert_eq!(mapping.attributes[0].column, "the \"x\"\\");
    }
}

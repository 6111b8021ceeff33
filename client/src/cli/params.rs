//! `--param name=value` → a typed value.
//!
//! Knows the forms of literals. Does not know the statement that the value is for.

use jiff::civil::Date;
use tessera_query_lang::timestamp::parse_timestamp;

use super::error::CliError;
use super::import::{AttributeKind, Reading};
use super::session::{Datum, Parameter};

/// Reads all of them; a name may be there once.
pub(crate) fn read_parameters(texts: &[String]) -> Result<Vec<Parameter>, CliError> {
    let mut parameters: Vec<Parameter> = Vec::with_capacity(texts.len());
    for text in texts {
        let parameter = read_parameter(text)
            .map_err(|reason| CliError::Usage(format!("--param {text:?}: {reason}")))?;
        if parameters.iter().any(|known| known.name == parameter.name) {
            return Err(CliError::Usage(format!(
                "--param {:?} is given twice",
                parameter.name
            )));
        }
        parameters.push(parameter);
    }
    Ok(parameters)
}

fn read_parameter(text: &str) -> Result<Parameter, String> {
    let (left, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let (name, value) = match left.split_once(':') {
        None => (left, guess(value)),
        Some((name, kind)) => (name, typed(kind, value)?),
    };
    let name = name.strip_prefix('$').unwrap_or(name);
    if name.is_empty() {
        return Err("expected a name before the equals sign".to_owned());
    }
    Ok(Parameter {
        name: name.to_owned(),
        value,
    })
}

/// Whatever it looks like, as in a statement; else a text.
fn guess(text: &str) -> Datum {
    let looks_numeric = text
        .trim_start_matches('-')
        .starts_with(|c: char| c.is_ascii_digit());
    match text {
        "true" => return Datum::Boolean(true),
        "false" => return Datum::Boolean(false),
        _ => {}
    }
    if !looks_numeric || text.contains(['e', 'E', ' ']) {
        return Datum::Text(text.to_owned());
    }
    let read = |kind| {
        Reading {
            kind,
            scale: fraction_digits(text),
            format: None,
        }
        .read(text)
        .ok()
    };
    if let Ok(integer) = text.parse() {
        return Datum::Integer(integer);
    }
    let is_date = text.len() == 10 && text.parse::<Date>().is_ok();
    let guessed = match (is_date, text.contains('T')) {
        (true, _) => read(AttributeKind::Date),
        (false, true) => parse_timestamp(text)
            .ok()
            .map(|moment| Datum::Timestamp(moment.as_microsecond())),
        (false, false) if fraction_digits(text) > 0 => read(AttributeKind::Decimal),
        (false, false) => None,
    };
    guessed.unwrap_or_else(|| Datum::Text(text.to_owned()))
}

fn typed(kind: &str, text: &str) -> Result<Datum, String> {
    let kind = match kind {
        "text" => return Ok(Datum::Text(text.to_owned())),
        "integer" => AttributeKind::Integer,
        "decimal" => AttributeKind::Decimal,
        "boolean" => AttributeKind::Boolean,
        "date" => AttributeKind::Date,
        "timestamp" => AttributeKind::Timestamp,
        _ => {
            return Err(
                "the types are text, integer, decimal, boolean, date and timestamp".to_owned(),
            );
        }
    };
    Reading {
        kind,
        scale: fraction_digits(text),
        format: None,
    }
    .read(text)
}

fn fraction_digits(text: &str) -> u8 {
    let digits = text
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    u8::try_from(digits.min(18)).unwrap_or(18)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_guessed_or_said() {
        let check = |text: &str, name: &str, value: Datum| {
            assert_eq!(
                read_parameter(text),
                Ok(Parameter {
                    name: name.to_owned(),
                    value
                }),
                "{text}"
            );
        };
        let text = |text: &str| Datum::Text(text.to_owned());
        check("n=42", "n", Datum::Integer(42));
        check("$n=-42", "n", Datum::Integer(-42));
        check("1=x", "1", text("x"));
        check(
            "d=1.50",
            "d",
            Datum::Decimal {
                units: 150,
                scale: 2,
            },
        );
        check("b=true", "b", Datum::Boolean(true));
        check("b=yes", "b", text("yes"));
        check("when=1970-01-02", "when", Datum::Date(1));
        check(
            "when=1970-01-01T00:00:01Z",
            "when",
            Datum::Timestamp(1_000_000),
        );
        check("when=2026-13-40", "when", text("2026-13-40"));
        check("x=", "x", text(""));
        check("x=a=b", "x", text("a=b"));
        check("x=1e5", "x", text("1e5"));
        check("x=85123A", "x", text("85123A"));
        check("x=99999999999999999999", "x", text("99999999999999999999"));
        check("k:text=42", "k", text("42"));
        check(
            "k:decimal=42",
            "k",
            Datum::Decimal {
                units: 42,
                scale: 0,
            },
        );
        check("k:boolean=yes", "k", Datum::Boolean(true));
        check(
            "k:timestamp=1970-01-02",
            "k",
            Datum::Timestamp(86_400_000_000),
        );
    }

    #[test]
    fn what_is_no_parameter_says_why() {
        let check = |texts: &[&str], expected: &str| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            let message = read_parameters(&texts)
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(message.contains(expected), "{message}");
        };
        check(&["x"], "expected NAME=VALUE");
        check(&["=1"], "expected a name");
        check(&["x:integer=a"], "\"a\" is not a whole number");
        check(&["x:number=1"], "the types are");
        check(&["x=1", "x=2"], "given twice");
    }
}

//! Why one user is in an expression, or is not.

use tessera_protocol::message::Datum;

use crate::{answer::Answer, error::Error};

/// Why one user is in an expression, or is not: the expression's tree in the order of reading.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Why {
    /// Its parts, each followed by those beneath it.
    pub parts: Vec<WhyPart>,
    /// What the server says beside them.
    pub warnings: Vec<String>,
}

/// A part of an expression, for one user.
#[derive(Debug, Clone, PartialEq)]
pub struct WhyPart {
    /// How deep it stands; 0 for the whole.
    pub depth: u64,
    /// As it is written.
    pub expression: String,
    /// Whether it is so of the user.
    pub holds: bool,
    /// What is so of the user, where a leaf asks.
    pub value: Datum,
    /// Whether it is one of a smallest set that, changed, would bring the user in.
    pub changes: bool,
}

impl Why {
    /// Whether the user is in the expression.
    pub fn holds(&self) -> bool {
        self.parts.first().is_some_and(|whole| whole.holds)
    }

    /// Those parts that, changed, would bring the user in.
    pub fn changes(&self) -> impl Iterator<Item = &WhyPart> {
        self.parts.iter().filter(|part| part.changes)
    }

    /// Reads an answer's rows `depth`, `expression`, `holds`, `value`, `changes`; no rows, no
    /// user.
    pub(crate) fn read(answer: Answer) -> Result<Option<Self>, Error> {
        if answer.rows.is_empty() {
            return Ok(None);
        }
        let parts: Result<Vec<WhyPart>, Error> = answer.rows.into_iter().map(part).collect();
        Ok(Some(Self {
            parts: parts?,
            warnings: answer.summary.warnings,
        }))
    }
}

fn part(row: Vec<Datum>) -> Result<WhyPart, Error> {
    let mut row = row.into_iter();
    let (Some(Datum::Integer(depth)), Some(Datum::Text(text)), Some(Datum::Boolean(holds))) =
        (row.next(), row.next(), row.next())
    else {
        return Err(Error::Unexpected(
            "a part of an expression is not a depth, a text and a truth".to_owned(),
        ));
    };
    let value = row.next().unwrap_or(Datum::Null);
    let changes = !matches!(row.next(), Some(Datum::Null) | None);
    Ok(WhyPart {
        depth: u64::try_from(depth).unwrap_or(0),
        expression: text.trim_start().to_owned(),
        holds,
        value,
        changes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(depth: i64, text: &str, holds: bool, value: Datum, changes: Datum) -> Vec<Datum> {
        vec![
            Datum::Integer(depth),
            text.into(),
            Datum::Boolean(holds),
            value,
            changes,
        ]
    }

    #[test]
    fn rows_become_parts() -> Result<(), Error> {
        let rows = vec![
            row(0, "AND", false, Datum::Null, Datum::Null),
            row(1, "  tag:vip", false, Datum::Null, "must hold".into()),
            row(1, "  age >= 18", true, Datum::Integer(30), Datum::Null),
        ];
        let answer = Answer {
            rows,
            ..Answer::default()
        };
        let why = Why::read(answer)?.unwrap_or_default();
        assert!(!why.holds());
        let changes: Vec<&str> = why.changes().map(|part| part.expression.as_str()).collect();
        assert_eq!(changes, ["tag:vip"]);
        assert_eq!(
            (why.parts[2].depth, &why.parts[2].value),
            (1, &Datum::Integer(30))
        );
        Ok(())
    }

    #[test]
    fn no_rows_are_no_user_and_odd_rows_an_error() {
        assert!(matches!(Why::read(Answer::default()), Ok(None)));
        let answer = Answer {
            rows: vec![vec![Datum::Null]],
            ..Answer::default()
        };
        assert!(matches!(Why::read(answer), Err(Error::Unexpected(_))));
    }
}

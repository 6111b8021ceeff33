//! Asking over a connection, and an answer in the form that all are compared in.
//!
//! Knows the client. Does not know what the right answer is.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tessera_client::{Batch, Client, Datum, KeyBatch, Params, ResultKind, Row};

use crate::{
    behaviour::calendar::{date, moment},
    generate::arrival_of,
    oracle::Solution,
    questions::Question,
};

/// How often a question is asked before it counts.
const WARM_UPS: usize = 3;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The answer to a question and the times it took.
#[derive(Debug)]
pub struct Asked {
    /// The answer.
    pub solution: Solution,
    /// From before the statement was sent until the last row was there.
    pub times: Vec<Duration>,
}

/// One statement's answer, in the form it came in: keys that are all of their rows stay packed.
#[derive(Debug, Default)]
pub struct Reply {
    /// What kind of table it is.
    pub kind: Option<ResultKind>,
    /// Rows that came as rows.
    pub rows: Vec<Row>,
    /// Keys that came packed.
    pub keys: Vec<KeyBatch>,
}

impl Reply {
    fn len(&self) -> usize {
        self.rows.len() + self.keys.iter().map(KeyBatch::len).sum::<usize>()
    }
}

/// Asks a question so often. Of several statements each run asks one, in turn.
///
/// # Errors
/// When the server refuses, or answers with what the benchmark has no place for.
pub async fn ask(client: &Client, question: &Question, runs: usize) -> Result<Asked> {
    let mut answers = Vec::new();
    for statement in &question.statements {
        answers.push(execute(client, statement).await?);
    }
    let statements = question.statements.iter().cycle();
    for statement in statements.clone().take(WARM_UPS) {
        execute(client, statement).await?;
    }
    let mut times = Vec::with_capacity(runs);
    for statement in statements.take(runs) {
        let start = Instant::now();
        execute(client, statement).await?;
        times.push(start.elapsed());
    }
    Ok(Asked {
        solution: solution(&answers)?,
        times,
    })
}

/// Asks once.
///
/// # Errors
/// When the server refuses.
pub async fn execute(client: &Client, statement: &str) -> Result<Reply> {
    let stream = client.stream(statement, Params::default()).await;
    let mut stream = stream.with_context(|| format!("asking {statement}"))?;
    let mut reply = Reply {
        kind: stream.kind(),
        ..Reply::default()
    };
    while let Some(batch) = stream.next_batch().await {
        match batch? {
            Batch::Keys(keys) => reply.keys.push(keys),
            Batch::Rows(rows) => reply.rows.extend(rows),
        }
    }
    Ok(reply)
}

/// What the answers to a question's statements say together.
///
/// # Errors
/// When they hold what no answer to the benchmark's questions holds.
pub fn solution(answers: &[Reply]) -> Result<Solution> {
    match answers.first().and_then(|answer| answer.kind) {
        Some(ResultKind::Segment) => users(answers),
        Some(ResultKind::Portrait) => portraits(answers),
        _ => rows(answers),
    }
}

fn users(answers: &[Reply]) -> Result<Solution> {
    let arrival = |key: &str| arrival_of(key).with_context(|| format!("{key:?} is no user"));
    let mut users = Vec::with_capacity(answers.iter().map(Reply::len).sum());
    for answer in answers {
        for key in answer.keys.iter().flat_map(KeyBatch::iter) {
            users.push(arrival(key)?);
        }
        for row in &answer.rows {
            match row.first() {
                Some(Datum::Text(key)) => users.push(arrival(key)?),
                other => bail!("{other:?} instead of a key"),
            }
        }
    }
    Ok(Solution::Users(users))
}

/// Rows of arrival number, name and value, from rows of section, name and value of which the
/// first is the key.
fn portraits(answers: &[Reply]) -> Result<Solution> {
    let mut rows = Vec::new();
    for answer in answers {
        let mut arrival = String::new();
        for row in &answer.rows {
            let [section, name, value] = row.get(..3).context("a short row of a portrait")? else {
                bail!("a short row of a portrait");
            };
            let (section, name, value) = (text(section, 0)?, text(name, 0)?, text(value, 0)?);
            if section == "user" && name == "key" {
                let known = arrival_of(&value).with_context(|| format!("{value:?} is no user"))?;
                arrival = known.to_string();
            } else {
                rows.push(vec![arrival.clone(), name, value]);
            }
        }
    }
    Ok(Solution::Rows(rows))
}

fn rows(answers: &[Reply]) -> Result<Solution> {
    // Averages are compared to a millionth.
    let texts = |row: &Vec<Datum>| row.iter().map(|datum| text(datum, 6)).collect();
    let rows = answers.iter().flat_map(|answer| &answer.rows).map(texts);
    Ok(Solution::Rows(rows.collect::<Result<_>>()?))
}

fn text(datum: &Datum, digits: usize) -> Result<String> {
    Ok(match datum {
        Datum::Null => String::new(),
        Datum::Text(text) => text.clone(),
        Datum::Integer(integer) => integer.to_string(),
        Datum::Real(real) => format!("{real:.digits$}"),
        Datum::Decimal { units, scale } => decimal(*units, *scale),
        Datum::Date(day) => date(u32::try_from(*day).context("a day before 1970")?),
        Datum::Timestamp(micros) if micros % MICROS_PER_SECOND == 0 => {
            let seconds = u32::try_from(micros / MICROS_PER_SECOND);
            moment(seconds.context("a moment before 1970 or after 2105")?)
        }
        other @ (Datum::Boolean(_) | Datum::Timestamp(_) | Datum::List(_)) => {
            bail!("an answer to the benchmark holds {other:?}")
        }
    })
}

/// With all its digits after the point.
fn decimal(units: i128, scale: u8) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>1$}", units.unsigned_abs(), usize::from(scale) + 1);
    let (whole, part) = digits.split_at(digits.len() - usize::from(scale));
    match part {
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn answer(kind: ResultKind, rows: Vec<Row>) -> Reply {
        Reply {
            kind: Some(kind),
            rows,
            ..Reply::default()
        }
    }

    fn word(text: &str) -> Datum {
        Datum::Text(text.to_owned())
    }

    #[test]
    fn segments_are_users() {
        let found = answer(ResultKind::Segment, vec![vec![word("u000000012")]]);
        assert_eq!(solution(&[found]).unwrap(), Solution::Users(vec![12]));
        let strange = answer(ResultKind::Segment, vec![vec![word("ada")]]);
        assert!(solution(&[strange]).is_err());
    }

    #[test]
    fn portraits_are_rows_of_their_user() {
        let found = answer(
            ResultKind::Portrait,
            vec![
                vec![word("user"), word("key"), word("u000000012")],
                vec![word("attribute"), word("age"), Datum::Integer(30)],
                vec![word("tag"), word("t7"), Datum::Null],
            ],
        );
        let rows = [["12", "age", "30"], ["12", "t7", ""]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        assert_eq!(solution(&[found]).unwrap(), Solution::Rows(rows));
    }

    #[test]
    fn averages_have_six_digits() {
        let found = answer(ResultKind::Dimension, vec![vec![Datum::Real(1.0 / 3.0)]]);
        let rows = vec![vec!["0.333333".to_owned()]];
        assert_eq!(solution(&[found]).unwrap(), Solution::Rows(rows));
    }

    #[test]
    fn amounts_and_times_are_written_in_full() {
        let check = |datum: Datum, expected: &str| assert_eq!(text(&datum, 0).unwrap(), expected);
        let decimal = |units, scale| Datum::Decimal { units, scale };
        check(decimal(12_345, 2), "123.45");
        check(decimal(-5, 2), "-0.05");
        check(decimal(7, 0), "7");
        check(Datum::Date(59), "1970-03-01");
        check(Datum::Timestamp(86_400_000_000), "1970-01-02T00:00:00Z");
        for strange in [Datum::Date(-1), Datum::Timestamp(1), Datum::Boolean(true)] {
            assert!(text(&strange, 0).is_err());
        }
    }
}

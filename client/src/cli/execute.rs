//! One statement, from its text to its answer on a stream.
//!
//! Knows what to say around an answer. Does not know where the statement came from.

use std::io::Write;
use std::time::{Duration, Instant};

use tessera_query_lang::{Completeness, Limits, ast::Statement, parse_statement, split_statements};

use super::error::CliError;
use super::output::{Format, Sink, SinkOptions, printable};
use super::session::{Batch, Column, ColumnRole, Datum, Parameter, ResultKind, Session, Summary};

/// How a statement is executed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Execution<'a> {
    /// Values for its parameters.
    pub(crate) parameters: &'a [Parameter],
    /// How its answer is written.
    pub(crate) sink: SinkOptions,
    /// Rows to show at most; the rest is cancelled.
    pub(crate) rows_max: Option<u64>,
}

/// What there is to say about a statement that was executed.
#[derive(Debug)]
pub(crate) struct Done {
    /// Rows written.
    pub(crate) rows: u64,
    /// The server's words; none when the answer was cut.
    pub(crate) summary: Option<Summary>,
    /// Time from sending to the last row.
    pub(crate) round_trip: Duration,
    /// Whether the answer was a table.
    pub(crate) kind: Option<ResultKind>,
}

impl Execution<'_> {
    /// Executes a statement and writes its answer.
    pub(crate) async fn run(
        self,
        session: &Session,
        statement: &str,
        out: &mut dyn Write,
    ) -> Result<Done, CliError> {
        let started = Instant::now();
        let mut answer = session.open(statement, self.parameters).await?;
        let kind = answer.kind();
        let Some(sink_kind) = kind else {
            let summary = answer.summary().cloned().unwrap_or_default();
            self.write_changes(statement, &summary, out)?;
            return Ok(Done {
                rows: 0,
                summary: Some(summary),
                round_trip: started.elapsed(),
                kind,
            });
        };
        let mut sink = Sink::begin(out, self.sink, sink_kind, answer.columns().to_vec())?;
        let mut left = self.rows_max.unwrap_or(u64::MAX);
        while let Some(batch) = answer.next_batch().await {
            let batch = batch.map_err(|error| CliError::of_statement(&error, statement))?;
            // Only rows beyond the limit tell that there are any.
            if left == 0 {
                break;
            }
            match batch {
                Batch::Keys(keys) if keys.len() as u64 <= left => {
                    left -= keys.len() as u64;
                    sink.keys(&keys)?;
                }
                batch @ (Batch::Keys(_) | Batch::Rows(_)) => {
                    let mut rows = batch.into_rows();
                    rows.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                    left -= rows.len() as u64;
                    sink.rows(rows)?;
                }
            }
        }
        let rows = sink.end()?;
        let summary = answer.summary().cloned();
        Ok(Done {
            rows,
            summary,
            round_trip: started.elapsed(),
            kind,
        })
    }

    /// A write has no rows: people read a sentence, programs one row.
    fn write_changes(
        &self,
        statement: &str,
        summary: &Summary,
        out: &mut dyn Write,
    ) -> Result<(), CliError> {
        if self.sink.format == Format::Table {
            writeln!(out, "{}", changes_sentence(statement, summary))?;
            out.flush()?;
            return Ok(());
        }
        let column = |name: &str| Column {
            name: name.to_owned(),
            role: ColumnRole::Value,
        };
        let columns = vec![column("users_changed"), column("facts_changed")];
        let count = |count: u64| Datum::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        let mut sink = Sink::begin(out, self.sink, ResultKind::Definitions, columns)?;
        sink.rows(vec![vec![
            count(summary.users_changed),
            count(summary.facts_changed),
        ]])?;
        sink.end()?;
        Ok(())
    }
}

impl Done {
    /// Rows and times in one line.
    pub(crate) fn timing(&self) -> String {
        let rows = match self.kind {
            Some(_) => format!("{}, ", counted(self.rows, "row")),
            None => String::new(),
        };
        let round_trip = milliseconds(self.round_trip);
        match &self.summary {
            Some(summary) => {
                let server = milliseconds(Duration::from_micros(summary.elapsed_us));
                format!("{rows}{server} in the server, {round_trip} in all")
            }
            None => format!("{rows}{round_trip} in all"),
        }
    }

    /// What a person should know beside the answer.
    pub(crate) fn notes(&self) -> Vec<String> {
        let Some(summary) = &self.summary else {
            let rows = counted(self.rows, "row");
            return vec![format!(
                "only the first {rows}: add LIMIT for more, or use tessera export"
            )];
        };
        let warnings = summary
            .warnings
            .iter()
            .map(|warning| format!("warning: {}", printable(warning)));
        let cursor = summary
            .cursor
            .as_ref()
            .map(|cursor| format!("there is more: FETCH \"{}\"", printable(cursor)));
        warnings.chain(cursor).collect()
    }
}

fn changes_sentence(statement: &str, summary: &Summary) -> String {
    match (summary.users_changed, summary.facts_changed) {
        (0, 0) if changes_users(statement) => "0 users changed".to_owned(),
        (0, 0) => "done".to_owned(),
        (users, facts) => {
            format!(
                "{} changed, {} changed",
                counted(users, "user"),
                counted(facts, "fact")
            )
        }
    }
}

/// Whether a statement is about users, so that it matters that none changed.
fn changes_users(statement: &str) -> bool {
    matches!(
        parse_statement(statement, &Limits::default()),
        Ok(Statement::Tag { .. }
            | Statement::Untag { .. }
            | Statement::ClearTag { .. }
            | Statement::Track(_)
            | Statement::Submit(_)
            | Statement::Set { .. }
            | Statement::DeleteUser(_))
    )
}

/// `1 row`, `2 rows`
pub(crate) fn counted(count: u64, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// A time as people read it.
pub(crate) fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1_000.0;
    match milliseconds {
        short if short < 10.0 => format!("{short:.2} ms"),
        medium if medium < 1_000.0 => format!("{medium:.0} ms"),
        long => format!("{:.2} s", long / 1_000.0),
    }
}

/// The statements of a text, in order.
pub(crate) fn statements_of(text: &str) -> Vec<&str> {
    let split = split_statements(text);
    let rest = (split.completeness != Completeness::Complete).then_some(split.rest);
    split
        .statements
        .into_iter()
        .chain(rest)
        .filter_map(|span| text.get(span.range()))
        .filter(|statement| !statement.trim().is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_hold_several_statements() {
        let check =
            |text: &str, expected: &[&str]| assert_eq!(statements_of(text), expected, "{text}");
        check("", &[]);
        check("COUNT ALL", &["COUNT ALL"]);
        check("COUNT ALL;", &["COUNT ALL;"]);
        check(
            "COUNT ALL;\n;\nCOUNT tag:\"a;b\"\n",
            &["COUNT ALL;", "COUNT tag:\"a;b\"\n"],
        );
    }

    #[test]
    fn times_and_counts_are_readable() {
        let check = |micros: u64, expected: &str| {
            assert_eq!(milliseconds(Duration::from_micros(micros)), expected);
        };
        check(1_234, "1.23 ms");
        check(123_456, "123 ms");
        check(12_345_678, "12.35 s");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(0, "row"), "0 rows");
    }

    #[test]
    fn what_was_done_is_told() {
        let summary = Summary {
            elapsed_us: 1_500,
            warnings: vec!["slow\u{1b}[2J".to_owned()],
            cursor: Some("c1".to_owned()),
            ..Summary::default()
        };
        let done = Done {
            rows: 2,
            summary: Some(summary),
            round_trip: Duration::from_millis(2),
            kind: Some(ResultKind::Segment),
        };
        assert_eq!(
            done.timing(),
            "2 rows, 1.50 ms in the server, 2.00 ms in all"
        );
        assert_eq!(
            done.notes(),
            ["warning: slow\u{241b}[2J", "there is more: FETCH \"c1\""]
        );
        let nothing = |statement| changes_sentence(statement, &Summary::default());
        assert_eq!(nothing("DEFINE TAG vip"), "done");
        assert_eq!(nothing("TAG \"u1\" WITH vip;"), "0 users changed");
        assert_eq!(nothing("SET \"u1\" age = $age"), "0 users changed");
        assert_eq!(nothing("DELETE USER \"u1\""), "0 users changed");
        let changed = Summary {
            users_changed: 1,
            facts_changed: 3,
            ..Summary::default()
        };
        assert_eq!(
            changes_sentence("TAG \"u1\" WITH vip", &changed),
            "1 user changed, 3 facts changed"
        );
    }
}

//! `EXPLAIN`: what the planner made of a statement; `ANALYZE`: and what came of it.
//!
//! Rows `step`, `plan`, `estimate`, and with `ANALYZE` `users` and `elapsed_us`. First the
//! expression as resolved, then after every pass that changed it, then the operators, indented
//! as a tree, `keep` and `drop` marked; then how users come into `order`, and how `numbers` are
//! measured, where there is more than one way. With `ANALYZE` every operator is run by itself, with all
//! its inputs: `users` is what it finds, `elapsed_us` what it takes from start to end.

use super::{count::count, describe, planner::Planned, scan::Context};
use crate::{
    datum::{Column, ColumnRole, Datum, Header, ResultKind, Row},
    error::Error,
    plan::physical::{Operation, Plan},
    schema::Schema,
    time::Clock,
};

/// Operators that are listed; a plan with more is cut.
const OPERATORS_SHOWN: usize = 1000;

/// Whether the plan is run.
#[derive(Clone, Copy)]
pub(crate) enum Run<'a> {
    /// Only explained.
    No,
    /// Timed by this clock.
    TimedBy(&'a dyn Clock),
}

/// What stands before the rows.
pub(crate) fn header(run: Run<'_>) -> Header {
    let names: &[&str] = match run {
        Run::No => &["step", "plan", "estimate"],
        Run::TimedBy(_) => &["step", "plan", "estimate", "users", "elapsed_us"],
    };
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        role: ColumnRole::Value,
    };
    Header {
        kind: ResultKind::Plan,
        columns: names.iter().map(column).collect(),
    }
}

/// The rows about a planned expression.
///
/// # Errors
/// With `ANALYZE` when the store fails or the budget is used up.
pub(crate) fn rows(
    context: Context<'_>,
    planned: &Planned,
    run: Run<'_>,
) -> Result<Vec<Row>, Error> {
    let schema: &Schema = context.dataset.schema();
    let mut explanation = Explanation {
        context,
        schema,
        run,
        rows: Vec::new(),
    };
    explanation.expression("resolved", &planned.resolved);
    for step in &planned.steps {
        explanation.expression(step.pass, &step.after);
    }
    explanation.operator(&planned.plan, 0, "")?;
    Ok(explanation.rows)
}

/// A row that is no operator.
pub(crate) fn note(step: &str, text: String, run: Run<'_>) -> Row {
    let mut row = vec![Datum::Text(step.to_owned()), Datum::Text(text), Datum::Null];
    match run {
        Run::No => {}
        Run::TimedBy(_) => row.extend([Datum::Null, Datum::Null]),
    }
    row
}

struct Explanation<'a> {
    context: Context<'a>,
    schema: &'a Schema,
    run: Run<'a>,
    rows: Vec<Row>,
}

impl Explanation<'_> {
    fn expression(&mut self, step: &str, expr: &crate::plan::logical::Expr) {
        self.rows.push(note(
            step,
            describe::expression(self.schema, expr),
            self.run,
        ));
    }

    fn operator(&mut self, plan: &Plan, depth: usize, mark: &str) -> Result<(), Error> {
        if self.rows.len() >= OPERATORS_SHOWN {
            return Ok(());
        }
        let text = format!(
            "{}{mark}{}",
            "  ".repeat(depth),
            describe::operator(self.schema, plan)
        );
        let mut row = vec![
            Datum::Text("operator".to_owned()),
            Datum::Text(text),
            number(plan.estimate),
        ];
        if let Run::TimedBy(clock) = self.run {
            let start = clock.monotonic();
            let users = count(self.context, plan)?;
            let elapsed = clock.monotonic().saturating_sub(start);
            row.extend([
                number(users),
                number(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)),
            ]);
        }
        self.rows.push(row);
        match &plan.operation {
            Operation::Nothing
            | Operation::Row(_)
            | Operation::Slices(..)
            | Operation::Ids(_)
            | Operation::Found(_)
            | Operation::Behaviour(_) => Ok(()),
            Operation::Look { input, .. } => self.operator(input, depth + 1, ""),
            Operation::Union(of) | Operation::Threshold { of, .. } => of
                .iter()
                .try_for_each(|input| self.operator(input, depth + 1, "")),
            Operation::Intersect { keep, drop } => {
                keep.iter()
                    .try_for_each(|input| self.operator(input, depth + 1, "keep "))?;
                drop.iter()
                    .try_for_each(|input| self.operator(input, depth + 1, "drop "))
            }
        }
    }
}

fn number(number: u64) -> Datum {
    Datum::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

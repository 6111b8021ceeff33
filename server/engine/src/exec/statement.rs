//! One statement of the language, from its text to its answer.
//!
//! Knows which part answers which statement. Does not know how.

use std::time::Duration;

use std::sync::Arc;

use tessera_query_lang::{
    ast::{Show, Statement, Target},
    parse_statement,
};

use super::{
    change::{Change, Given},
    cursors::{CursorRules, Cursors, Randomness, SystemRandomness},
    derived::Derived,
    heard::{Heard, Told},
    limits::QueryLimits,
    query::{Query, resolver},
    ranks::{KnownOrders, OrdersOf},
    show,
};
use crate::{
    budget::Budget,
    database::Database,
    datum::{ResultSink, Summary},
    error::Error,
    parameters::Parameters,
    time::{day_of_micros, micros_of_timestamp},
    write::{SchemaStatement, UnknownTags, WriteRequest, submission_key},
};

/// What statements keep between each other: open cursors, and how users are ranked.
#[derive(Debug)]
pub struct Statements {
    cursors: Cursors,
    orders: KnownOrders,
}

impl Statements {
    /// No cursors; their tokens will come from the system's randomness.
    pub fn new() -> Self {
        Self::with_randomness(Box::<SystemRandomness>::default())
    }

    /// No cursors.
    pub fn with_randomness(randomness: Box<dyn Randomness>) -> Self {
        Self {
            cursors: Cursors::new(randomness),
            orders: KnownOrders::default(),
        }
    }

    /// What is known of how users are ranked in a state: a later one has a greater number.
    pub(crate) fn orders(&self, version: u64) -> OrdersOf<'_> {
        let known = &self.orders;
        OrdersOf { known, version }
    }

    /// Lets go of what nobody used for too long; `now` is the clock's monotonic time.
    pub(crate) fn sweep(&self, now: Duration, limits: &QueryLimits) {
        self.cursors.sweep(CursorRules::new(now, limits));
    }
}

impl Default for Statements {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs one statement.
///
/// # Errors
/// [`Error`], of whatever phase.
pub fn execute(
    database: &Database,
    text: &str,
    parameters: &Parameters,
    budget: &Budget,
    sink: &mut dyn ResultSink,
) -> Result<Summary, Error> {
    budget.check()?;
    let statement = parse_statement(text, &database.limits().text)?;
    let heard = Arc::new(Heard::default());
    let now = database.clock().now();
    let view = database.view();
    let statements = database.statements();
    let orders = statements.orders(view.version());
    let query = Query {
        dataset: Derived::on(view, now),
        scheduler: Some(&**database.scheduler()),
        budget,
        limits: &database.limits().queries,
        parameters: parameters.as_slice(),
        now,
        clock: &**database.clock(),
        cursors: &statements.cursors,
        heard: &heard,
        orders: Some(orders),
    };
    let mut summary = run(database, &query, statement, sink, &heard)?;
    let Told { mut notices, asked } = heard.take();
    summary.warnings.append(&mut notices);
    let today = day_of_micros(micros_of_timestamp(query.now));
    database.asked().note(&asked, today);
    Ok(summary)
}

fn run(
    database: &Database,
    query: &Query<'_>,
    statement: Statement,
    sink: &mut dyn ResultSink,
    heard: &Arc<Heard>,
) -> Result<Summary, Error> {
    match statement {
        Statement::Count(expr) => query.count(&expr, sink),
        Statement::Segment(segment) => query.segment(&segment, sink),
        Statement::Fetch { cursor, limit } => query.fetch(&cursor, limit.as_ref(), sink),
        Statement::Close(cursor) => query.close(&cursor),
        Statement::Dimension(dimension) => query.dimension(&dimension, sink),
        Statement::Portrait(key) => query.portrait(&key, sink),
        Statement::Why { user, filter } => query.why(&user, &filter, sink),
        Statement::Explain(mode, statement) => query.explain(mode, &statement, sink),
        Statement::Show(Show::Status) => {
            refuse_parameters(query)?;
            let rows = show::status(database.status()?, sink)?;
            Ok(Summary {
                rows,
                ..Summary::default()
            })
        }
        Statement::Show(show) => query.show(&show, sink),
        Statement::Usages(kind, name) => query.usages(kind, &name, sink),
        Statement::Trend(trend) => query.trend(&trend, sink),
        Statement::Lint(list) => query.lint(&list, database.asked(), sink),
        Statement::Define(..)
        | Statement::Alter(_)
        | Statement::Drop(..)
        | Statement::SaveSegment(_)
        | Statement::RenameTag { .. }
        | Statement::MergeTag { .. } => {
            refuse_parameters(query)?;
            match SchemaStatement::from_statement(&statement) {
                Some(change) => database.change_schema(change),
                None => Err(Error::Internal(
                    "a definition is not a change of definitions".to_owned(),
                )),
            }
        }
        Statement::Tag {
            target,
            tags,
            terms,
        } => write(database, query, target, heard, Change::Tag(tags, terms)),
        Statement::Untag { target, tags } => {
            write(database, query, target, heard, Change::Untag(tags))
        }
        Statement::ClearTag { target, tags } => {
            write(database, query, target, heard, Change::Clear(tags))
        }
        Statement::Set {
            target,
            assignments,
        } => write(database, query, target, heard, Change::Set(assignments)),
        Statement::DeleteUser(keys) => {
            write(database, query, Target::Keys(keys), heard, Change::Delete)
        }
        Statement::Track(track) => {
            let mut resolver =
                resolver(&*query.dataset, query.parameters, query.now, query.limits)?;
            let mutation = resolver.track(&track)?;
            resolver.finish()?;
            database.write(WriteRequest {
                mutations: vec![mutation],
                unknown_tags: UnknownTags::Refuse,
                idempotency_key: None,
            })
        }
        Statement::Submit(submission) => {
            let mut resolver =
                resolver(&*query.dataset, query.parameters, query.now, query.limits)?;
            let (mutation, id) = resolver.submission(&submission)?;
            resolver.finish()?;
            let idempotency_key = match id {
                Some(id) => Some(submission_key(&mutation, &id)?),
                None => None,
            };
            database.write(WriteRequest {
                mutations: vec![mutation],
                unknown_tags: UnknownTags::Refuse,
                idempotency_key,
            })
        }
    }
}

/// Definitions are kept as text: nothing sent beside them could be kept.
fn refuse_parameters(query: &Query<'_>) -> Result<(), Error> {
    Ok(resolver(&*query.dataset, query.parameters, query.now, query.limits)?.finish()?)
}

fn write(
    database: &Database,
    query: &Query<'_>,
    target: Target,
    heard: &Arc<Heard>,
    change: Change,
) -> Result<Summary, Error> {
    let given = Given {
        parameters: query.parameters.into(),
        now: query.now,
        limits: *query.limits,
        budget: query.budget.clone(),
        writes: database.limits().into(),
        scheduler: Arc::clone(database.scheduler()),
        heard: Arc::clone(heard),
    };
    match target {
        Target::Keys(keys) => {
            let mutations = change.of_keys(&*query.dataset, &keys, &given)?;
            database.write(WriteRequest {
                mutations,
                unknown_tags: UnknownTags::Refuse,
                idempotency_key: None,
            })
        }
        Target::Where(filter) => {
            database.write_users_where(move |view| change.of_filter(&**view, &filter, &given))
        }
    }
}

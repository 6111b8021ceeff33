//! Statements that read: each resolved, planned and run over one state.
//!
//! Knows a state, the parameters and the moment. Does not know where states come from, nor how
//! to write.

use std::sync::Arc;

use tessera_query_lang::ast::{self, ExplainMode, Span, Spanned, Statement, Value};

use super::{
    count::count,
    cursors::{CursorRules, Cursors, OpenSegment},
    dataset::Dataset,
    describe, dimension, explain,
    heard::Heard,
    limits::QueryLimits,
    planner,
    ranks::{OrdersOf, RankedUsers},
    rows::RowWriter,
    scan::Context,
    scheduler::Scheduler,
    segment::{Page, Place, PreparedSegment},
    show::Show,
};
use crate::{
    budget::Budget,
    datum::{Column, ColumnRole, Datum, Header, ResultKind, ResultSink, Row, Stopped, Summary},
    error::Error,
    plan::{
        ResolveError, Resolver,
        logical::Expr,
        physical::Plan,
        query::{DimensionQuery, SegmentQuery},
        resolve::ResolveLimits,
    },
    time::{Clock, micros_of_timestamp, second_of_micros},
};

/// Everything a reading statement works with.
pub(crate) struct Query<'a> {
    /// The state.
    pub(crate) dataset: Arc<dyn Dataset>,
    /// The threads.
    pub(crate) scheduler: Option<&'a Scheduler>,
    /// When to stop.
    pub(crate) budget: &'a Budget,
    /// How much it may take.
    pub(crate) limits: &'a QueryLimits,
    /// The parameters' values.
    pub(crate) parameters: &'a [(String, Datum)],
    /// The time of day that the statement sees, and the clock for durations.
    pub(crate) now: jiff::Timestamp,
    /// For durations.
    pub(crate) clock: &'a dyn Clock,
    /// Open cursors.
    pub(crate) cursors: &'a Cursors,
    /// What there is to say beside the answer.
    pub(crate) heard: &'a Heard,
    /// What other statements found out about the state.
    pub(crate) orders: Option<OrdersOf<'a>>,
}

impl Query<'_> {
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            dataset: &*self.dataset,
            scheduler: self.scheduler,
            turn: None,
            budget: self.budget,
            limits: self.limits,
            orders: self.orders,
        }
    }

    pub(super) fn resolver(&self) -> Result<Resolver<'_>, ResolveError> {
        resolver(&*self.dataset, self.parameters, self.now, self.limits)
    }

    /// The second of the statement.
    pub(super) fn now_s(&self) -> i64 {
        second_of_micros(micros_of_timestamp(self.now))
    }

    fn rules(&self) -> CursorRules {
        CursorRules::new(self.clock.monotonic(), self.limits)
    }

    /// Resolves with a function and refuses parameters that it did not use.
    pub(super) fn resolve<T>(
        &self,
        resolve: impl FnOnce(&mut Resolver<'_>) -> Result<T, ResolveError>,
    ) -> Result<T, Error> {
        let ranks = RankedUsers::new(self.context());
        let mut resolver = self.resolver()?.ranked_by(&ranks);
        let resolved = resolve(&mut resolver).map_err(|error| ranks.reason(error))?;
        self.heard.add(resolver.finish_with_notices()?);
        Ok(resolved)
    }

    /// `COUNT`
    pub(crate) fn count(
        &self,
        expr: &ast::Expr,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        let expr = self.resolve(|resolver| resolver.expr(expr))?;
        let plan = planner::plan(self.context(), expr)?;
        let users = count(self.context(), &plan)?;
        let columns = vec![Column {
            name: "count".to_owned(),
            role: ColumnRole::Measure,
        }];
        give(
            sink,
            Header {
                kind: ResultKind::Count,
                columns,
            },
            vec![vec![number(users)]],
        )
    }

    /// `SEGMENT`
    pub(crate) fn segment(
        &self,
        segment: &ast::Segment,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        let query = self.resolve(|resolver| resolver.segment(segment))?;
        let limit = query.limit;
        let segment = self.prepare(query)?;
        let page = segment.run(self.context(), None, limit, sink)?;
        let Page { rows, next } = page;
        let cursor = next.map(|after| self.open_cursor(segment, limit, after));
        Ok(Summary {
            rows,
            cursor,
            ..Summary::default()
        })
    }

    fn prepare(&self, query: SegmentQuery) -> Result<PreparedSegment, Error> {
        let plan = planner::plan(self.context(), query.filter.clone())?;
        Ok(prepared(query, plan))
    }

    fn open_cursor(&self, segment: PreparedSegment, limit: Option<u64>, after: Place) -> String {
        let open = OpenSegment {
            dataset: Arc::clone(&self.dataset),
            segment,
            limit,
        };
        self.cursors.open(self.rules(), open, after)
    }

    /// `FETCH`
    pub(crate) fn fetch(
        &self,
        cursor: &Spanned<Value>,
        limit: Option<&Spanned<u64>>,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        let token = self.resolve(|resolver| resolver.text(cursor))?;
        let page = self
            .cursors
            .page(self.rules(), &token)
            .ok_or(Error::UnknownCursor)?;
        let limit = limit.map(|limit| limit.node).or(page.open.limit);
        let context = Context {
            dataset: &*page.open.dataset,
            // It may be an older state.
            orders: None,
            ..self.context()
        };
        let Page { rows, next } = page
            .open
            .segment
            .run(context, Some(&page.after), limit, sink)?;
        let cursor = self.cursors.advance(self.rules(), &page, next)?;
        Ok(Summary {
            rows,
            cursor,
            ..Summary::default()
        })
    }

    /// `CLOSE`
    pub(crate) fn close(&self, cursor: &Spanned<Value>) -> Result<Summary, Error> {
        let token = self.resolve(|resolver| resolver.text(cursor))?;
        if self.cursors.close(self.rules(), &token) {
            Ok(Summary::default())
        } else {
            Err(Error::UnknownCursor)
        }
    }

    /// `DIMENSION`
    pub(crate) fn dimension(
        &self,
        dimension: &ast::Dimension,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        let query = self.resolve(|resolver| resolver.dimension(dimension))?;
        let plan = planner::plan(self.context(), query.filter.clone())?;
        let rows = dimension::run(self.context(), &plan, &query, sink)?;
        Ok(Summary {
            rows,
            ..Summary::default()
        })
    }

    /// `SHOW`, but for the status.
    pub(crate) fn show(
        &self,
        show: &ast::Show,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        self.resolve(|_| Ok(()))?;
        let answer = Show::new(self.context(), self.now);
        let mut warnings = Vec::new();
        let rows = match show {
            ast::Show::Tags(list) => {
                warnings.extend(answer.unlisted(list));
                answer.tags(list, sink)?
            }
            ast::Show::Groups(list) => answer.groups(list, sink)?,
            ast::Show::Attributes(list) => answer.attributes(list, sink)?,
            ast::Show::Segments(list) => answer.segments(list, sink)?,
            ast::Show::Events(list) => answer.events(list, sink)?,
            ast::Show::Forms(list) => answer.forms(list, sink)?,
            ast::Show::Values(name, list) => {
                let attribute = self.resolver()?.attribute(name)?;
                answer.values(attribute, name, list, sink)?
            }
            ast::Show::Status => {
                return Err(Error::Internal("the status is not of a state".to_owned()));
            }
        };
        Ok(Summary {
            rows,
            warnings,
            ..Summary::default()
        })
    }

    /// `EXPLAIN`
    pub(crate) fn explain(
        &self,
        mode: ExplainMode,
        statement: &Statement,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        let run = match mode {
            ExplainMode::Plan => explain::Run::No,
            ExplainMode::Analyze => explain::Run::TimedBy(self.clock),
        };
        let explained = Explained::of(statement)?;
        let resolved = self.resolve(|resolver| {
            Ok(match explained {
                Explained::Count(expr) => Resolved::Count(resolver.expr(expr)?),
                Explained::Segment(segment) => Resolved::Segment(resolver.segment(segment)?),
                Explained::Dimension(dimension) => {
                    Resolved::Dimension(resolver.dimension(dimension)?)
                }
            })
        })?;
        let planned = planner::plan_with_steps(self.context(), resolved.filter().clone())?;
        let mut rows = explain::rows(self.context(), &planned, run)?;
        let of_events = match &resolved {
            Resolved::Dimension(query) => {
                describe::behaviour::of_dimension(self.dataset.schema(), query)
            }
            Resolved::Count(_) | Resolved::Segment(_) => Vec::new(),
        };
        rows.extend(self.explain_result(resolved, planned.plan, run)?);
        let note = |text| explain::note("events", text, run);
        rows.extend(of_events.into_iter().map(note));
        if let explain::Run::TimedBy(clock) = run {
            rows.push(self.whole(explained, run, clock)?);
        }
        give(sink, explain::header(run), rows)
    }

    /// The row about what is made of the users found, where there is more than one way.
    fn explain_result(
        &self,
        resolved: Resolved,
        plan: Plan,
        run: explain::Run<'_>,
    ) -> Result<Option<Row>, Error> {
        let context = self.context();
        let (step, text) = match resolved {
            Resolved::Count(_) => return Ok(None),
            Resolved::Segment(query) => {
                let limit = query.limit;
                let segment = prepared(query, plan);
                ("order", segment.explain_order(context, limit)?)
            }
            Resolved::Dimension(query) => ("numbers", dimension::explain(context, &plan, &query)?),
        };
        Ok(text.map(|text| explain::note(step, text.to_owned(), run)))
    }

    /// The row about the whole statement, run with nobody to read it.
    fn whole(
        &self,
        explained: Explained<'_>,
        run: explain::Run<'_>,
        clock: &dyn Clock,
    ) -> Result<Row, Error> {
        let start = clock.monotonic();
        let (rows, cursor) = self.run_unread(explained)?;
        let elapsed_us = clock.monotonic().saturating_sub(start).as_micros();
        if let Some(cursor) = cursor {
            self.cursors.close(self.rules(), &cursor);
        }
        let what = explained.name();
        let mut row = explain::note("whole", format!("{what}, {rows} rows"), run);
        if let Some(elapsed) = row.last_mut() {
            *elapsed = number(u64::try_from(elapsed_us).unwrap_or(u64::MAX));
        }
        Ok(row)
    }

    fn run_unread(&self, explained: Explained<'_>) -> Result<(u64, Option<String>), Error> {
        let mut nobody = Nobody;
        let summary = match explained {
            Explained::Count(expr) => self.count(expr, &mut nobody)?,
            Explained::Segment(segment) => self.segment(segment, &mut nobody)?,
            Explained::Dimension(dimension) => self.dimension(dimension, &mut nobody)?,
        };
        Ok((summary.rows, summary.cursor))
    }
}

fn prepared(query: SegmentQuery, plan: Plan) -> PreparedSegment {
    let SegmentQuery {
        filter: _,
        returns,
        order,
        sample,
        limit: _,
    } = query;
    PreparedSegment {
        plan,
        returns,
        order,
        sample,
    }
}

/// A statement that is explained, resolved.
enum Resolved {
    Count(Expr),
    Segment(SegmentQuery),
    Dimension(DimensionQuery),
}

impl Resolved {
    fn filter(&self) -> &Expr {
        match self {
            Self::Count(expr) => expr,
            Self::Segment(segment) => &segment.filter,
            Self::Dimension(dimension) => &dimension.filter,
        }
    }
}

/// A statement that can be explained, because a plan stands behind it.
#[derive(Debug, Clone, Copy)]
enum Explained<'a> {
    Count(&'a ast::Expr),
    Segment(&'a ast::Segment),
    Dimension(&'a ast::Dimension),
}

impl<'a> Explained<'a> {
    fn of(statement: &'a Statement) -> Result<Self, ResolveError> {
        match statement {
            Statement::Count(expr) => Ok(Self::Count(expr)),
            Statement::Segment(segment) => Ok(Self::Segment(segment)),
            Statement::Dimension(dimension) => Ok(Self::Dimension(dimension)),
            Statement::Fetch { .. }
            | Statement::Close(_)
            | Statement::Portrait(_)
            | Statement::Explain(..)
            | Statement::Show(_)
            | Statement::Define(..)
            | Statement::Alter(_)
            | Statement::Drop(..)
            | Statement::SaveSegment(_)
            | Statement::Tag { .. }
            | Statement::Untag { .. }
            | Statement::ClearTag { .. }
            | Statement::Set { .. }
            | Statement::DeleteUser(_)
            | Statement::Track(_)
            | Statement::Submit(_)
            | Statement::RenameTag { .. }
            | Statement::MergeTag { .. }
            | Statement::Usages(..)
            | Statement::Lint(_)
            | Statement::Trend(_)
            | Statement::Why { .. } => {
                let message = "only COUNT, SEGMENT and DIMENSION can be explained".to_owned();
                Err(ResolveError::TypeMismatch {
                    message,
                    span: Span::default(),
                })
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Count(_) => "count",
            Self::Segment(_) => "segment",
            Self::Dimension(_) => "dimension",
        }
    }
}

/// A resolver over a state.
pub(crate) fn resolver<'a>(
    dataset: &'a dyn Dataset,
    parameters: &'a [(String, Datum)],
    now: jiff::Timestamp,
    limits: &QueryLimits,
) -> Result<Resolver<'a>, ResolveError> {
    let limits = ResolveLimits {
        leaves_max: limits.leaves_max,
        depth_max: limits.depth_max,
        ..ResolveLimits::default()
    };
    Resolver::new(dataset.schema(), parameters, now, limits)
}

/// Gives a whole answer at once.
pub(super) fn give(
    sink: &mut dyn ResultSink,
    header: Header,
    rows: Vec<Row>,
) -> Result<Summary, Error> {
    sink.header(header).map_err(|_: Stopped| Error::Stopped)?;
    let mut writer = RowWriter::new(sink);
    writer.write(rows)?;
    Ok(Summary {
        rows: writer.finish()?,
        ..Summary::default()
    })
}

fn number(number: u64) -> Datum {
    Datum::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Reads nothing.
struct Nobody;

impl ResultSink for Nobody {
    fn header(&mut self, _: Header) -> Result<(), Stopped> {
        Ok(())
    }

    fn rows(&mut self, _: Vec<Row>) -> Result<(), Stopped> {
        Ok(())
    }
}

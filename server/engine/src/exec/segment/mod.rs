//! `SEGMENT`: users by key, with fields, page by page over one snapshot.
//!
//! Without an order users come in storage order, streamed in constant memory. With an order the
//! first users of the page are kept and sorted; missing values come last in both directions, and
//! ties are in storage order. Where the order begins with a text and the page
//! is short, the index of texts is walked instead. Does not know cursors, only where a page ended.

mod ahead;
mod candidate;
mod fields;
mod order;
mod primary;
mod stream;
mod texts;

use tessera_query_lang::ast::Direction;

use super::{rows::RowWriter, scan::Context};
use crate::{
    datum::{Column, ColumnRole, Header, ResultKind, ResultSink},
    error::Error,
    ids::Location,
    plan::{
        physical::Plan,
        query::{Field, OrderField, Sample},
    },
};
pub(crate) use candidate::Candidate;

/// A segment that can be run, and run on after a page.
#[derive(Debug)]
pub(crate) struct PreparedSegment {
    /// Who.
    pub(crate) plan: Plan,
    /// What is returned after the key.
    pub(crate) returns: Vec<Field>,
    /// In which order.
    pub(crate) order: Vec<(OrderField, Direction)>,
    /// A sample of the users.
    pub(crate) sample: Option<Sample>,
}

/// The last user of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In storage order.
    Storage(Location),
    /// In a wanted order.
    Ordered(Candidate),
}

/// What a page was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many users it had.
    pub(crate) rows: u64,
    /// Where it ended, when there are more users.
    pub(crate) next: Option<Place>,
}

impl PreparedSegment {
    /// Gives the users after a place, at most `limit`.
    ///
    /// # Errors
    /// When the store fails, the budget is used up, the receiver stops, or too many users would
    /// have to be ordered at once.
    pub(crate) fn run(
        &self,
        context: Context<'_>,
        after: Option<&Place>,
        limit: Option<u64>,
        sink: &mut dyn ResultSink,
    ) -> Result<Page, Error> {
        sink.header(self.header()).map_err(|_| Error::Stopped)?;
        let mut writer = RowWriter::new(sink);
        let next = match (self.order.is_empty(), after) {
            (true, None) => stream::run(self, context, None, limit, &mut writer)?,
            (true, Some(Place::Storage(location))) => {
                stream::run(self, context, Some(*location), limit, &mut writer)?
            }
            (false, None) => order::run(self, context, None, limit, &mut writer)?,
            (false, Some(Place::Ordered(last))) => {
                order::run(self, context, Some(last), limit, &mut writer)?
            }
            (true, Some(Place::Ordered(_))) | (false, Some(Place::Storage(_))) => {
                return Err(Error::Internal(
                    "a cursor does not fit its segment".to_owned(),
                ));
            }
        };
        Ok(Page {
            rows: writer.finish()?,
            next,
        })
    }

    /// How its users come into order, as `EXPLAIN` tells it; nothing where they need not.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn explain_order(
        &self,
        context: Context<'_>,
        limit: Option<u64>,
    ) -> Result<Option<&'static str>, Error> {
        let Some((field, direction)) = self.order.first() else {
            return Ok(None);
        };
        let walk = texts::TextWalk::choose(self, context, limit)?;
        Ok(Some(match (walk, field, direction) {
            (Some(_), _, Direction::Ascending) => {
                "along the index of texts, until the page is full"
            }
            (Some(_), _, Direction::Descending) => {
                "back along the index of texts, until the page is full"
            }
            (None, OrderField::Text(_), _) => "by the records of everybody found",
            (None, OrderField::Attribute(_), _) => {
                "by columns; who comes after the page is passed over"
            }
            (None, OrderField::Key, _) => "by the keys of everybody found",
        }))
    }

    fn header(&self) -> Header {
        let names = std::iter::once("key".to_owned())
            .chain(self.returns.iter().map(|field| field.name.clone()));
        let columns = names
            .map(|name| Column {
                name,
                role: ColumnRole::Value,
            })
            .collect();
        Header {
            kind: ResultKind::Segment,
            columns,
        }
    }
}

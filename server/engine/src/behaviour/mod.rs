//! Behaviour: what users did, when, and how often.
//!
//! Knows how the events of one kind in one shard and one stretch of time are laid out as a table,
//! how such a table is read in place, changed and merged, which stretches of time there are, and
//! how a question about behaviour is answered by going through tables. Does not know where tables
//! are kept, nor users, names or statements.
//!
//! The pieces:
//! - [`Bucket`]: a day, or a month of days that are long past.
//! - [`EventTable`]: the events of one kind in a bucket and a shard, by user and time.
//! - [`EventDelta`], [`merge_full`], [`merge_partial`]: changes to a table as bytes.
//! - [`Behaviour`]: a question about each user's events.
//! - [`Scan`]: the answer, from one table after the other.

mod bucket;
mod build;
mod delta;
mod error;
mod notes;
mod numbers;
mod question;
mod scan;
mod select;
mod sequence;
mod table;

#[cfg(test)]
pub(crate) mod tests;

pub use bucket::{Bucket, Extent, first_day_of_month, month_of_day};
pub use build::EventRow;
pub use delta::{EventDelta, merge_full, merge_partial};
pub use error::EventTableError;
pub use numbers::{Figure, Figured};
pub use question::{Behaviour, Bound, Filter, Orderings, Question, Step, Window};
pub use scan::Scan;
pub(crate) use scan::selected;
pub(crate) use select::Selected;
pub use sequence::SequenceScan;
pub use table::{EventTable, PropertyColumn, Times};

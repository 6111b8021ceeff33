//! Loading events: many of one kind at once, column by column.
//!
//! Knows the shape of such a load and how it becomes commands. A load does exactly what the same
//! events would do if they were tracked one by one; only the way is shorter: names, values and
//! users are looked up once, and what many events lead to is built into sorted files that the
//! store takes as they are, with one delta for each table and row that changes.

mod build;
mod files;
mod request;
mod resolve;
mod rows;
mod stage;

pub(in crate::write) use files::write_event_files;
pub(in crate::write) use request::check_event_load;
pub use request::{EventColumn, EventLoadRequest, UnknownUsers};
pub(in crate::write) use resolve::resolve_event_load;
pub(crate) use rows::EventRows;
pub(in crate::write) use stage::EventBatch;

//! Loading: many rows of users at once, column by column.
//!
//! Knows the shape of a load and how it becomes commands. A load does exactly what the same rows
//! would do as mutations one by one; only the way is shorter: names and values are resolved once,
//! and users who are new are built into sorted files that the store takes as they are.

mod build;
mod events;
mod files;
mod inviters;
mod newcomers;
mod places;
mod request;
mod resolve;
mod rows;
mod stage;

pub use events::{EventColumn, EventLoadRequest, UnknownUsers};
pub(super) use events::{EventRows, check_event_load, resolve_event_load, write_event_files};
pub(super) use files::write_files;
pub use request::{LoadColumn, LoadRequest, NumberForm, PackedTexts, ShapeError};
pub(super) use request::{check_load, row_bits};
pub(super) use resolve::resolve_load;
pub(super) use rows::LoadRows;
#[cfg(test)]
pub(super) use rows::RowColumn;
pub(super) use stage::{Changed, Loads};

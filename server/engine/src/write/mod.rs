//! Writing: from mutations with names to one atomic batch.
//!
//! The way of a request: [`Mutation`]s are resolved against the schema into commands, one
//! list a partition; the commands are applied to staged records, many partitions at once if there
//! is much to do; when the requests that share a commit are staged, the difference between the
//! records before and after is derived into rows, columns and texts, and everything goes to the
//! store in one batch.
//!
//! Knows the rules of writing (exclusive groups, write-once attributes, limits). Does not know
//! the wire, nor how expressions are evaluated.

mod apply;
mod coerce;
mod command;
mod commit;
mod deletions;
mod dependents;
mod derive;
mod error;
mod event_sweep;
mod events;
mod exclusive;
mod facts;
mod forms;
mod holdings;
mod idempotency;
mod inviters;
mod key_changes;
mod lifecycle;
mod load;
mod merge;
mod mutation;
mod queue;
mod reply;
mod resolve;
mod schema_attributes;
mod schema_change;
mod schema_drop;
mod schema_events;
mod schema_forms;
mod schema_groups;
mod schema_names;
mod schema_rename;
mod schema_rules;
mod schema_segments;
mod size;
mod spread;
mod staging;
mod submit;
mod sweep;
mod syncer;
mod tag_notes;
mod usage;
mod writer;

pub(crate) use coerce::show as show_datum;
pub use error::{LimitError, RuleRefusal, SchemaError, SchemaErrorKind, WriteError};
pub(crate) use forms::{read_form, submission_key};
pub use holdings::{HoldEnd, HoldTerms};
pub use load::{
    EventColumn, EventLoadRequest, LoadColumn, LoadRequest, NumberForm, PackedTexts, ShapeError,
    UnknownUsers,
};
pub use mutation::{Mutation, SchemaStatement, UnknownTags, WriteRequest};
pub(crate) use size::{bytes_applied, bytes_copied};
pub(crate) use submit::{Job, Selected, SelectedUsers, WriterHandle};
pub(crate) use tag_notes::TagNotes;
pub(crate) use usage::{Use, usages};
pub(crate) use writer::Writer;

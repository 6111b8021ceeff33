//! The async Tessera client, and (feature `cli`) the `tessera` program.
//!
//! ```no_run
//! use tessera_client::{Client, ClientOptions, expr::{attribute, not, tag}};
//!
//! # async fn example() -> Result<(), tessera_client::Error> {
//! let client = Client::connect("127.0.0.1:7700", ClientOptions::default()).await?;
//! client.tag("u1", ["vip"]).await?;
//! let who = tag("vip").and(not(tag("silent"))).and(attribute("gender").is("f"));
//! println!("{} users", client.count(&who).await?);
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] is one connection that any number of tasks share; cloning it is cheap. It comes
//! back by itself after a broken connection and repeats what is safe to repeat. Dropping a future
//! or a stream cancels its request at the server.
//!
//! Knows how to speak to a server. Does not know what names mean, or how anything is stored.

mod answer;
mod backoff;
mod bulk;
#[cfg(feature = "cli")]
pub mod cli;
mod client;
mod connection;
mod dial;
mod error;
pub mod expr;
mod keys;
mod options;
mod params;
mod query;
mod render;
mod retry;
mod submission;
mod track;
mod write;

#[cfg(test)]
mod fake_server;

pub use answer::{Answer, AnswerStream, Batch, Row};
pub use backoff::Backoff;
pub use bulk::{BatchFailure, BulkOptions, BulkReport, BulkTotals, BulkWriter, Refusal};
pub use client::Client;
pub use dial::{Dial, Transport};
pub use error::{Error, Outcome};
pub use keys::KeyBatch;
pub use options::ClientOptions;
pub use params::Params;
pub use query::{
    dimension::{CalendarUnit, Comparison, DimensionQuery, Measure},
    portrait::{Portrait, PortraitRow, TagHeld},
    segment::{Cursor, KeyStream, Page, SegmentQuery, UserRow, UserStream},
    why::{Why, WhyPart},
};
pub use render::QueryError;
pub use submission::Submission;
pub use tessera_protocol::load::{
    EventColumn, EventRows, LoadColumn, LoadError, LoadRows, NumberForm, PackedTexts, presence,
};
pub use tessera_protocol::message::{
    Column, ColumnRole, Datum, Failure, FailureCode, HoldEnd, HoldTerms, Mutation, Parameter,
    ResultKind, Source, Summary, TimeUnit, UnknownTags, UnknownUsers, Welcome,
};
pub use track::Track;
pub use write::Write;

//! Which users.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use futures_util::StreamExt as _;
use tessera_protocol::message::{Column, Datum, Parameter, Summary};

use crate::{
    answer::{AnswerStream, Batch, Row},
    error::Error,
    expr::Expr,
    keys::KeyBatch,
    render::{QueryError, Writer},
};

/// Which users, what to return of each, and in which order.
///
/// ```
/// use tessera_client::{SegmentQuery, expr::tag};
///
/// let query = SegmentQuery::new(tag("vip")).returning(["age", "city"]).greatest_first("age").limit(100);
/// # let _ = query;
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct SegmentQuery {
    filter: Expr,
    returns: Vec<Field>,
    order: Vec<(Field, &'static str)>,
    sample: Option<(u64, u64)>,
    limit: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Key,
    Tags,
    Attribute(String),
}

impl Field {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Key => writer.words("KEY"),
            Self::Tags => writer.words("TAGS"),
            Self::Attribute(name) => writer.name(name),
        }
    }
}

/// A sample's parts: a hundredth of a percent.
const PARTS_PER_PERCENT: f64 = 100.0;

impl SegmentQuery {
    /// All users of the expression, by key, in storage order.
    pub fn new(filter: Expr) -> Self {
        Self {
            filter,
            returns: Vec::new(),
            order: Vec::new(),
            sample: None,
            limit: None,
        }
    }

    /// Returns these attributes too, beside the key.
    pub fn returning<T: Into<String>>(mut self, attributes: impl IntoIterator<Item = T>) -> Self {
        self.returns.extend(
            attributes
                .into_iter()
                .map(|name| Field::Attribute(name.into())),
        );
        self
    }

    /// Returns the list of tags held too.
    pub fn returning_tags(mut self) -> Self {
        self.returns.push(Field::Tags);
        self
    }

    /// Orders by an attribute, least first; said again, by a further one among equals.
    pub fn least_first(mut self, attribute: impl Into<String>) -> Self {
        self.order
            .push((Field::Attribute(attribute.into()), " ASC"));
        self
    }

    /// Orders by an attribute, greatest first; said again, by a further one among equals.
    pub fn greatest_first(mut self, attribute: impl Into<String>) -> Self {
        self.order
            .push((Field::Attribute(attribute.into()), " DESC"));
        self
    }

    /// Orders by key; said after another order, by key among equals.
    pub fn by_key(mut self) -> Self {
        self.order.push((Field::Key, " ASC"));
        self
    }

    /// Takes a stable sample of so many percent (above 0, at most 100, two digits after the
    /// point); the same seed gives the same users, and a larger sample contains a smaller one.
    pub fn sample(mut self, percent: f64, seed: u64) -> Self {
        let parts = (percent * PARTS_PER_PERCENT).round();
        // A float becomes the nearest integer, and 0 when it is not a number.
        self.sample = Some((parts as u64, seed));
        self
    }

    /// Takes so many users; the answer then has a [`Cursor`] when there are more.
    pub fn limit(mut self, users: u64) -> Self {
        self.limit = Some(users);
        self
    }

    /// The statement's text, and the values beside it.
    ///
    /// # Errors
    /// A part of it cannot be written down.
    pub fn to_text(&self) -> Result<(String, Vec<Parameter>), QueryError> {
        let mut writer = Writer::default();
        writer.words("SEGMENT ");
        self.filter.write(&mut writer)?;
        if !self.returns.is_empty() {
            writer.words(" RETURN ");
            writer.list("fields", &self.returns, |writer, field| {
                field.write(writer);
                Ok(())
            })?;
        }
        if !self.order.is_empty() {
            writer.words(" ORDER BY ");
            writer.list("an order", &self.order, |writer, (field, direction)| {
                field.write(writer);
                writer.words(direction);
                Ok(())
            })?;
        }
        self.write_sample(&mut writer)?;
        if let Some(users) = self.limit {
            writer.words(" LIMIT ");
            writer.number(users);
        }
        Ok(writer.finish())
    }

    fn write_sample(&self, writer: &mut Writer) -> Result<(), QueryError> {
        let Some((parts, seed)) = self.sample else {
            return Ok(());
        };
        if parts == 0 || parts > 10_000 {
            return Err(QueryError::Sample);
        }
        writer.words(&format!(
            " SAMPLE {}.{:02}% SEED {seed}",
            parts / 100,
            parts % 100
        ));
        Ok(())
    }
}

/// Where the next page of a segment begins, in the snapshot of its first page. The server keeps
/// it for a while and then forgets it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor(pub String);

/// What is wrong with an answer that is none of a segment.
const NO_KEY: &str = "a segment's row does not begin with a key";

/// A user of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRow {
    /// The user's key.
    pub key: String,
    /// What was asked to be returned beside it, in that order.
    pub values: Vec<Datum>,
}

impl UserRow {
    pub(crate) fn read(row: Row) -> Result<Self, Error> {
        let mut values = row.into_iter();
        match values.next() {
            Some(Datum::Text(key)) => Ok(Self {
                key,
                values: values.collect(),
            }),
            _ => Err(Error::Unexpected(NO_KEY.to_owned())),
        }
    }
}

/// A page of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The users.
    pub users: Vec<UserRow>,
    /// Where the next page begins; none after the last.
    pub cursor: Option<Cursor>,
}

/// The users of a segment as they arrive. The server sends only as far ahead as the reader reads;
/// dropping the stream stops it.
#[derive(Debug)]
pub struct UserStream {
    answer: AnswerStream,
}

impl UserStream {
    pub(crate) fn new(answer: AnswerStream) -> Self {
        Self { answer }
    }

    /// What each user's values are: the columns after the key.
    pub fn columns(&self) -> &[Column] {
        self.answer.columns().get(1..).unwrap_or_default()
    }

    /// Once the stream has ended well: what there is to say about it.
    pub fn summary(&self) -> Option<&Summary> {
        self.answer.summary()
    }

    /// Once the stream has ended well: where the next page begins, if there is one.
    pub fn cursor(&self) -> Option<Cursor> {
        self.answer.summary()?.cursor.clone().map(Cursor)
    }

    /// Only the keys.
    pub fn keys(self) -> KeyStream {
        KeyStream { users: self }
    }
}

impl Stream for UserStream {
    type Item = Result<UserRow, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.answer.poll_next_unpin(cx);
        polled.map(|next| next.map(|row| row.and_then(UserRow::read)))
    }
}

/// The keys of a segment's users as they arrive.
#[derive(Debug)]
pub struct KeyStream {
    users: UserStream,
}

impl KeyStream {
    /// Once the stream has ended well: where the next page begins, if there is one.
    pub fn cursor(&self) -> Option<Cursor> {
        self.users.cursor()
    }
}

impl KeyStream {
    /// Keys as many as arrived together, never none; `None` after the last. Reads some millions
    /// a second, because none is allocated by itself. Safe to drop at any time, and may be mixed
    /// with reading key by key.
    pub async fn next_batch(&mut self) -> Option<Result<KeyBatch, Error>> {
        let batch = self.users.answer.next_batch().await?;
        Some(batch.and_then(|batch| match batch {
            Batch::Keys(keys) => Ok(keys),
            Batch::Rows(rows) => match KeyBatch::of_rows(&rows) {
                Some(keys) => keys.map_err(|error| Error::Unexpected(error.to_string())),
                None => Err(Error::Unexpected(NO_KEY.to_owned())),
            },
        }))
    }
}

impl Stream for KeyStream {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.users.poll_next_unpin(cx);
        polled.map(|next| next.map(|user| user.map(|user| user.key)))
    }
}

//! Answers: whole, or as a stream of rows.
//!
//! Knows the order in which the parts of an answer must come. Does not know what the rows mean.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
    vec,
};

use futures_core::Stream;
use tessera_protocol::message::{Column, Datum, ResultKind, Summary};
use tokio::time::{Instant, Sleep};

use crate::{
    connection::{Event, Response},
    error::Error,
    keys::KeyBatch,
};

/// A row: a value for each column.
pub type Row = Vec<Datum>;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// What kind of table it is; none when the answer has no table.
    pub kind: Option<ResultKind>,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each as long as there are columns.
    pub rows: Vec<Row>,
    /// What there is to say about it.
    pub summary: Summary,
}

impl Answer {
    /// Where the column of this name stands.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Takes everything that arrives, up to so many rows.
    pub(crate) async fn collect(mut response: Response, rows_max: usize) -> Result<Self, Error> {
        let mut progress = Progress::default();
        let mut rows: Vec<Row> = Vec::new();
        loop {
            match progress.take(response.event().await?)? {
                Part::Head => {}
                Part::Batch(Batch::Rows(more)) => rows.extend(more),
                Part::Batch(Batch::Keys(keys)) => rows.extend(keys.rows_from(0)),
                Part::End(summary) => {
                    let (kind, columns) = progress.into_head();
                    return Ok(Self {
                        kind,
                        columns,
                        rows,
                        summary,
                    });
                }
            }
            if rows.len() > rows_max {
                return Err(Error::AnswerTooLong { rows_max });
            }
        }
    }
}

/// Rows that arrived together.
#[derive(Debug, Clone, PartialEq)]
pub enum Batch {
    /// Rows as they are.
    Rows(Vec<Row>),
    /// Rows of a key each, in an answer whose only column is the keys.
    Keys(KeyBatch),
}

impl Batch {
    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Keys(keys) => keys.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them as rows.
    pub fn into_rows(self) -> Vec<Row> {
        match self {
            Self::Rows(rows) => rows,
            Self::Keys(keys) => keys.rows_from(0),
        }
    }
}

/// A part of an answer that came when it may come.
enum Part {
    Head,
    Batch(Batch),
    End(Summary),
}

/// Follows an answer from its header to its end.
#[derive(Debug, Default)]
struct Progress {
    head: Option<(ResultKind, Vec<Column>)>,
}

impl Progress {
    fn take(&mut self, event: Event) -> Result<Part, Error> {
        match (event, &self.head) {
            (Event::Header(kind, columns), None) => {
                self.head = Some((kind, columns));
                Ok(Part::Head)
            }
            (Event::Header(..), Some(_)) => Err(Error::Unexpected("a second header".to_owned())),
            (Event::Rows(_) | Event::Keys(_), None) => {
                Err(Error::Unexpected("rows before a header".to_owned()))
            }
            (Event::Keys(keys), Some((_, columns))) => {
                if columns.len() != 1 {
                    let message = "keys alone in an answer of other columns";
                    return Err(Error::Unexpected(message.to_owned()));
                }
                Ok(Part::Batch(Batch::Keys(KeyBatch::new(keys))))
            }
            (Event::Rows(rows), Some((_, columns))) => {
                if rows.iter().any(|row| row.len() != columns.len()) {
                    let message = "a row that is not as long as there are columns";
                    return Err(Error::Unexpected(message.to_owned()));
                }
                Ok(Part::Batch(Batch::Rows(rows)))
            }
            (Event::End(summary), _) => Ok(Part::End(summary)),
            (Event::Failed(failure), _) => Err(Error::Refused(failure)),
        }
    }

    fn into_head(self) -> (Option<ResultKind>, Vec<Column>) {
        match self.head {
            Some((kind, columns)) => (Some(kind), columns),
            None => (None, Vec::new()),
        }
    }
}

/// The rows of an answer as they arrive. The server sends only as far ahead as they are read;
/// dropping the stream cancels the rest.
#[derive(Debug)]
pub struct AnswerStream {
    /// None after the end.
    response: Option<Response>,
    progress: Progress,
    arrived: Arrived,
    summary: Option<Summary>,
    silence: Silence,
}

/// Rows that nobody has read yet.
#[derive(Debug)]
enum Arrived {
    Rows(vec::IntoIter<Row>),
    /// The keys from a place on.
    Keys(KeyBatch, usize),
}

impl Arrived {
    fn none() -> Self {
        Self::Rows(Vec::new().into_iter())
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Rows(rows) => rows.as_slice().is_empty(),
            Self::Keys(keys, place) => *place >= keys.len(),
        }
    }

    fn next_row(&mut self) -> Option<Row> {
        match self {
            Self::Rows(rows) => rows.next(),
            Self::Keys(keys, place) => {
                let row = keys.row(*place);
                *place += 1;
                row
            }
        }
    }

    /// Keys of which some were read are rows from then on.
    fn into_batch(self) -> Batch {
        match self {
            Self::Rows(rows) => Batch::Rows(rows.collect()),
            Self::Keys(keys, 0) => Batch::Keys(keys),
            Self::Keys(keys, place) => Batch::Rows(keys.rows_from(place)),
        }
    }
}

impl AnswerStream {
    /// Waits until the answer has begun: its columns are known, or it has none and has ended.
    pub(crate) async fn begin(response: Response, silence_max: Duration) -> Result<Self, Error> {
        let mut stream = Self {
            response: Some(response),
            progress: Progress::default(),
            arrived: Arrived::none(),
            summary: None,
            silence: Silence::new(silence_max),
        };
        std::future::poll_fn(|cx| stream.poll_part(cx)).await?;
        Ok(stream)
    }

    /// What kind of table it is; none when the answer has no table.
    pub fn kind(&self) -> Option<ResultKind> {
        self.progress.head.as_ref().map(|(kind, _)| *kind)
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        self.progress
            .head
            .as_ref()
            .map_or(&[], |(_, columns)| columns)
    }

    /// Once the stream has ended well: what there is to say about it.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// Rows as many as arrived together, never none; `None` after the last. Safe to drop at any
    /// time, and may be mixed with reading row by row.
    pub async fn next_rows(&mut self) -> Option<Result<Vec<Row>, Error>> {
        let batch = self.next_batch().await?;
        Some(batch.map(Batch::into_rows))
    }

    /// As [`Self::next_rows`], but keys that are all of their rows stay as they came: reading
    /// them allocates nothing.
    pub async fn next_batch(&mut self) -> Option<Result<Batch, Error>> {
        std::future::poll_fn(|cx| self.poll_batch(cx)).await
    }

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Error>>> {
        while self.arrived.is_empty() {
            if self.response.is_none() {
                return Poll::Ready(None);
            }
            if let Err(error) = ready!(self.poll_part(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
        }
        let arrived = std::mem::replace(&mut self.arrived, Arrived::none());
        Poll::Ready(Some(Ok(arrived.into_batch())))
    }

    /// Takes the next part into itself. After the end or an error there is no response any more.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(response) = &mut self.response else {
            return Poll::Ready(Ok(()));
        };
        let event = match response.poll_event(cx) {
            Poll::Ready(event) => event,
            Poll::Pending => {
                let error = ready!(self.silence.poll_over(cx));
                self.response = None;
                return Poll::Ready(Err(error));
            }
        };
        self.silence.is_broken();
        let outcome = event
            .and_then(|event| self.progress.take(event))
            .map(|part| match part {
                Part::Head => {}
                Part::Batch(Batch::Rows(rows)) => self.arrived = Arrived::Rows(rows.into_iter()),
                Part::Batch(Batch::Keys(keys)) => self.arrived = Arrived::Keys(keys, 0),
                Part::End(summary) => {
                    self.summary = Some(summary);
                    self.response = None;
                }
            });
        if outcome.is_err() {
            self.response = None;
        }
        Poll::Ready(outcome)
    }
}

impl Stream for AnswerStream {
    type Item = Result<Row, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(row) = self.arrived.next_row() {
                return Poll::Ready(Some(Ok(row)));
            }
            if self.response.is_none() {
                return Poll::Ready(None);
            }
            if let Err(error) = ready!(self.poll_part(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

/// Measures how long a reader that wants more has waited. Time in which nobody reads is not
/// counted, since then it is not the server that is slow.
#[derive(Debug)]
struct Silence {
    longest: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    fn new(longest: Duration) -> Self {
        Self {
            longest,
            waiting: None,
        }
    }

    fn is_broken(&mut self) {
        self.waiting = None;
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.waiting.is_none() {
            let Some(end) = Instant::now().checked_add(self.longest) else {
                return Poll::Pending;
            };
            self.waiting = Some(Box::pin(tokio::time::sleep_until(end)));
        }
        match &mut self.waiting {
            Some(sleep) => sleep
                .as_mut()
                .poll(cx)
                .map(|()| Error::Timeout(self.longest)),
            None => Poll::Pending,
        }
    }
}

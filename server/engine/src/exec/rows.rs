//! Rows on their way to the sink, gathered into batches.

use crate::{
    datum::{Datum, Header, ResultSink, Row, Stopped},
    error::Error,
    user_keys::PackedKeys,
};

/// Rows given to the sink at once.
pub(crate) const BATCH_ROWS: usize = 1000;

/// Gathers rows and counts them.
pub(crate) struct RowWriter<'a> {
    sink: &'a mut dyn ResultSink,
    batch: Vec<Row>,
    rows: u64,
}

impl<'a> RowWriter<'a> {
    pub(crate) fn new(sink: &'a mut dyn ResultSink) -> Self {
        Self {
            sink,
            batch: Vec::new(),
            rows: 0,
        }
    }

    /// Takes rows; sends them on when there are enough.
    pub(crate) fn write(&mut self, rows: Vec<Row>) -> Result<(), Error> {
        self.rows += rows.len() as u64;
        self.batch.extend(rows);
        if self.batch.len() >= BATCH_ROWS {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Takes rows of a key each, and sends them on.
    pub(crate) fn write_keys(&mut self, keys: PackedKeys) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        self.flush()?;
        self.rows += keys.len() as u64;
        self.sink.keys(keys).map_err(|_| Error::Stopped)
    }

    /// Sends the rest, and says how many rows there were.
    pub(crate) fn finish(mut self) -> Result<u64, Error> {
        self.flush()?;
        Ok(self.rows)
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.sink
            .rows(std::mem::take(&mut self.batch))
            .map_err(|_| Error::Stopped)
    }
}

/// Keeps the first column: the keys of a segment.
#[derive(Debug, Default)]
pub(crate) struct KeySink {
    keys: Vec<String>,
}

impl KeySink {
    /// What was kept.
    pub(crate) fn into_keys(self) -> Vec<String> {
        self.keys
    }
}

impl ResultSink for KeySink {
    fn header(&mut self, _: Header) -> Result<(), Stopped> {
        Ok(())
    }

    fn keys(&mut self, keys: PackedKeys) -> Result<(), Stopped> {
        self.keys.extend(keys.iter().map(str::to_owned));
        Ok(())
    }

    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        self.keys.extend(
            rows.into_iter()
                .filter_map(|row| match row.into_iter().next() {
                    Some(Datum::Text(key)) => Some(key),
                    Some(_) | None => None,
                }),
        );
        Ok(())
    }
}

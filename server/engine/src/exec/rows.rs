//! Rows on their way to the sink, gathered into batches.

use crate::{
    datum::{ResultSink, Row},
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

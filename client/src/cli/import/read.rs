//! Files → rows ready to send, in a thread of its own.
//!
//! Knows the order of files and rows. Does not know the server.

use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::columns::{Columns, RowsBatch};
use super::events::{Events, EventsBatch};
use super::plan::{Form, Plan};
use super::records::{BadRow, Next, Records};
use super::rejects::Reject;
use super::send::Strictness;

/// Bad rows that travel together.
const CHUNK_ROWS: usize = 1_000;
/// What they may take as they stand in the file, in bytes, about: the last one may be beyond it.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Chunks that may wait. Most are a batch of rows.
const CHUNKS_WAITING_MAX: usize = 2;
/// What a batch of rows may take, in bytes, about: the last row may be beyond it.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// A file whose header fits the mapping.
pub(crate) struct Input {
    /// Its name for messages.
    pub(crate) name: String,
    /// Its rows.
    pub(crate) records: Records,
}

/// What comes from the files.
pub(crate) enum Item {
    /// Rows of one file.
    Rows(RowsBatch),
    /// Events of one kind and file.
    Events(EventsBatch),
    /// A row that is none.
    Bad(Reject),
    /// A file cannot be read on; nothing follows.
    Failed(String),
}

/// Starts the thread. It ends when everything is read or when nobody takes the rows any more.
pub(crate) fn start(
    inputs: Vec<Input>,
    plan: Plan,
    batch_rows: usize,
    strictness: Strictness,
) -> std::io::Result<(mpsc::Receiver<Vec<Item>>, JoinHandle<()>)> {
    let conversion = match plan.form() {
        Form::Users => Conversion::Columns(Box::new(Columns::new(plan))),
        Form::Events => Conversion::Events(Box::new(Events::new(plan))),
    };
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    let reader = Reader {
        conversion,
        batch_rows,
        strictness,
        chunk: Vec::new(),
        chunk_bytes: 0,
        sender,
    };
    let thread = thread::Builder::new()
        .name("import-reader".to_owned())
        .spawn(move || {
            // Nobody takes the rows any more: there is nothing left to do.
            let _ = reader.read_all(inputs);
        })?;
    Ok((receiver, thread))
}

struct Reader {
    conversion: Conversion,
    /// Rows of a batch.
    batch_rows: usize,
    strictness: Strictness,
    chunk: Vec<Item>,
    chunk_bytes: usize,
    sender: mpsc::Sender<Vec<Item>>,
}

/// What rows become.
enum Conversion {
    Columns(Box<Columns>),
    Events(Box<Events>),
}

/// Nobody takes the rows any more.
struct Abandoned;

impl Reader {
    fn read_all(mut self, inputs: Vec<Input>) -> Result<(), Abandoned> {
        for (file, input) in inputs.into_iter().enumerate() {
            self.read_file(file, input)?;
        }
        match self.chunk.is_empty() {
            true => Ok(()),
            false => self.hand_over(),
        }
    }

    fn read_file(&mut self, file: usize, input: Input) -> Result<(), Abandoned> {
        let Input { name, mut records } = input;
        loop {
            let item = match records.next() {
                Ok(Next::End) => {
                    self.finish_batch(file);
                    return Ok(());
                }
                Ok(Next::Row) => self.row(&name, &records),
                Ok(Next::Bad(bad)) => Some(Item::Bad(reject(&name, &records, bad))),
                Err(error) => {
                    let reason = format!("{name}, after line {}: {error}", records.line());
                    self.finish_batch(file);
                    self.chunk.push(Item::Failed(reason));
                    self.hand_over()?;
                    return Err(Abandoned);
                }
            };
            if let Some(item) = item {
                if self.strictness == Strictness::Strict && matches!(item, Item::Bad(_)) {
                    // Rows before it are imported, and those after it are not.
                    self.finish_batch(file);
                }
                self.chunk.push(item);
                self.chunk_bytes += records.raw().len();
            }
            self.finish_full_events(file);
            if self.is_full() {
                self.finish_full_batch(file);
                self.hand_over()?;
            }
        }
    }

    /// Lets a row join its batch; says what is wrong with one that cannot.
    fn row(&mut self, name: &str, records: &Records) -> Option<Item> {
        let added = match &mut self.conversion {
            Conversion::Columns(columns) => columns.add(records),
            Conversion::Events(events) => events.add(records),
        };
        let bad = added.err()?;
        Some(Item::Bad(reject(name, records, bad)))
    }

    /// Ends what is in the making.
    fn finish_batch(&mut self, file: usize) {
        match &mut self.conversion {
            Conversion::Events(events) => {
                self.chunk
                    .extend(events.finish_all(file).into_iter().map(Item::Events));
            }
            Conversion::Columns(_) => self.finish_full_batch(file),
        }
    }

    /// Ends the batch of rows; those of events go on until they are full themselves.
    fn finish_full_batch(&mut self, file: usize) {
        if let Conversion::Columns(columns) = &mut self.conversion
            && columns.len() > 0
        {
            self.chunk.push(Item::Rows(columns.finish(file)));
        }
    }

    /// Ends the batches of events that are full.
    fn finish_full_events(&mut self, file: usize) {
        if let Conversion::Events(events) = &mut self.conversion {
            let full = events.finish_full(file, self.batch_rows);
            self.chunk.extend(full.into_iter().map(Item::Events));
        }
    }

    fn is_full(&self) -> bool {
        let batch_is_full = match &self.conversion {
            Conversion::Columns(columns) => {
                columns.len() >= self.batch_rows || columns.bytes() >= BATCH_BYTES
            }
            Conversion::Events(_) => self.has_events(),
        };
        batch_is_full || self.chunk.len() >= CHUNK_ROWS || self.chunk_bytes >= CHUNK_BYTES
    }

    fn has_events(&self) -> bool {
        let is_batch = |item: &Item| matches!(item, Item::Events(_));
        self.chunk.last().is_some_and(is_batch)
    }

    fn hand_over(&mut self) -> Result<(), Abandoned> {
        let chunk = std::mem::take(&mut self.chunk);
        self.chunk_bytes = 0;
        self.sender.blocking_send(chunk).map_err(|_| Abandoned)
    }
}

fn reject(file: &str, records: &Records, bad: BadRow) -> Reject {
    Reject {
        file: file.to_owned(),
        line: records.line(),
        column: bad.column,
        reason: bad.reason,
        record: records.raw().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::io::Cursor;

    use super::*;
    use crate::cli::import::mapping::Mapping;
    use crate::cli::import::records::FileFormat;
    use crate::cli::import::source::{BytesRead, Source};

    fn input(rows: usize, row_bytes: usize, id: &str) -> (Input, Plan) {
        let mapping = "key = \"id\"\n[[tag]]\ncolumn = \"filler\"\nby = \"value\"\n";
        let mapping = Mapping::parse(mapping).unwrap();
        let plan = Plan::new(&mapping);
        let filler = "x".repeat(row_bytes);
        let mut data = "id,filler\n".to_owned();
        for _ in 0..rows {
            data.push_str(&format!("{id},{filler}\n"));
        }
        let data = Cursor::new(data.into_bytes());
        let source = Source::new("test".to_owned(), data, &BytesRead::default()).unwrap();
        let records = Records::open(source, FileFormat::Csv, b',', plan.columns()).unwrap();
        let name = "test".to_owned();
        (Input { name, records }, plan)
    }

    /// How many items each chunk has, and how many rows they have in all.
    fn chunks_of(rows: usize, row_bytes: usize, id: &str) -> (Vec<usize>, Vec<usize>) {
        let (input, plan) = input(rows, row_bytes, id);
        let (mut chunks, thread) = start(vec![input], plan, 1_500, Strictness::Lenient).unwrap();
        let (mut items, mut good) = (Vec::new(), Vec::new());
        while let Some(chunk) = chunks.blocking_recv() {
            items.push(chunk.len());
            good.extend(chunk.iter().filter_map(|item| match item {
                Item::Rows(batch) => Some(batch.rows.len()),
                Item::Events(_) | Item::Bad(_) | Item::Failed(_) => None,
            }));
        }
        thread.join().unwrap();
        (items, good)
    }

    #[test]
    fn bad_rows_travel_in_chunks_that_are_limited_in_rows_and_in_bytes() {
        let check = |rows: usize, row_bytes: usize, expected: &[usize]| {
            // Without a key.
            let (items, good) = chunks_of(rows, row_bytes, "");
            assert_eq!(items, expected, "{rows} rows of {row_bytes} bytes");
            assert_eq!(good, [0_usize; 0]);
        };
        check(2_500, 10, &[1_000, 1_000, 500]);
        check(5, CHUNK_BYTES / 2, &[2, 2, 1]);
        check(2, CHUNK_BYTES - 100, &[2]);
    }

    #[test]
    fn rows_travel_in_batches() {
        let (items, good) = chunks_of(3_500, 10, "u");
        assert_eq!((items, good), (vec![1, 1, 1], vec![1_500, 1_500, 500]));
    }
}

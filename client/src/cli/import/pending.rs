//! Rows that were sent and may still be refused.
//!
//! Knows where each row's changes begin. Does not know files or the server.

use super::columns::RawRows;
use super::read::Row;

/// What rows that are kept may take, in bytes, about. How much the bulk writer has under way says
/// nothing about it: a row may be far longer than its changes.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What keeping a row costs beside its text.
const ROW_OVERHEAD_BYTES: usize = 64;

/// The rows. Nothing leaves by itself: a row that is refused after it has left is not known any
/// more, so only who knows that some are answered may have them cleared.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    rows: Vec<SentRow>,
    /// Rows that were sent together, with the place of the first one's change: each is one.
    batches: Vec<(u64, RawRows)>,
    bytes: usize,
}

/// Where a row stands, and the row itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundRow {
    /// Which file.
    pub(crate) file: usize,
    /// The number of its first line.
    pub(crate) line: u64,
    /// As it stands in the file.
    pub(crate) record: Vec<u8>,
}

/// A row that was sent.
#[derive(Debug)]
struct SentRow {
    /// The place of its first change among all changes.
    first_change: u64,
    found: FoundRow,
}

impl Pending {
    /// Keeps a row whose first change has this place. Places only rise.
    pub(crate) fn keep(&mut self, first_change: u64, row: Row) {
        let Row {
            file,
            line,
            record,
            changes: _,
        } = row;
        self.bytes += record.len() + ROW_OVERHEAD_BYTES;
        self.rows.push(SentRow {
            first_change,
            found: FoundRow { file, line, record },
        });
    }

    /// Keeps rows that were sent together, the change of the first of which has this place.
    pub(crate) fn keep_batch(&mut self, first_change: u64, rows: RawRows) {
        self.bytes += rows.bytes();
        self.batches.push((first_change, rows));
    }

    /// Whether no more rows should be kept before those that are here have left.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= KEPT_BYTES_MAX
    }

    /// Whether so many rows are kept that it is time to find out which are answered.
    pub(crate) fn is_half_full(&self) -> bool {
        self.bytes >= KEPT_BYTES_MAX / 2
    }

    /// Forgets the rows whose changes have places before this one.
    pub(crate) fn clear_before(&mut self, change: u64) {
        self.rows.retain(|row| row.first_change >= change);
        self.batches.retain(|(first, _)| *first >= change);
        let rows = self.rows.iter();
        let rows = rows.map(|row| row.found.record.len() + ROW_OVERHEAD_BYTES);
        let batches = self.batches.iter().map(|(_, rows)| rows.bytes());
        self.bytes = rows.chain(batches).sum();
    }

    /// The row that a change belongs to; none if it has left.
    pub(crate) fn row_of(&self, change: u64) -> Option<FoundRow> {
        self.in_batch(change).or_else(|| {
            let after = self.rows.partition_point(|row| row.first_change <= change);
            Some(self.rows.get(after.checked_sub(1)?)?.found.clone())
        })
    }

    fn in_batch(&self, change: u64) -> Option<FoundRow> {
        let after = self.batches.partition_point(|(first, _)| *first <= change);
        let (first, rows) = self.batches.get(after.checked_sub(1)?)?;
        let (line, record) = rows.row(usize::try_from(change - first).ok()?)?;
        Some(FoundRow {
            file: rows.file,
            line,
            record: record.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::import::plan::Changes;

    fn row(line: u64, bytes: usize) -> Row {
        Row {
            changes: Changes::default(),
            file: 0,
            line,
            record: vec![b'x'; bytes],
        }
    }

    #[test]
    fn a_change_is_traced_to_its_row() {
        let mut pending = Pending::default();
        pending.keep(0, row(2, 1));
        pending.keep(3, row(3, 1));
        pending.keep(4, row(5, 1));
        let check = |change, expected| {
            let found = pending.row_of(change).map(|row| row.line);
            assert_eq!(found, Some(expected), "{change}");
        };
        check(0, 2);
        check(2, 2);
        check(3, 3);
        check(99, 5);
    }

    #[test]
    fn what_is_kept_is_full_at_its_limit_and_empty_again() {
        let mut pending = Pending::default();
        let mut kept = 0;
        while !pending.is_full() {
            pending.keep(kept, row(kept, 1024 * 1024));
            kept += 1;
        }
        assert_eq!(kept, 64);
        assert!(pending.row_of(0).is_some_and(|row| row.line == 0));
        pending.clear_before(33);
        assert!(!pending.is_full() && !pending.is_half_full());
        assert!(pending.row_of(33).is_some_and(|row| row.line == 33));
        assert!(pending.row_of(32).is_none());
        pending.clear_before(kept);
        assert!(pending.row_of(99).is_none());
        pending.keep(kept, row(7, 1));
        assert!(pending.row_of(kept).is_some_and(|row| row.line == 7));
    }
}

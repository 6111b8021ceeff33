//! Rows that were sent and may still be refused.
//!
//! Knows the place of each row's change. Does not know files or the server.

use super::columns::RawRows;

/// What rows that are kept may take, in bytes, about. How much the bulk writer has under way says
/// nothing about it: a row may be far longer than its changes.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The rows. Nothing leaves by itself: a row that is refused after it has left is not known any
/// more, so only who knows that some are answered may have them cleared.
#[derive(Debug, Default)]
pub(crate) struct Pending {
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

impl Pending {
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
        self.batches.retain(|(first, _)| *first >= change);
        self.bytes = self.batches.iter().map(|(_, rows)| rows.bytes()).sum();
    }

    /// The row that a change belongs to; none if it has left.
    pub(crate) fn row_of(&self, change: u64) -> Option<FoundRow> {
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

    fn rows(lines: &[u64], bytes: usize) -> RawRows {
        let mut rows = RawRows::default();
        for line in lines {
            rows.push(&vec![b'x'; bytes], *line);
        }
        rows
    }

    #[test]
    fn a_change_is_traced_to_its_row() {
        let mut pending = Pending::default();
        pending.keep_batch(0, rows(&[2, 3, 5], 1));
        pending.keep_batch(3, rows(&[9], 1));
        let check = |change, expected| {
            let found = pending.row_of(change).map(|row| row.line);
            assert_eq!(found, expected, "{change}");
        };
        check(0, Some(2));
        check(2, Some(5));
        check(3, Some(9));
        check(4, None);
    }

    #[test]
    fn what_is_kept_is_full_at_its_limit_and_empty_again() {
        let mut pending = Pending::default();
        let mut kept = 0;
        while !pending.is_full() {
            pending.keep_batch(kept, rows(&[kept], 1024 * 1024));
            kept += 1;
        }
        assert_eq!(kept, 64);
        assert!(pending.row_of(0).is_some_and(|row| row.line == 0));
        pending.clear_before(33);
        assert!(!pending.is_full() && !pending.is_half_full());
        assert!(pending.row_of(33).is_some_and(|row| row.line == 33));
        assert!(pending.row_of(32).is_none());
        pending.clear_before(kept);
        assert!(pending.row_of(63).is_none());
        pending.keep_batch(kept, rows(&[7], 1));
        assert!(pending.row_of(kept).is_some_and(|row| row.line == 7));
    }
}

//! Rows that were sent and may still be refused.
//!
//! Knows where each row's changes begin. Does not know files or the server.

use std::collections::VecDeque;

use super::read::Row;

/// What rows that are kept may take, in bytes. The bulk writer has far less under way, so a row
/// that has left here was answered.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What keeping a row costs beside its text.
const ROW_OVERHEAD_BYTES: usize = 64;

/// The rows.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    rows: VecDeque<SentRow>,
    bytes: usize,
}

/// A row that was sent.
#[derive(Debug)]
pub(crate) struct SentRow {
    /// The place of its first change among all changes.
    first_change: u64,
    /// Which file it stands in.
    pub(crate) file: usize,
    /// The number of its first line.
    pub(crate) line: u64,
    /// As it stands in the file.
    pub(crate) record: Vec<u8>,
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
        self.rows.push_back(SentRow {
            first_change,
            file,
            line,
            record,
        });
        while self.bytes > KEPT_BYTES_MAX {
            let Some(oldest) = self.rows.pop_front() else {
                break;
            };
            self.bytes -= oldest.record.len() + ROW_OVERHEAD_BYTES;
        }
    }

    /// The row that a change belongs to; none if it is not kept any more.
    pub(crate) fn row_of(&self, change: u64) -> Option<&SentRow> {
        let after = self.rows.partition_point(|row| row.first_change <= change);
        self.rows.get(after.checked_sub(1)?)
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
    fn memory_is_limited() {
        let mut pending = Pending::default();
        for number in 0..100 {
            pending.keep(number, row(number, 1024 * 1024));
        }
        assert!(pending.bytes <= KEPT_BYTES_MAX && pending.rows.len() < 64);
        assert!(pending.row_of(0).is_none());
        assert!(pending.row_of(99).is_some());
    }
}

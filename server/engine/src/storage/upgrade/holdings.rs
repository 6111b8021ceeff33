//! From format 2 to 3: nothing is written anew.
//!
//! What format 3 says of holdings, and of tags whose holdings end, has forms of its own beside
//! those of format 2, which mean in format 3 what they meant. Only the version tells older
//! programs to keep away.

use crate::storage::{StorageError, rocks::Rocks};

/// Changes nothing.
#[expect(
    clippy::unnecessary_wraps,
    reason = "an upgrade can fail, though this one cannot"
)]
pub(super) fn run(_rocks: &Rocks) -> Result<(), StorageError> {
    Ok(())
}

//! From format 3 to 4: nothing is written anew.
//!
//! What format 4 says of tags and groups (rules, lifecycles, former names, groups in groups) has
//! forms of its own beside those of format 3, which mean in format 4 what they meant, and so have
//! the fragments and key blocks that it writes. The family of the sizes of tags begins empty. Only
//! the version tells older programs to keep away.

use crate::storage::{StorageError, rocks::Rocks};

/// Changes nothing.
#[expect(
    clippy::unnecessary_wraps,
    reason = "an upgrade can fail, though this one cannot"
)]
pub(super) fn run(_rocks: &Rocks) -> Result<(), StorageError> {
    Ok(())
}

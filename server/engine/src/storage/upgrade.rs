//! The format version of a store, and the way from older ones to this one.
//!
//! Each upgrade has a file of its own, goes from one version to the next, and is listed here in
//! order. A format is changed by adding an upgrade, never by changing one.
//!
//! An upgrade writes into families that its old format does not have, in as many batches as it
//! needs, and leaves what it reads as it is. So it may be cut off anywhere and begin again; the
//! new version is written last. What only older formats have is dropped after that.

mod full_definitions;
mod holdings;
mod key_blocks;

use crate::storage::{
    OpenError, StorageError,
    batch::Changes,
    families::{FormatVersionKey, FormatVersions},
    rocks::{Rocks, Sync},
};

/// The format that this version reads and writes.
///
/// History: 1 is the first; 2 stores the keys of a run of users together, and records in a form
/// of fewer bytes; 3 knows how tags are held, and has families of events, which begin empty; 4 has
/// rules, lifecycles and former names of tags, and groups in groups, and stores sets of users and
/// blocks of keys in fewer bytes.
/// Records, fragments and key blocks of older formats say by their first byte what they are, and
/// are left as they are until they are written again: nothing of them is done by an upgrade.
pub const FORMAT_VERSION: u32 = 4;

/// A step from `from` to `from + 1`.
struct Upgrade {
    from: u32,
    run: fn(&Rocks) -> Result<(), StorageError>,
}

/// All steps, oldest first.
const UPGRADES: &[Upgrade] = &[
    Upgrade {
        from: 1,
        run: key_blocks::run,
    },
    Upgrade {
        from: 2,
        run: holdings::run,
    },
    Upgrade {
        from: 3,
        run: full_definitions::run,
    },
];

/// Refuses a format that is newer than this version.
pub(crate) fn check_readable(found: u32) -> Result<(), OpenError> {
    if found > FORMAT_VERSION {
        return Err(OpenError::NewerFormat {
            found,
            supported: FORMAT_VERSION,
        });
    }
    Ok(())
}

/// Takes a store from `found` to [`FORMAT_VERSION`].
pub(crate) fn upgrade(rocks: &mut Rocks, found: u32) -> Result<(), OpenError> {
    let mut version = found;
    for upgrade in UPGRADES.iter().filter(|upgrade| upgrade.from >= found) {
        tracing::info!(from = upgrade.from, "upgrading the format of the store");
        (upgrade.run)(rocks)?;
        version = upgrade.from + 1;
        let mut changes = Changes::default();
        changes.put::<FormatVersions>(&FormatVersionKey, &version)?;
        rocks.commit(changes.into_batch(rocks)?, Sync::Disk)?;
    }
    if version == FORMAT_VERSION {
        return Ok(rocks.drop_retired()?);
    }
    Err(StorageError::Store(format!(
        "there is no upgrade from format {version} to {FORMAT_VERSION}"
    ))
    .into())
}

#[cfg(test)]
mod tests;

//! The format version of a store, and the way from older ones to this one.
//!
//! Each upgrade has a file of its own, goes from one version to the next in one batch, and is
//! listed here in order. A format is changed by adding an upgrade, never by changing one.

use crate::storage::{
    OpenError, StorageError,
    batch::Changes,
    families::{FormatVersionKey, FormatVersions},
    rocks::{Rocks, Sync},
};

/// The format that this version reads and writes.
///
/// History: 1 is the first.
pub const FORMAT_VERSION: u32 = 1;

/// A step from `from` to `from + 1`.
struct Upgrade {
    from: u32,
    run: fn(&Rocks, &mut Changes) -> Result<(), StorageError>,
}

/// All steps, oldest first.
const UPGRADES: &[Upgrade] = &[];

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
pub(crate) fn upgrade(rocks: &Rocks, found: u32) -> Result<(), OpenError> {
    let mut version = found;
    for upgrade in UPGRADES.iter().filter(|upgrade| upgrade.from >= found) {
        let mut changes = Changes::default();
        (upgrade.run)(rocks, &mut changes)?;
        version = upgrade.from + 1;
        changes.put::<FormatVersions>(&FormatVersionKey, &version)?;
        rocks.commit(changes.into_batch(rocks)?, Sync::Disk)?;
    }
    if version == FORMAT_VERSION {
        return Ok(());
    }
    Err(StorageError::Store(format!(
        "there is no upgrade from format {version} to {FORMAT_VERSION}"
    ))
    .into())
}

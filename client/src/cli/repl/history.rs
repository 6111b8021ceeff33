//! Where the lines of earlier sessions are.
//!
//! Knows folders. Does not know lines.

use std::fs;
use std::path::PathBuf;

/// Names another file; empty for none.
const VARIABLE: &str = "TESSERA_HISTORY";

/// The history file, in a folder that exists. None when it is not wanted or has no place.
pub(crate) fn path() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return (!path.is_empty()).then(|| PathBuf::from(path));
    }
    let folder = dirs::state_dir()
        .or_else(dirs::data_local_dir)?
        .join("tessera");
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

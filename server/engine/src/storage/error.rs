//! What can go wrong with the store.

use std::path::PathBuf;

use crate::ids::{PartitionId, UserId};

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// RocksDB failed: the disk is full or broken, a checksum does not fit.
    #[error("the store failed: {0}")]
    Store(String),
    /// Bytes that this version cannot have written.
    #[error("damaged data in {family} at key {key}: {reason}")]
    Damaged {
        /// The column family.
        family: &'static str,
        /// The key in hexadecimal.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A user who should be there is not.
    #[error("no key is stored for user {} of partition {}", user.0, partition.0)]
    MissingUser {
        /// The partition.
        partition: PartitionId,
        /// The user.
        user: UserId,
    },
    /// An earlier commit failed: whether it is on disk is unknown until the store is opened
    /// again, so nothing more is written.
    #[error("writing has stopped because a commit failed: {0}; restart to go on")]
    WritesStopped(String),
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it open.
    #[error("the database in {} is in use by another server", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// A newer version wrote it.
    #[error(
        "the database has format {found}, and this version reads formats up to {supported}: use the version that \
         wrote it, or a later one"
    )]
    NewerFormat {
        /// The format found.
        found: u32,
        /// The newest format that can be read.
        supported: u32,
    },
    /// Options that no database can have.
    #[error("invalid option: {0}")]
    InvalidOption(String),
    /// The directory cannot be used.
    #[error("cannot use the directory {}: {error}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

//! Opening the store: the lock, the format version, and the state the writer goes on from.

use std::{
    fs::{File, TryLockError},
    hash::{BuildHasher, Hasher},
    path::Path,
    sync::Arc,
};

use crate::{
    ids::PartitionId,
    schema::Schema,
    storage::{
        OpenError, StorageError, View,
        batch::Changes,
        cache::{CacheUsage, Caches},
        catalog,
        compactor::Compactor,
        families::{DatabaseFactsKey, damaged_at},
        families::{
            Facts, FamilyId, FormatVersionKey, FormatVersions, IdempotentOutcome, PartitionState,
            Requests, read, scan,
        },
        formats::{DatabaseFacts, ValueFormat},
        incoming::{IncomingDir, IncomingFiles},
        keys::KeyFormat,
        rocks::{Rocks, StoreMemory, Sync},
        upgrade::{FORMAT_VERSION, check_readable, upgrade},
    },
};

/// Partitions that a database may have.
const PARTITIONS_MAX: u16 = 4096;
/// The least memory worth having.
const CACHE_BYTES_MIN: u64 = 1 << 20;
/// The file whose lock says that the directory is in use.
const LOCK_FILE: &str = "lock";
/// The directory of the store itself.
const STORE_DIR: &str = "store";

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is on disk.
    #[default]
    Fsync,
    /// When the operating system has it: survives the death of the process, not of the machine.
    OsBuffered,
}

/// A random number that a database keeps all its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseId(pub [u8; 16]);

impl DatabaseId {
    /// A new one. The standard library seeds its hashers from the system's randomness; what
    /// they make of nothing is as random as their seeds.
    pub fn random() -> Self {
        let half = || {
            std::hash::RandomState::new()
                .build_hasher()
                .finish()
                .to_be_bytes()
        };
        let mut id = [0; 16];
        id[..8].copy_from_slice(&half());
        id[8..].copy_from_slice(&half());
        Self(id)
    }
}

impl std::fmt::Display for DatabaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub(crate) struct StoreOptions {
    /// Only at creation.
    pub(crate) partition_count: u16,
    pub(crate) block_cache_bytes: u64,
    pub(crate) view_cache_bytes: u64,
    pub(crate) durability: Durability,
    /// Only at creation; random when not given.
    pub(crate) database_id: Option<DatabaseId>,
    /// Only at creation.
    pub(crate) created_at_us: i64,
}

/// An open store.
pub(crate) struct Store {
    rocks: Rocks,
    facts: DatabaseFacts,
    caches: Arc<Caches>,
    sync: Sync,
    incoming: IncomingDir,
    compactor: Compactor,
    /// Lets the next loads fail at a step, as a crash there would.
    #[cfg(test)]
    pub(crate) failing_step: std::sync::Mutex<Option<LoadStep>>,
    /// Lets the next commits fail, as a full disk would.
    #[cfg(test)]
    pub(crate) is_failing: std::sync::atomic::AtomicBool,
    /// Lets the log not come to disk, as a broken disk would.
    #[cfg(test)]
    pub(crate) is_sync_failing: std::sync::atomic::AtomicBool,
}

/// What a load has come past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoadStep {
    /// The files are written.
    Written,
    /// The batch with their list is on disk.
    Decided,
    /// The files of a family are in the store.
    Taken(FamilyId),
}

/// An open store and what it holds at this moment.
pub(crate) struct OpenedStore {
    pub(crate) store: Arc<Store>,
    pub(crate) view: Arc<View>,
    /// By partition.
    pub(crate) partitions: Vec<PartitionState>,
    /// Remembered requests.
    pub(crate) outcomes: Vec<([u8; 16], IdempotentOutcome)>,
}

impl Store {
    /// Opens the store in a directory; creates it when there is none.
    pub(crate) fn open(dir: &Path, options: &StoreOptions) -> Result<OpenedStore, OpenError> {
        check_options(options)?;
        let lock = lock_directory(dir)?;
        let store_dir = dir.join(STORE_DIR);
        let version_key = FormatVersionKey.to_bytes();
        if let Some(found) = Rocks::peek(&store_dir, FamilyId::Meta, &version_key)? {
            check_readable(decode_version(&version_key, &found)?)?;
        }
        let mut rocks = Rocks::open(&store_dir, lock, options.block_cache_bytes)
            .map_err(|error| in_use(dir, error))?;
        let facts = prepare(&mut rocks, options)?;
        let incoming = IncomingDir::open(dir)?;
        incoming.recover(&rocks)?;
        let sync = match options.durability {
            Durability::Fsync => Sync::Disk,
            Durability::OsBuffered => Sync::OsBuffer,
        };
        let caches = Arc::new(Caches::new(options.view_cache_bytes.max(CACHE_BYTES_MIN)));
        let no_thread = |error: std::io::Error| {
            OpenError::InvalidOption(format!("cannot start the store's thread: {error}"))
        };
        let compactor = Compactor::start(rocks.clone()).map_err(no_thread)?;
        let store = Arc::new(Self {
            rocks,
            facts,
            caches,
            sync,
            incoming,
            compactor,
            #[cfg(test)]
            failing_step: std::sync::Mutex::default(),
            #[cfg(test)]
            is_failing: std::sync::atomic::AtomicBool::new(false),
            #[cfg(test)]
            is_sync_failing: std::sync::atomic::AtomicBool::new(false),
        });
        store.opened()
    }

    fn opened(self: Arc<Self>) -> Result<OpenedStore, OpenError> {
        let schema = Arc::new(catalog::load(&self.rocks.snapshot())?);
        let view = self.view(schema, 0);
        let mut partitions = Vec::new();
        for partition in 0..self.partition_count() {
            partitions.push(view.partition_state(PartitionId(partition))?);
        }
        let mut outcomes = Vec::new();
        scan::<Requests>(view.snapshot(), &[], |key, outcome| {
            outcomes.push((key.0, outcome));
            Ok(())
        })?;
        Ok(OpenedStore {
            store: self,
            view,
            partitions,
            outcomes,
        })
    }

    /// The state of this moment, as the view with this version.
    pub(crate) fn view(&self, schema: Arc<Schema>, version: u64) -> Arc<View> {
        Arc::new(View::new(
            self.rocks.snapshot(),
            schema,
            &self.caches,
            self.partition_count(),
            version,
        ))
    }

    /// Writes changes in one batch, part by part, and gives the state after it as the view with
    /// this version. Outlasts a crash once [`Self::sync`] has come back, and must not be seen
    /// before.
    pub(crate) fn append(
        &self,
        mut changes: Vec<Changes>,
        schema: Arc<Schema>,
        version: u64,
    ) -> Result<Arc<View>, StorageError> {
        #[cfg(test)]
        if self.is_failing.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StorageError::Store("no space left".to_owned()));
        }
        let mut batch = self.rocks.batch();
        for part in &changes {
            part.write_to(&mut batch)?;
        }
        self.rocks.commit(batch, Sync::OsBuffer)?;
        for part in &mut changes {
            self.caches.invalidate(&part.take_touched(), version);
        }
        Ok(self.view(schema, version))
    }

    /// Brings to disk what was appended before, if that is asked for. Others may append meanwhile.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        #[cfg(test)]
        if self
            .is_sync_failing
            .load(std::sync::atomic::Ordering::SeqCst)
        {
            return Err(StorageError::Store("the disk is gone".to_owned()));
        }
        match self.sync {
            Sync::Disk => self.rocks.sync_log(),
            Sync::OsBuffer => Ok(()),
        }
    }

    /// Whether a write waits for the disk.
    pub(crate) fn waits_for_disk(&self) -> bool {
        self.sync == Sync::Disk
    }

    /// Begins the files of a load.
    pub(crate) fn incoming_files(&self) -> IncomingFiles<'_> {
        self.incoming.files(&self.rocks)
    }

    /// Writes a batch and takes the files of a load, all or nothing, and gives the state after
    /// it as the view with this version.
    pub(crate) fn commit_load(
        &self,
        mut changes: Vec<Changes>,
        files: &IncomingFiles<'_>,
        schema: Arc<Schema>,
        version: u64,
    ) -> Result<Arc<View>, StorageError> {
        self.step(LoadStep::Written)?;
        let mut batch = self.rocks.batch();
        for part in &changes {
            part.write_to(&mut batch)?;
        }
        files.list()?.write_to(&mut batch)?;
        // Not left to the system's leisure: when a file is in the store, this must be on disk.
        self.rocks.commit(batch, Sync::Disk)?;
        self.step(LoadStep::Decided)?;
        for family in FamilyId::ALL {
            files.take(family)?;
            self.step(LoadStep::Taken(family))?;
        }
        files.finish()?;
        for part in &mut changes {
            self.caches.invalidate(&part.take_touched(), version);
        }
        self.caches.invalidate(&files.take_touched(), version);
        self.compactor.wake();
        Ok(self.view(schema, version))
    }

    #[cfg(test)]
    fn step(&self, step: LoadStep) -> Result<(), StorageError> {
        let failing = self.failing_step.lock();
        match failing.is_ok_and(|failing| *failing == Some(step)) {
            true => Err(StorageError::Store(format!("stopped at {step:?}"))),
            false => Ok(()),
        }
    }

    #[cfg(not(test))]
    fn step(&self, _step: LoadStep) -> Result<(), StorageError> {
        Ok(())
    }

    /// Brings everything to disk in its final form.
    pub(crate) fn flush(&self) -> Result<(), StorageError> {
        self.rocks.flush()
    }

    /// Compacts small files of records; gives how many files of them there are then.
    #[cfg(test)]
    pub(crate) fn compact_records(&self) -> Result<usize, StorageError> {
        crate::storage::compactor::compact_neighbours(&self.rocks, || true)?;
        Ok(self.rocks.files(FamilyId::Records)?.len())
    }

    /// Merges what is pending in fragments, columns and key blocks.
    #[cfg(test)]
    pub(crate) fn compact(&self) -> Result<(), StorageError> {
        self.rocks.compact(FamilyId::Fragments)?;
        self.rocks.compact(FamilyId::KeyBlocks)?;
        self.rocks.compact(FamilyId::EventTables)?;
        self.rocks.compact(FamilyId::Columns)
    }

    pub(crate) fn partition_count(&self) -> u16 {
        self.facts.partition_count
    }

    pub(crate) fn database_id(&self) -> DatabaseId {
        DatabaseId(self.facts.id)
    }

    pub(crate) fn created_at_us(&self) -> i64 {
        self.facts.created_at_us
    }

    pub(crate) fn disk_bytes(&self) -> Result<u64, StorageError> {
        self.rocks.disk_bytes()
    }

    pub(crate) fn memory(&self) -> Result<StoreMemory, StorageError> {
        self.rocks.memory()
    }

    pub(crate) fn cache_usage(&self) -> CacheUsage {
        self.caches.usage()
    }

    #[cfg(test)]
    pub(crate) fn rocks(&self) -> &Rocks {
        &self.rocks
    }
}

fn check_options(options: &StoreOptions) -> Result<(), OpenError> {
    if (1..=PARTITIONS_MAX).contains(&options.partition_count) {
        return Ok(());
    }
    let reason = format!(
        "a database has 1 to {PARTITIONS_MAX} partitions, not {}",
        options.partition_count
    );
    Err(OpenError::InvalidOption(reason))
}

fn lock_directory(dir: &Path) -> Result<File, OpenError> {
    let failed = |error| OpenError::Directory {
        dir: dir.to_owned(),
        error,
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let lock = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(dir.join(LOCK_FILE))
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            dir: dir.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// RocksDB has a lock of its own, which somebody may hold who does not know ours.
fn in_use(dir: &Path, error: StorageError) -> OpenError {
    match error {
        StorageError::Store(message) if message.contains("/LOCK") => OpenError::Locked {
            dir: dir.to_owned(),
        },
        StorageError::Store(_)
        | StorageError::Damaged { .. }
        | StorageError::MissingUser { .. }
        | StorageError::WritesStopped(_) => error.into(),
    }
}

fn decode_version(key: &[u8], bytes: &[u8]) -> Result<u32, StorageError> {
    <u32 as ValueFormat>::read_from(bytes).map_err(|error| damaged_at(FamilyId::Meta, key, error))
}

/// Partitions are numbered from 0 and looked up by a key's hash, which needs one at least.
fn check_facts(facts: DatabaseFacts) -> Result<DatabaseFacts, StorageError> {
    if (1..=PARTITIONS_MAX).contains(&facts.partition_count) {
        return Ok(facts);
    }
    Err(damaged_at(
        FamilyId::Meta,
        &DatabaseFactsKey.to_bytes(),
        format_args!(
            "{} partitions, and a database has 1 to {PARTITIONS_MAX}",
            facts.partition_count
        ),
    ))
}

/// Brings an old store to this version's format, or makes a new one.
fn prepare(rocks: &mut Rocks, options: &StoreOptions) -> Result<DatabaseFacts, OpenError> {
    let found = read::<FormatVersions>(&rocks.snapshot(), &FormatVersionKey)?;
    if let Some(found) = found {
        upgrade(rocks, found)?;
        let facts = read::<Facts>(&rocks.snapshot(), &DatabaseFactsKey)?;
        let missing = || {
            damaged_at(
                FamilyId::Meta,
                &DatabaseFactsKey.to_bytes(),
                "the facts of creation are missing",
            )
        };
        return Ok(check_facts(facts.ok_or_else(missing)?)?);
    }
    let snapshot = rocks.snapshot();
    for family in FamilyId::ALL {
        snapshot.walk(family, &[], |key, _| {
            Err(damaged_at(
                family,
                key,
                "the store has data and no format version",
            ))
        })?;
    }
    let facts = DatabaseFacts {
        id: options.database_id.unwrap_or_else(DatabaseId::random).0,
        created_at_us: options.created_at_us,
        partition_count: options.partition_count,
    };
    let mut changes = Changes::default();
    changes.put::<FormatVersions>(&FormatVersionKey, &FORMAT_VERSION)?;
    changes.put::<Facts>(&DatabaseFactsKey, &facts)?;
    rocks.commit(changes.into_batch(rocks)?, Sync::Disk)?;
    Ok(facts)
}

//! Definitions of one kind, found by id and by name, cheap to copy and change.
//!
//! Both directions are cut into pieces behind [`Arc`]: a copy shares all pieces, a change
//! copies the two it touches. With a million tags a change costs tens of microseconds rather
//! than a copy of a million definitions.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use tessera_query_lang::name::Name;
use xxhash_rust::xxh3::xxh3_64;

/// Consecutive ids of one piece.
const CHUNK_IDS: usize = 1024;
/// Pieces of the way from names to ids.
const NAME_PIECES: u64 = 256;

type Names = HashMap<Arc<str>, u32, RandomState>;

/// Something with an id and a name.
pub trait Definition {
    /// Its number, unique among its kind and never reused.
    fn id(&self) -> u32;
    /// Its name, unique among its kind.
    fn name(&self) -> &Name;
}

/// Definitions of one kind.
#[derive(Debug, Clone)]
pub struct Registry<D> {
    chunks: Vec<Arc<Vec<Option<Arc<D>>>>>,
    names: Vec<Arc<Names>>,
    count: u32,
    next_id: u32,
}

impl<D> Default for Registry<D> {
    fn default() -> Self {
        let empty = Arc::new(Names::default());
        Self {
            chunks: Vec::new(),
            names: vec![empty; NAME_PIECES as usize],
            count: 0,
            next_id: 0,
        }
    }
}

fn piece_of(name: &str) -> usize {
    (xxh3_64(name.as_bytes()) % NAME_PIECES) as usize
}

impl<D: Definition> Registry<D> {
    /// How many there are.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The one with this id.
    pub fn by_id(&self, id: u32) -> Option<&D> {
        self.place(id).map(AsRef::as_ref)
    }

    fn place(&self, id: u32) -> Option<&Arc<D>> {
        let id = id as usize;
        self.chunks
            .get(id / CHUNK_IDS)?
            .get(id % CHUNK_IDS)?
            .as_ref()
    }

    /// The one with this name.
    pub fn by_name(&self, name: &str) -> Option<&D> {
        self.by_id(self.id_of(name)?)
    }

    /// The one with this name, to be kept.
    pub fn shared_by_name(&self, name: &str) -> Option<Arc<D>> {
        self.place(self.id_of(name)?).cloned()
    }

    fn id_of(&self, name: &str) -> Option<u32> {
        self.names.get(piece_of(name))?.get(name).copied()
    }

    /// All by id.
    pub fn iter(&self) -> impl Iterator<Item = &D> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.iter())
            .filter_map(Option::as_deref)
    }

    /// All by name; sorts them.
    pub fn by_names(&self) -> impl Iterator<Item = &D> {
        let mut all: Vec<&D> = self.iter().collect();
        all.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        all.into_iter()
    }

    /// The id that the next new one gets.
    pub fn next_id(&self) -> u32 {
        self.next_id
    }

    /// Keeps ids below `next` from being given again.
    pub fn reserve_ids(&mut self, next: u32) {
        self.next_id = self.next_id.max(next);
    }

    /// Adds one, or replaces the one with its id.
    pub fn put(&mut self, definition: D) {
        let id = definition.id();
        self.remove(id);
        self.reserve_ids(id.saturating_add(1));
        let (chunk, place) = (id as usize / CHUNK_IDS, id as usize % CHUNK_IDS);
        while self.chunks.len() <= chunk {
            self.chunks.push(Arc::new(Vec::new()));
        }
        let name: Arc<str> = definition.name().as_str().into();
        if let Some(chunk) = self.chunks.get_mut(chunk) {
            let chunk = Arc::make_mut(chunk);
            if chunk.len() <= place {
                chunk.resize_with(place + 1, || None);
            }
            chunk[place] = Some(Arc::new(definition));
        }
        let piece = piece_of(&name);
        Arc::make_mut(&mut self.names[piece]).insert(name, id);
        self.count += 1;
    }

    /// Takes the one with this id away.
    pub fn remove(&mut self, id: u32) {
        let (chunk, place) = (id as usize / CHUNK_IDS, id as usize % CHUNK_IDS);
        if self.by_id(id).is_none() {
            return;
        }
        let Some(chunk) = self.chunks.get_mut(chunk) else {
            return;
        };
        let removed = Arc::make_mut(chunk).get_mut(place).and_then(Option::take);
        if let Some(definition) = removed {
            let name = definition.name().as_str();
            Arc::make_mut(&mut self.names[piece_of(name)]).remove(name);
            self.count -= 1;
        }
    }
}

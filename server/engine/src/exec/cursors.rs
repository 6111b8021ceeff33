//! Open cursors: segments with more users to come, and the snapshots they are read from.
//!
//! A token names its cursor by 128 unguessable bits and the page that comes next. The last page
//! given may be asked for again (a lost answer can be had once more), earlier ones not. Unused
//! cursors expire; beyond the limit the longest unused gives way.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    dataset::Dataset,
    limits::QueryLimits,
    segment::{Place, PreparedSegment},
};

/// When something is asked of the cursors, and under which limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CursorRules {
    /// The clock's monotonic time.
    pub(crate) now: Duration,
    /// Cursors open at once.
    pub(crate) cursors_max: usize,
    /// How long an unused cursor lives.
    pub(crate) idle: Duration,
}

impl CursorRules {
    /// The rules at a moment.
    pub(crate) fn new(now: Duration, limits: &QueryLimits) -> Self {
        Self {
            now,
            cursors_max: limits.cursors_max,
            idle: Duration::from_millis(limits.cursor_idle_ms),
        }
    }
}

/// Where cursors get the bits of their tokens.
pub trait Randomness: Send + Sync {
    /// Bits that nobody can guess, never the same twice.
    fn bits(&self) -> u128;
}

/// Randomness from the system's, through the standard library's keyed hash.
#[derive(Debug, Default)]
pub struct SystemRandomness {
    low: RandomState,
    high: RandomState,
    count: AtomicU64,
}

impl Randomness for SystemRandomness {
    fn bits(&self) -> u128 {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        u128::from(self.high.hash_one(count)) << 64 | u128::from(self.low.hash_one(count))
    }
}

/// A segment and the state it is read from.
pub(crate) struct OpenSegment {
    /// The state.
    pub(crate) dataset: Arc<dyn Dataset>,
    /// The segment.
    pub(crate) segment: PreparedSegment,
    /// The length of pages, unless a `FETCH` says otherwise.
    pub(crate) limit: Option<u64>,
}

/// A page to be given.
pub(crate) struct NextPage {
    /// Of which segment.
    pub(crate) open: Arc<OpenSegment>,
    /// After which user.
    pub(crate) after: Place,
    token: Token,
}

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token {
    cursor: u128,
    page: u64,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}-{}", self.cursor, self.page)
    }
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        let (cursor, page) = text.split_once('-')?;
        if cursor.len() != 32 {
            return None;
        }
        Some(Self {
            cursor: u128::from_str_radix(cursor, 16).ok()?,
            page: page.parse().ok()?,
        })
    }
}

struct Entry {
    open: Arc<OpenSegment>,
    /// The next page's number and where it begins, and the same of the page before.
    next: (u64, Place),
    previous: Option<(u64, Place)>,
    used: Duration,
}

/// All open cursors.
pub(crate) struct Cursors {
    entries: Mutex<HashMap<u128, Entry>>,
    randomness: Box<dyn Randomness>,
}

impl Cursors {
    /// None yet.
    pub(crate) fn new(randomness: Box<dyn Randomness>) -> Self {
        Self {
            entries: Mutex::default(),
            randomness,
        }
    }

    /// Opens a cursor after a first page; gives its token.
    pub(crate) fn open(&self, rules: CursorRules, open: OpenSegment, after: Place) -> String {
        let cursor = self.randomness.bits();
        let mut entries = self.living(rules);
        if entries.len() >= rules.cursors_max {
            let longest_unused = entries
                .iter()
                .min_by_key(|(id, entry)| (entry.used, **id))
                .map(|(id, _)| *id);
            longest_unused.and_then(|id| entries.remove(&id));
        }
        let next = (1, after);
        entries.insert(
            cursor,
            Entry {
                open: Arc::new(open),
                next,
                previous: None,
                used: rules.now,
            },
        );
        Token { cursor, page: 1 }.to_string()
    }

    /// The page that a token names.
    pub(crate) fn page(&self, rules: CursorRules, token: &str) -> Option<NextPage> {
        let token = Token::parse(token)?;
        let mut entries = self.living(rules);
        let entry = entries.get_mut(&token.cursor)?;
        entry.used = rules.now;
        let places = [Some(&entry.next), entry.previous.as_ref()];
        let (_, after) = places
            .into_iter()
            .flatten()
            .find(|(page, _)| *page == token.page)?;
        Some(NextPage {
            open: Arc::clone(&entry.open),
            after: after.clone(),
            token,
        })
    }

    /// Says where a page ended; gives the token of the next one, or closes the cursor.
    pub(crate) fn advance(
        &self,
        rules: CursorRules,
        page: &NextPage,
        next: Option<Place>,
    ) -> Option<String> {
        let mut entries = self.living(rules);
        let Some(next) = next else {
            entries.remove(&page.token.cursor);
            return None;
        };
        let entry = entries.get_mut(&page.token.cursor)?;
        let number = page.token.page + 1;
        if entry.next.0 < number {
            let previous = std::mem::replace(&mut entry.next, (number, next));
            entry.previous = Some(previous);
        }
        entry.used = rules.now;
        Some(
            Token {
                cursor: page.token.cursor,
                page: number,
            }
            .to_string(),
        )
    }

    /// Closes a cursor; says whether there was one.
    pub(crate) fn close(&self, rules: CursorRules, token: &str) -> bool {
        let token = Token::parse(token);
        token.is_some_and(|token| self.living(rules).remove(&token.cursor).is_some())
    }

    /// The cursors that have not expired; forgets the others.
    fn living(&self, rules: CursorRules) -> MutexGuard<'_, HashMap<u128, Entry>> {
        // A panic elsewhere leaves the map whole: every change of it is one call.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| rules.now.saturating_sub(entry.used) < rules.idle);
        entries
    }
}

impl std::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursors").finish_non_exhaustive()
    }
}

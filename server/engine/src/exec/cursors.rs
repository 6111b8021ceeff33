//! Open cursors: segments with more users to come, and the snapshots they are read from.
//!
//! A token names its cursor by 128 unguessable bits and the page that comes next. The last page
//! given may be asked for again (a lost answer can be had once more), even with another length:
//! the page after it then begins where the newest answer ended. Earlier pages are gone. A cursor
//! that has given its last page stays for the same reason. Unused cursors expire; beyond the
//! limit the longest unused gives way, those that are at their end first.

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
use crate::error::Error;

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
    /// The number of the next page.
    page: u64,
    /// Where it begins; `None` at the end.
    next: Option<Place>,
    /// Where the page before it began; `None` when that was the first one, which has no token.
    previous: Option<Place>,
    used: Duration,
}

impl Entry {
    /// Where a page begins, if it is one of the two that can be had.
    fn place(&self, page: u64) -> Option<&Place> {
        if page == self.page {
            self.next.as_ref()
        } else if page.checked_add(1) == Some(self.page) {
            self.previous.as_ref()
        } else {
            None
        }
    }
}

/// All open cursors.
pub(crate) struct Cursors {
    entries: Mutex<HashMap<u128, Entry>>,
    /// No cursor expires before this monotonic time, in milliseconds.
    expiry_ms: AtomicU64,
    randomness: Box<dyn Randomness>,
}

impl Cursors {
    /// None yet.
    pub(crate) fn new(randomness: Box<dyn Randomness>) -> Self {
        Self {
            entries: Mutex::default(),
            expiry_ms: AtomicU64::new(u64::MAX),
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
                .min_by_key(|(id, entry)| (entry.next.is_some(), entry.used, **id))
                .map(|(id, _)| *id);
            longest_unused.and_then(|id| entries.remove(&id));
        }
        self.expiry_ms.fetch_min(
            millis(rules.now.saturating_add(rules.idle)),
            Ordering::Relaxed,
        );
        entries.insert(
            cursor,
            Entry {
                open: Arc::new(open),
                page: 1,
                next: Some(after),
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
        let after = entry.place(token.page)?.clone();
        Some(NextPage {
            open: Arc::clone(&entry.open),
            after,
            token,
        })
    }

    /// Says where a page ended; gives the token of the next one, if there is one. A page given
    /// again, perhaps with another length, moves the beginning of the next one.
    ///
    /// # Errors
    /// [`Error::UnknownCursor`] when the cursor was closed or went on meanwhile: the users after
    /// this page cannot be had from it any more.
    pub(crate) fn advance(
        &self,
        rules: CursorRules,
        page: &NextPage,
        next: Option<Place>,
    ) -> Result<Option<String>, Error> {
        let Token {
            cursor,
            page: given,
        } = page.token;
        let mut entries = self.living(rules);
        let entry = match entries.get_mut(&cursor) {
            Some(entry) if entry.place(given) == Some(&page.after) => entry,
            // Whoever has the last page needs no cursor.
            Some(_) | None if next.is_none() => return Ok(None),
            Some(_) | None => return Err(Error::UnknownCursor),
        };
        let token = Token {
            cursor,
            page: given.saturating_add(1),
        };
        entry.page = token.page;
        entry.previous = Some(page.after.clone());
        entry.next = next;
        entry.used = rules.now;
        Ok(entry.next.is_some().then(|| token.to_string()))
    }

    /// Forgets the cursors that have expired, so that their snapshots can go. Cheap when none
    /// has.
    pub(crate) fn sweep(&self, rules: CursorRules) {
        if millis(rules.now) >= self.expiry_ms.load(Ordering::Relaxed) {
            drop(self.living(rules));
        }
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
        let oldest = entries.values().map(|entry| entry.used).min();
        let expiry_ms = oldest.map_or(u64::MAX, |used| millis(used.saturating_add(rules.idle)));
        self.expiry_ms.store(expiry_ms, Ordering::Relaxed);
        entries
    }
}

/// Cut off towards zero: a sweep may come early, never late.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursors").finish_non_exhaustive()
    }
}

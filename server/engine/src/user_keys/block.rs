//! The keys of a run of consecutive ids.
//!
//! Knows how keys are found, copied and put together, and that what all begin with needs to be
//! kept only once. Does not know how a block is stored.

use std::{borrow::Cow, ops::Range};

use super::{KeyBlockError, PackedKeys, stored};
use crate::{
    ids::{KEY_BLOCK_USERS, UserId},
    limits::KEY_BYTES_MAX,
};

/// Keys that are found before they are copied.
const SPANS: usize = 64;
/// A prefix is kept apart if it spares one of so many bytes: whole keys are copied faster.
const PREFIX_SHARE: usize = 4;

/// The keys of a run of consecutive ids: checked once, and then read in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBlock {
    /// What all keys begin with. No key is all of it.
    prefix: Box<str>,
    /// Of what follows the prefix.
    ends: Ends,
    /// By place, what follows the prefix.
    text: Box<str>,
}

/// By place, where its key ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ends {
    /// Every place has a key, and all keys are equally long: where one ends is computed, which
    /// spares a look at memory for each.
    Even {
        key_bytes: usize,
        places: usize,
    },
    Narrow(Box<[u16]>),
    Wide(Box<[u32]>),
}

impl Ends {
    /// In the narrowest form, of a text that ends where the last key does.
    fn of(ends: Vec<u32>) -> Self {
        let key_bytes = ends.first().map_or(0, |end| *end as usize);
        let is_even = |(end, keys): (&u32, usize)| *end as usize == keys * key_bytes;
        if key_bytes > 0 && ends.iter().zip(1..).all(is_even) {
            let places = ends.len();
            return Self::Even { key_bytes, places };
        }
        let text_bytes = ends.last().copied().unwrap_or(0);
        if is_narrow(text_bytes as usize) {
            // No end is greater than the last.
            return Self::Narrow(ends.iter().map(|end| *end as u16).collect());
        }
        Self::Wide(ends.into_boxed_slice())
    }

    fn len(&self) -> usize {
        match self {
            Self::Even { places, .. } => *places,
            Self::Narrow(ends) => ends.len(),
            Self::Wide(ends) => ends.len(),
        }
    }

    fn end(&self, place: usize) -> Option<usize> {
        match self {
            Self::Even { key_bytes, places } => (place < *places).then(|| (place + 1) * key_bytes),
            Self::Narrow(ends) => ends.get(place).map(|end| usize::from(*end)),
            Self::Wide(ends) => ends.get(place).map(|end| *end as usize),
        }
    }

    /// Where the key before this place ends.
    fn start(&self, place: usize) -> Option<usize> {
        match place.checked_sub(1) {
            Some(before) => self.end(before),
            None => Some(0),
        }
    }
}

impl KeyBlock {
    /// No keys.
    pub fn empty() -> Self {
        Self::of(Vec::new(), String::new())
    }

    /// The block of keys that end here in a text.
    fn of(mut ends: Vec<u32>, mut text: String) -> Self {
        let mut prefix: Box<str> = common_prefix(&ends, &text).into();
        let spared_bytes = prefix.len() * ends.len();
        if PREFIX_SHARE * spared_bytes >= text.len() {
            text = strip(&mut ends, &text, prefix.len());
        } else {
            prefix = Box::default();
        }
        Self {
            prefix,
            ends: Ends::of(ends),
            text: text.into_boxed_str(),
        }
    }

    /// The block of some keys, given with their places in rising order.
    ///
    /// # Errors
    /// When a place is beyond the block or out of order, or a key is empty or too long.
    pub fn from_entries<'a>(
        entries: impl IntoIterator<Item = (u16, &'a str)>,
    ) -> Result<Self, KeyBlockError> {
        let mut draft = Draft::default();
        for (place, key) in entries {
            if u32::from(place) >= KEY_BLOCK_USERS {
                return Err(KeyBlockError::PlaceBeyondBlock(u64::from(place)));
            }
            if usize::from(place) < draft.places() {
                return Err(KeyBlockError::End(u32::from(place)));
            }
            check_length(u32::from(place), key.len())?;
            draft.skip_to(usize::from(place));
            draft.push(key);
        }
        Ok(draft.build())
    }

    /// Takes the stored form, or that of older formats.
    ///
    /// # Errors
    /// When the bytes are not the whole, valid form of a block.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyBlockError> {
        let (ends, text) = stored::read(bytes)?;
        let text = String::from_utf8(text).map_err(|_| KeyBlockError::NotText)?;
        check_ends(&ends, &text)?;
        Ok(Self::of(ends, text))
    }

    /// Appends the stored form.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let mut whole = Draft::default();
        whole.copy_to(self, self.places());
        let ends = whole.ends.iter().map(|end| *end as usize);
        stored::write(ends, whole.text.as_bytes(), out);
    }

    /// The key at a place.
    pub fn key(&self, place: u16) -> Option<Cow<'_, str>> {
        let rest = self.text.get(self.span(place)?)?;
        Some(match &*self.prefix {
            "" => Cow::Borrowed(rest),
            prefix => Cow::Owned([prefix, rest].concat()),
        })
    }

    /// The places that have a key, rising, with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (u16, Cow<'_, str>)> + '_ {
        // At most as many places as a block has.
        (0..self.ends.len() as u16).filter_map(|place| self.key(place).map(|key| (place, key)))
    }

    /// Appends the keys of users of this block, in their order; see [`append_scattered`].
    ///
    /// # Errors
    /// Gives the first user who has no key; those before are appended.
    pub fn append_users(&self, users: &[UserId], out: &mut PackedKeys) -> Result<(), UserId> {
        append_scattered([(self, users)].into_iter(), out)
    }

    /// Where what follows the prefix of the key at a place lies in the text, if it has a key. The
    /// look at the first byte brings it near.
    fn span(&self, place: u16) -> Option<Range<usize>> {
        let place = usize::from(place);
        let span = self.ends.start(place)?..self.ends.end(place)?;
        (!span.is_empty() && self.text.is_char_boundary(span.start)).then_some(span)
    }

    /// How many places there are up to the last that has a key.
    pub(super) fn places(&self) -> usize {
        self.ends.len()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let ends_bytes = match &self.ends {
            Ends::Even { .. } => 0,
            Ends::Narrow(ends) => size_of_val(&**ends),
            Ends::Wide(ends) => size_of_val(&**ends),
        };
        self.prefix.len() + ends_bytes + self.text.len()
    }
}

/// Whether two bytes are enough for every end in a text of so many bytes.
fn is_narrow(text_bytes: usize) -> bool {
    u16::try_from(text_bytes).is_ok()
}

/// Appends the keys of users of several blocks, in their order.
///
/// Where a key lies is found out for many users before any is copied: users are scattered, and
/// so their lookups wait for memory at the same time and not one after the other.
///
/// # Errors
/// Gives the first user who has no key; those before are appended.
pub fn append_scattered<'a>(
    parts: impl Iterator<Item = (&'a KeyBlock, &'a [UserId])>,
    out: &mut PackedKeys,
) -> Result<(), UserId> {
    let mut spans: [Span<'a>; SPANS] = [const { Span::NONE }; SPANS];
    let mut found = 0;
    for (block, users) in parts {
        for user in users {
            let Some(span) = block.span(user.key_block_offset()) else {
                append_spans(spans.get(..found).unwrap_or_default(), out);
                return Err(*user);
            };
            if found == SPANS {
                append_spans(&spans, out);
                found = 0;
            }
            if let Some(place) = spans.get_mut(found) {
                *place = Span {
                    prefix: &block.prefix,
                    text: &block.text,
                    range: span,
                };
                found += 1;
            }
        }
    }
    append_spans(spans.get(..found).unwrap_or_default(), out);
    Ok(())
}

/// Where a key lies in a block.
#[derive(Debug)]
struct Span<'a> {
    prefix: &'a str,
    /// The text that has what follows the prefix, and where.
    text: &'a str,
    range: Range<usize>,
}

impl Span<'_> {
    const NONE: Self = Span {
        prefix: "",
        text: "",
        range: 0..0,
    };

    /// Whether the next key lies behind this one in a text that has whole keys.
    fn is_before(&self, next: &Self) -> bool {
        let is_whole = self.prefix.is_empty() && next.prefix.is_empty();
        let is_beside = self.range.end == next.range.start;
        is_whole && is_beside && std::ptr::eq(self.text, next.text)
    }
}

/// Appends keys; whole ones that stand side by side at once.
fn append_spans(spans: &[Span<'_>], out: &mut PackedKeys) {
    for run in spans.chunk_by(Span::is_before) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        // The ends were checked to be between characters.
        let text = first.text.get(first.range.start..last.range.end);
        let text = text.unwrap_or_default();
        if first.prefix.is_empty() {
            let ends = run.iter().map(|span| span.range.end - first.range.start);
            out.push_run(text, ends);
        } else {
            out.push_parts(first.prefix, text);
        }
    }
}

/// What all keys that end here in a text begin with, short of any whole key.
fn common_prefix<'a>(ends: &[u32], text: &'a str) -> &'a str {
    let mut start = 0;
    let keys = ends.iter().filter_map(|end| {
        let key = text.get(start..*end as usize);
        start = *end as usize;
        key.filter(|key| !key.is_empty())
    });
    let mut common: Option<&str> = None;
    for key in keys {
        let most = common.unwrap_or(key);
        let alike = most.bytes().zip(key.bytes()).take_while(|(a, b)| a == b);
        let most_bytes = alike.count().min(key.len() - 1);
        let boundary = (0..=most_bytes).rev().find(|at| key.is_char_boundary(*at));
        let length = boundary.unwrap_or(0);
        common = most.get(..length);
        if length == 0 {
            break;
        }
    }
    common.unwrap_or_default()
}

/// The text without the beginnings of keys, so many bytes each, and where they end then.
fn strip(ends: &mut [u32], text: &str, prefix_bytes: usize) -> String {
    let mut stripped = String::with_capacity(text.len());
    let mut start = 0;
    for end in ends {
        let key = text.get(start..*end as usize).unwrap_or_default();
        start = *end as usize;
        stripped.push_str(key.get(prefix_bytes..).unwrap_or_default());
        // A block's text is at most 2^12 keys of 256 bytes.
        *end = stripped.len() as u32;
    }
    stripped
}

fn check_length(place: u32, bytes: usize) -> Result<(), KeyBlockError> {
    if (1..=KEY_BYTES_MAX).contains(&bytes) {
        return Ok(());
    }
    Err(KeyBlockError::KeyLength {
        place,
        bytes: bytes as u64,
    })
}

fn check_ends(ends: &[u32], text: &str) -> Result<(), KeyBlockError> {
    let mut before = 0;
    for (at, end) in (0..).zip(ends) {
        let end = *end as usize;
        if end < before || !text.is_char_boundary(end) {
            return Err(KeyBlockError::End(at));
        }
        if end > before {
            check_length(at, end - before)?;
        }
        before = end;
    }
    if before == text.len() {
        Ok(())
    } else {
        // At most as many places as a block has.
        Err(KeyBlockError::End(ends.len() as u32))
    }
}

/// A block while it is put together, place by place.
#[derive(Debug, Default)]
pub(super) struct Draft {
    ends: Vec<u32>,
    text: String,
}

impl Draft {
    /// How many places are settled.
    pub(super) fn places(&self) -> usize {
        self.ends.len()
    }

    /// A block's text is at most 2^12 keys of 256 bytes.
    fn end(&self) -> u32 {
        self.text.len() as u32
    }

    /// The places before this one that are not settled have no key.
    pub(super) fn skip_to(&mut self, place: usize) {
        if place > self.ends.len() {
            self.ends.resize(place, self.end());
        }
    }

    /// The next place has this key, or none when it is empty.
    pub(super) fn push(&mut self, key: &str) {
        self.text.push_str(key);
        self.ends.push(self.end());
    }

    /// The next places, up to this one, are those of a block.
    pub(super) fn copy_to(&mut self, block: &KeyBlock, place: usize) {
        for at in self.places()..place.min(block.places()) {
            // Below the count of places, which fits.
            if let Some(span) = block.span(at as u16) {
                self.text.push_str(&block.prefix);
                let rest = block.text.get(span);
                self.text.push_str(rest.unwrap_or_default());
            }
            self.ends.push(self.end());
        }
        self.skip_to(place);
    }

    /// The block. The same keys always make the same block.
    pub(super) fn build(mut self) -> KeyBlock {
        while let [.., before, last] = self.ends.as_slice()
            && before == last
        {
            self.ends.pop();
        }
        if self.ends == [0] {
            self.ends.clear();
        }
        KeyBlock::of(self.ends, self.text)
    }
}

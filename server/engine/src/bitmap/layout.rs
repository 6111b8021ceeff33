//! Where the containers of a portable roaring bitmap lie, found and checked in one pass.
//!
//! Knows the portable format, <https://github.com/RoaringBitmap/RoaringFormatSpec>:
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | the cookie: 12346, or 12347 in the low half and the container count less one in the high |
//! | 4 | with cookie 12346 only: the container count |
//! | count / 8, rounded up | with cookie 12347 only: which containers are runs, one bit each |
//! | 4 each | key and cardinality less one, both 16 bits |
//! | 4 each | where the container starts; absent with cookie 12347 and fewer than 4 containers |
//! | | the containers: a run count of 16 bits and pairs of start and length less one; or up to 4096 values of 16 bits; or 1024 words of 64 bits |
//!
//! Everything is little-endian. Stricter than the specification in what no writer produces
//! anyway: containers must lie one after the other without gaps, unused run flags must be zero,
//! runs must not touch each other, and nothing may follow.

use super::{
    FragmentError,
    block::BLOCK_WORDS,
    containers::{Container, run_bounds},
    kernels::{self, Kernels},
};
use crate::ids::{BLOCK_USERS, SHARD_BLOCKS};

const COOKIE_WITHOUT_RUNS: u32 = 12346;
const COOKIE_WITH_RUNS: u32 = 12347;
/// From this many containers on the run form has an offset header too.
const OFFSETS_FROM: u32 = 4;
/// An array holds at most this many values.
pub(super) const ARRAY_VALUES_MAX: u32 = 4096;
/// A bitmap's words.
pub(super) const BITMAP_BYTES: usize = BLOCK_WORDS * 8;

/// The checked directory of a bitmap's containers, which lie one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bit i: block i has an entry.
    present: u16,
    /// Of the present blocks, in order.
    entries: Box<[Entry]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    kind: Kind,
    /// Where the values start, from the first container's beginning on; for runs, after their
    /// count.
    start: u32,
    bytes: u32,
    cardinality: u32,
}

/// How a container's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Bitmap,
    Runs,
}

impl Kind {
    /// What stands before the values.
    fn count_bytes(self) -> u32 {
        match self {
            Self::Array | Self::Bitmap => 0,
            Self::Runs => 2,
        }
    }
}

/// What is said of a container before it comes.
pub(super) struct Described {
    pub(super) key: u16,
    pub(super) cardinality: u32,
    pub(super) kind: Kind,
    /// Where the offset header says it starts, if there is one.
    pub(super) declared_start: Option<u32>,
}

impl Layout {
    /// Checks a whole portable bitmap: its layout, and the bytes of its containers.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), FragmentError> {
        let mut reader = Reader { bytes, at: 0 };
        let described = read_header(&mut reader)?;
        let containers = reader.rest();
        Ok((Self::of(&described, containers, reader.at)?, containers))
    }

    /// Checks containers that lie one after the other, behind so many bytes of a header.
    pub(super) fn of(
        described: &[Described],
        containers: &[u8],
        header_bytes: usize,
    ) -> Result<Self, FragmentError> {
        let mut reader = Reader {
            bytes: containers,
            at: 0,
        };
        let mut present = 0;
        let mut entries = Vec::with_capacity(described.len());
        for container in described {
            check_start(container, header_bytes + reader.at)?;
            entries.push(read_container(&mut reader, container)?);
            present |= 1 << container.key;
        }
        match reader.rest().len() {
            0 => Ok(Self {
                present,
                entries: entries.into_boxed_slice(),
            }),
            extra => Err(FragmentError::TrailingBytes(extra)),
        }
    }

    /// The portable form's header, with room for so many bytes behind it.
    pub(super) fn portable_header(&self, containers_bytes: usize) -> Vec<u8> {
        // At most one a block.
        let count = self.entries.len() as u32;
        let with_starts = !self.has_runs() || count >= OFFSETS_FROM;
        let header_bytes = self.header_bytes();
        let mut out = Vec::with_capacity(header_bytes + containers_bytes);
        if self.has_runs() {
            let cookie = COOKIE_WITH_RUNS | (count - 1) << 16;
            out.extend_from_slice(&cookie.to_le_bytes());
            let flags = self.run_flags().to_le_bytes();
            out.extend(flags.iter().take(count.div_ceil(8) as usize));
        } else {
            out.extend_from_slice(&COOKIE_WITHOUT_RUNS.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
        let keys = (0..SHARD_BLOCKS as u16).filter(|key| self.present >> key & 1 == 1);
        for (key, entry) in keys.zip(&self.entries) {
            out.extend_from_slice(&key.to_le_bytes());
            // A container has 1 to 2^16 values.
            out.extend_from_slice(&(entry.cardinality.saturating_sub(1) as u16).to_le_bytes());
        }
        for entry in self.entries.iter().filter(|_| with_starts) {
            // At most 16 containers of less than 2^18 bytes.
            let start = header_bytes as u32 + entry.start - entry.kind.count_bytes();
            out.extend_from_slice(&start.to_le_bytes());
        }
        out
    }

    /// How long the portable form's header is.
    pub(super) fn header_bytes(&self) -> usize {
        let count = self.entries.len();
        if !self.has_runs() {
            return 8 + 8 * count;
        }
        let with_starts = count >= OFFSETS_FROM as usize;
        4 + count.div_ceil(8) + count * if with_starts { 8 } else { 4 }
    }

    fn has_runs(&self) -> bool {
        self.run_flags() != 0
    }

    /// Bit i: the i-th container consists of runs.
    fn run_flags(&self) -> u16 {
        let flag = |entry: &Entry| u16::from(entry.kind == Kind::Runs);
        let flags = self.entries.iter().rev().map(flag);
        flags.fold(0, |flags, flag| flags << 1 | flag)
    }

    /// How many values are in a block; none beyond the shard.
    pub(super) fn cardinality(&self, block_index: u32) -> u32 {
        self.entry(block_index).map_or(0, |entry| entry.cardinality)
    }

    /// How many values there are.
    pub(super) fn total(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| u64::from(entry.cardinality))
            .sum()
    }

    /// The container of a block, in the containers' bytes.
    pub(super) fn container<'a>(&self, bytes: &'a [u8], block_index: u32) -> Container<'a> {
        let Some(entry) = self.entry(block_index) else {
            return Container::Empty;
        };
        if entry.cardinality == BLOCK_USERS {
            return Container::Full;
        }
        let start = entry.start as usize;
        let Some(values) = bytes.get(start..start + entry.bytes as usize) else {
            return Container::Empty;
        };
        match entry.kind {
            Kind::Array => Container::Array(values.as_chunks().0),
            Kind::Bitmap => values
                .as_chunks()
                .0
                .try_into()
                .map_or(Container::Empty, Container::Bitmap),
            Kind::Runs => Container::Runs(values.as_chunks().0),
        }
    }

    /// Asks for the bytes of a block's container, which will be read soon.
    pub(super) fn fetch_ahead(&self, bytes: &[u8], block_index: u32) {
        let Some(entry) = self.entry(block_index) else {
            return;
        };
        let start = entry.start as usize;
        if let Some(values) = bytes.get(start..start + entry.bytes as usize) {
            kernels::fetch_ahead(values);
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val::<[Entry]>(&self.entries)
    }

    fn entry(&self, block_index: u32) -> Option<&Entry> {
        if block_index >= SHARD_BLOCKS || self.present >> block_index & 1 == 0 {
            return None;
        }
        let before = self.present & ((1 << block_index) - 1);
        self.entries.get(before.count_ones() as usize)
    }
}

fn read_header(reader: &mut Reader<'_>) -> Result<Vec<Described>, FragmentError> {
    let cookie = reader.u32("cookie")?;
    let with_runs = cookie & 0xffff == COOKIE_WITH_RUNS;
    let count = match cookie {
        COOKIE_WITHOUT_RUNS => reader.u32("container count")?,
        _ if with_runs => (cookie >> 16) + 1,
        _ => return Err(FragmentError::UnknownCookie(cookie)),
    };
    if count > SHARD_BLOCKS {
        return Err(FragmentError::TooManyContainers(count));
    }
    let run_flags = if with_runs {
        read_run_flags(reader, count)?
    } else {
        0
    };
    let mut described = read_descriptions(reader, count, run_flags)?;
    if !with_runs || count >= OFFSETS_FROM {
        for container in &mut described {
            container.declared_start = Some(reader.u32("offset header")?);
        }
    }
    Ok(described)
}

fn read_run_flags(reader: &mut Reader<'_>, count: u32) -> Result<u16, FragmentError> {
    let mut flags: u32 = 0;
    for (index, byte) in reader
        .take(count.div_ceil(8) as usize, "run flags")?
        .iter()
        .enumerate()
    {
        flags |= u32::from(*byte) << (8 * index);
    }
    if flags >> count != 0 {
        return Err(FragmentError::StrayRunFlag);
    }
    // At most 16 containers, so at most 16 flags.
    Ok(flags as u16)
}

fn read_descriptions(
    reader: &mut Reader<'_>,
    count: u32,
    run_flags: u16,
) -> Result<Vec<Described>, FragmentError> {
    let mut described: Vec<Described> = Vec::with_capacity(count as usize);
    for index in 0..count {
        let key = reader.u16("container keys")?;
        let cardinality = u32::from(reader.u16("container keys")?) + 1;
        let rises = described.last().is_none_or(|before| before.key < key);
        if !rises || u32::from(key) >= SHARD_BLOCKS {
            return Err(FragmentError::Key(key));
        }
        let kind = if run_flags >> index & 1 == 1 {
            Kind::Runs
        } else if cardinality <= ARRAY_VALUES_MAX {
            Kind::Array
        } else {
            Kind::Bitmap
        };
        described.push(Described {
            key,
            cardinality,
            kind,
            declared_start: None,
        });
    }
    Ok(described)
}

/// Whether a container starts where it was said to.
fn check_start(described: &Described, found: usize) -> Result<(), FragmentError> {
    match described.declared_start {
        Some(declared) if declared as usize != found => Err(FragmentError::ContainerOffset {
            key: described.key,
            declared,
            // A fragment has at most 16 containers of less than 2^18 bytes: no truncation.
            found: found as u32,
        }),
        Some(_) | None => Ok(()),
    }
}

fn read_container(reader: &mut Reader<'_>, described: &Described) -> Result<Entry, FragmentError> {
    let Described {
        key,
        cardinality,
        kind,
        declared_start: _,
    } = *described;
    let bytes = match kind {
        Kind::Array => cardinality as usize * 2,
        Kind::Bitmap => BITMAP_BYTES,
        Kind::Runs => usize::from(reader.u16("run count")?) * 4,
    };
    let start = reader.at as u32;
    let values = reader.take(bytes, "containers")?;
    let found = match kind {
        Kind::Array => checked_array(key, values)?,
        Kind::Bitmap => checked_bitmap(values),
        Kind::Runs => checked_runs(key, values)?,
    };
    if found != cardinality {
        return Err(FragmentError::Cardinality {
            key,
            declared: cardinality,
            found,
        });
    }
    Ok(Entry {
        kind,
        start,
        bytes: bytes as u32,
        cardinality,
    })
}

fn checked_array(key: u16, values: &[u8]) -> Result<u32, FragmentError> {
    let values: &[[u8; 2]] = values.as_chunks().0;
    let rises = values.is_sorted_by(|a, b| u16::from_le_bytes(*a) < u16::from_le_bytes(*b));
    if rises {
        Ok(values.len() as u32)
    } else {
        Err(FragmentError::ValueOrder(key))
    }
}

fn checked_bitmap(values: &[u8]) -> u32 {
    match values.as_chunks().0.try_into() {
        Ok(bits) => Kernels::best().count(bits),
        Err(_) => 0,
    }
}

fn checked_runs(key: u16, runs: &[u8]) -> Result<u32, FragmentError> {
    let mut found = 0;
    // One past the last value so far, and one more for the gap.
    let mut next_first = 0;
    for run in runs.as_chunks::<4>().0 {
        let start = u32::from(run_bounds(*run).0);
        let length = u32::from(u16::from_le_bytes([run[2], run[3]])) + 1;
        if start + length > BLOCK_USERS {
            return Err(FragmentError::RunBeyondBlock(key));
        }
        if start < next_first {
            return Err(FragmentError::ValueOrder(key));
        }
        next_first = start + length + 1;
        found += length;
    }
    Ok(found)
}

/// Takes bytes from the front; every lack of bytes is an error.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    /// What is not taken yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn take(
        &mut self,
        count: usize,
        what: &'static str,
    ) -> Result<&'a [u8], FragmentError> {
        let taken = self.rest().get(..count);
        let taken = taken.ok_or(FragmentError::Truncated(what))?;
        self.at += count;
        Ok(taken)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, FragmentError> {
        let (bytes, _) = self
            .take(2, what)?
            .split_first_chunk()
            .ok_or(FragmentError::Truncated(what))?;
        Ok(u16::from_le_bytes(*bytes))
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, FragmentError> {
        let (bytes, _) = self
            .take(4, what)?
            .split_first_chunk()
            .ok_or(FragmentError::Truncated(what))?;
        Ok(u32::from_le_bytes(*bytes))
    }
}

//! A fragment as it is stored: the containers of the portable form in fewer bytes.
//!
//! Knows how containers are packed and unpacked. Believes nothing of the bytes: what is unpacked
//! is checked as containers of a portable bitmap are (see `layout`). Does not know deltas.
//!
//! # Stored form
//!
//! Numbers of two bytes are little-endian.
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the form: 1 |
//! | 2 | which blocks have a container, the first in the lowest bit |
//! | 3 or 5 each | heads: the kind; the cardinality less one (2 bytes); how many runs (2 bytes), if the kind is runs |
//! | | the containers |
//!
//! The kinds are those of the portable form: an array has at most 4096 places, a bitmap more.
//!
//! - **0 to 16, places** with so many low bits each (Elias, "Efficient storage and retrieval by
//!   content and address of static files", Journal of the ACM 21(2), 1974; Fano, 1971). First the
//!   low bits of all places, from the lowest bit of the first byte on, up to the end of a byte;
//!   then what is left of the places: of the place with the number `i`, counted from 0, and the
//!   rest `h`, the bit `i + h`, up to the byte with the last such bit. Takes about half a bit a
//!   place more than any form could that knows nothing but how many places there are.
//! - **32, runs**: for each two LEB128 numbers: its start, counted from the least one it could
//!   have, two past the end of the run before it; and its length less one.
//! - **33, bitmap**: 1024 words of 64 bits.
//!
//! Older formats stored the portable form itself, which begins with another byte. It is read
//! where it is found.

use super::{
    FragmentError,
    containers::Container,
    fragment::Fragment,
    kernels::Bits,
    layout::{ARRAY_VALUES_MAX, BITMAP_BYTES, Described, Kind, Layout, Reader},
    varint,
};
use crate::ids::{BLOCK_USERS, SHARD_BLOCKS};

/// What the stored form begins with. The portable one begins with 0x3a or 0x3b.
pub(super) const FORM: u8 = 1;

const LOW_BITS_MAX: u8 = 16;
const RUNS: u8 = 32;
const BITMAP: u8 = 33;

/// Runs do not touch, so a block has no more.
const RUNS_MAX: u16 = (BLOCK_USERS / 2) as u16;

/// Appends the stored form.
pub(super) fn pack(fragment: &Fragment, out: &mut Vec<u8>) {
    let mut packed = Packed::default();
    for block_index in 0..SHARD_BLOCKS {
        let container = fragment.container(block_index);
        let cardinality = fragment.block_cardinality(block_index);
        match container {
            Container::Empty => continue,
            Container::Full => packed.runs(cardinality, &[[0, 0, u8::MAX, u8::MAX]]),
            Container::Array(places) => packed.places(cardinality, places),
            Container::Runs(runs) => packed.runs(cardinality, runs),
            Container::Bitmap(bits) => packed.bitmap(cardinality, bits),
        }
        packed.blocks |= 1 << block_index;
    }
    out.reserve(3 + packed.heads.len() + packed.containers.len());
    out.push(FORM);
    out.extend_from_slice(&packed.blocks.to_le_bytes());
    out.extend_from_slice(&packed.heads);
    out.extend_from_slice(&packed.containers);
}

/// A stored form in the making.
#[derive(Default)]
struct Packed {
    blocks: u16,
    heads: Vec<u8>,
    containers: Vec<u8>,
}

impl Packed {
    fn head(&mut self, kind: u8, cardinality: u32) {
        self.heads.push(kind);
        // A container has 1 to 2^16 places.
        let less_one = cardinality.saturating_sub(1) as u16;
        self.heads.extend_from_slice(&less_one.to_le_bytes());
    }

    fn bitmap(&mut self, cardinality: u32, bits: &Bits) {
        self.head(BITMAP, cardinality);
        self.containers.extend_from_slice(bits.as_flattened());
    }

    fn runs(&mut self, cardinality: u32, runs: &[[u8; 4]]) {
        self.head(RUNS, cardinality);
        // At most 2^15.
        let count = runs.len() as u16;
        self.heads.extend_from_slice(&count.to_le_bytes());
        let mut least_start = 0;
        for [start_low, start_high, less_one_low, less_one_high] in runs {
            let start = u64::from(u16::from_le_bytes([*start_low, *start_high]));
            let less_one = u64::from(u16::from_le_bytes([*less_one_low, *less_one_high]));
            // Checked at parsing: runs rise and do not touch.
            varint::write(&mut self.containers, start.saturating_sub(least_start));
            varint::write(&mut self.containers, less_one);
            least_start = start + less_one + 2;
        }
    }

    fn places(&mut self, cardinality: u32, places: &[[u8; 2]]) {
        let last = places.last().map_or(0, |last| u16::from_le_bytes(*last));
        let low_bits = (0..=LOW_BITS_MAX)
            .min_by_key(|low_bits| places_bytes(places.len(), last, *low_bits))
            .unwrap_or(LOW_BITS_MAX);
        self.head(low_bits, cardinality);
        let places = || places.iter().map(|place| u16::from_le_bytes(*place));
        push_low_bits(places(), low_bits, &mut self.containers);
        push_rests(places(), low_bits, last, &mut self.containers);
    }
}

/// The bytes of so many places, the last of which is this one.
fn places_bytes(count: usize, last: u16, low_bits: u8) -> usize {
    low_bytes(count, low_bits) + rest_bytes(count, last, low_bits)
}

fn low_bytes(count: usize, low_bits: u8) -> usize {
    (count * usize::from(low_bits)).div_ceil(8)
}

fn rest_bytes(count: usize, last: u16, low_bits: u8) -> usize {
    (count + (usize::from(last) >> low_bits)).div_ceil(8)
}

/// What keeps so many low bits.
fn low_mask(low_bits: u8) -> u32 {
    (1 << low_bits) - 1
}

fn push_low_bits(places: impl Iterator<Item = u16>, low_bits: u8, out: &mut Vec<u8>) {
    let mask = u64::from(low_mask(low_bits));
    // Bits that are not written yet: at most 31 and those of a place.
    let (mut window, mut filled) = (0, 0);
    for place in places {
        window |= (u64::from(place) & mask) << filled;
        filled += u32::from(low_bits);
        if filled >= u32::BITS {
            out.extend_from_slice(&(window as u32).to_le_bytes());
            window >>= u32::BITS;
            filled -= u32::BITS;
        }
    }
    let bytes = window.to_le_bytes();
    let used = filled.div_ceil(8) as usize;
    out.extend_from_slice(bytes.get(..used).unwrap_or_default());
}

fn push_rests(
    places: impl ExactSizeIterator<Item = u16>,
    low_bits: u8,
    last: u16,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.resize(start + rest_bytes(places.len(), last, low_bits), 0);
    for (number, place) in places.enumerate() {
        let bit = number + (usize::from(place) >> low_bits);
        if let Some(byte) = out.get_mut(start + bit / 8) {
            *byte |= 1 << (bit % 8);
        }
    }
}

/// The containers of a stored form as they are read in place, and where they lie.
///
/// # Errors
/// When the bytes are not the whole, valid stored form of a set.
pub(super) fn unpack(bytes: &[u8]) -> Result<(Layout, Vec<u8>), FragmentError> {
    let mut reader = Reader { bytes, at: 0 };
    reader.take(1, "form")?;
    let heads = read_heads(&mut reader)?;
    let least: usize = heads.iter().map(Head::stored_bytes_min).sum();
    if least > reader.rest().len() {
        return Err(FragmentError::Truncated("containers"));
    }
    let mut out = Vec::with_capacity(heads.iter().map(Head::bytes).sum());
    for head in &heads {
        match head.kind {
            HeadKind::Places { low_bits } => unpack_places(&mut reader, head, low_bits, &mut out)?,
            HeadKind::Runs { count } => unpack_runs(&mut reader, head, count, &mut out)?,
            HeadKind::Bitmap => out.extend_from_slice(reader.take(BITMAP_BYTES, "containers")?),
        }
    }
    let described: Vec<Described> = heads.iter().map(Head::described).collect();
    let layout = Layout::of(&described, &out, 0)?;
    match reader.rest().len() {
        0 => Ok((layout, out)),
        extra => Err(FragmentError::TrailingBytes(extra)),
    }
}

/// What is said of a container before it comes.
#[derive(Debug, Clone, Copy)]
struct Head {
    key: u16,
    cardinality: u32,
    kind: HeadKind,
}

#[derive(Debug, Clone, Copy)]
enum HeadKind {
    Places { low_bits: u8 },
    Runs { count: u16 },
    Bitmap,
}

impl Head {
    /// So many bytes follow at least, so that damaged heads do not ask for memory.
    fn stored_bytes_min(&self) -> usize {
        let count = self.cardinality as usize;
        match self.kind {
            HeadKind::Places { low_bits } => places_bytes(count, 0, low_bits),
            HeadKind::Runs { count } => 2 * usize::from(count),
            HeadKind::Bitmap => BITMAP_BYTES,
        }
    }

    /// What the container takes where it is read in place.
    fn bytes(&self) -> usize {
        match self.kind {
            HeadKind::Places { .. } => 2 * self.cardinality as usize,
            HeadKind::Runs { count } => 2 + 4 * usize::from(count),
            HeadKind::Bitmap => BITMAP_BYTES,
        }
    }

    fn described(&self) -> Described {
        Described {
            key: self.key,
            cardinality: self.cardinality,
            kind: match self.kind {
                HeadKind::Places { .. } => Kind::Array,
                HeadKind::Runs { .. } => Kind::Runs,
                HeadKind::Bitmap => Kind::Bitmap,
            },
            declared_start: None,
        }
    }
}

fn read_heads(reader: &mut Reader<'_>) -> Result<Vec<Head>, FragmentError> {
    let blocks = reader.u16("blocks")?;
    let mut heads = Vec::with_capacity(blocks.count_ones() as usize);
    for key in (0..SHARD_BLOCKS as u16).filter(|key| blocks >> key & 1 == 1) {
        let kind = reader.take(1, "heads")?;
        let cardinality = u32::from(reader.u16("heads")?) + 1;
        let is_array = cardinality <= ARRAY_VALUES_MAX;
        let kind = match *kind {
            [low_bits @ 0..=LOW_BITS_MAX] if is_array => HeadKind::Places { low_bits },
            [BITMAP] if !is_array => HeadKind::Bitmap,
            [RUNS] => HeadKind::Runs {
                count: reader.u16("heads")?,
            },
            _ => return Err(FragmentError::Head(key)),
        };
        if matches!(kind, HeadKind::Runs { count } if count > RUNS_MAX) {
            return Err(FragmentError::Head(key));
        }
        heads.push(Head {
            key,
            cardinality,
            kind,
        });
    }
    Ok(heads)
}

fn unpack_runs(
    reader: &mut Reader<'_>,
    head: &Head,
    count: u16,
    out: &mut Vec<u8>,
) -> Result<(), FragmentError> {
    out.extend_from_slice(&count.to_le_bytes());
    let mut rest = reader.rest();
    let rest_bytes = rest.len();
    let mut number = || {
        let number = varint::read(&mut rest).ok_or(FragmentError::MalformedNumber)?;
        // Both numbers are below 2^16.
        u16::try_from(number).map_err(|_| FragmentError::RunBeyondBlock(head.key))
    };
    let mut least_start: u32 = 0;
    for _ in 0..count {
        let start = least_start + u32::from(number()?);
        let less_one = number()?;
        least_start = start + u32::from(less_one) + 2;
        let start = u16::try_from(start).map_err(|_| FragmentError::RunBeyondBlock(head.key))?;
        out.extend_from_slice(&start.to_le_bytes());
        out.extend_from_slice(&less_one.to_le_bytes());
    }
    reader.at += rest_bytes - rest.len();
    Ok(())
}

fn unpack_places(
    reader: &mut Reader<'_>,
    head: &Head,
    low_bits: u8,
    out: &mut Vec<u8>,
) -> Result<(), FragmentError> {
    let count = head.cardinality as usize;
    let lows = reader.rest();
    reader.take(low_bytes(count, low_bits), "low bits")?;
    let start = out.len();
    out.resize(start + 2 * count, 0);
    let places = out.get_mut(start..).unwrap_or_default().as_chunks_mut().0;
    let taken = put_together(lows, low_bits, reader.rest(), places);
    reader.at += taken.ok_or(FragmentError::PackedPlaces(head.key))?;
    Ok(())
}

/// Writes places, put together from their low bits and what is left of them. Both lists may be
/// longer; gives how many bytes of the second were read, or `None` if it ends before there are as
/// many places as wanted, a place is beyond the block, or a bit follows the last one in its byte.
fn put_together(lows: &[u8], low_bits: u8, rests: &[u8], places: &mut [[u8; 2]]) -> Option<usize> {
    let mask = low_mask(low_bits);
    // No rest is greater than a place, and no bit comes after that of the last one.
    let words_max = (BLOCK_USERS as usize + places.len()).div_ceil(64);
    let (mut number, mut low_at, mut all_bits) = (0, 0, 0);
    let mut left = places.iter_mut();
    for (word_index, mut word) in (0..).zip(le_words(rests).take(words_max)) {
        while word != 0 {
            let bit = 64 * word_index + word.trailing_zeros();
            let Some(place) = left.next() else {
                break;
            };
            // The bits before this one are those of as many places, and of the rest.
            let found = (bit - number) << low_bits | (window(lows, low_at) & mask);
            *place = (found as u16).to_le_bytes();
            all_bits |= found;
            word &= word - 1;
            number += 1;
            low_at += usize::from(low_bits);
            if left.len() == 0 {
                let is_inside = all_bits < BLOCK_USERS;
                let (byte, in_byte) = ((bit / 8) as usize, bit % 8);
                let is_last = rests.get(byte)? >> in_byte == 1;
                return (is_inside && is_last).then_some(byte + 1);
            }
        }
    }
    None
}

/// Bytes as words; the last one is filled up with zeros.
fn le_words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let (words, tail) = bytes.as_chunks();
    let mut last = [0; 8];
    last.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    words.chain(std::iter::once(u64::from_le_bytes(last)))
}

/// 25 bits or more from a bit on; behind the end are zeros.
#[inline]
fn window(bytes: &[u8], bit: usize) -> u32 {
    let at = bit / 8;
    let window = match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(window) => u32::from_le_bytes(*window),
        None => last_window(bytes.get(at..).unwrap_or_default()),
    };
    window >> (bit % 8)
}

#[cold]
fn last_window(bytes: &[u8]) -> u32 {
    let mut window = [0; 4];
    window
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    u32::from_le_bytes(window)
}

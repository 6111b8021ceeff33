//! The stored form of a column block, checked once and read in place.
//!
//! # Stored form
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the form: 1 |
//! | 1 | the width of a code in bytes: 0, 1, 2, 4 or 8 |
//! | 4 | how many codes follow, at most 65536; the places after them are missing |
//! | 8 | the base, signed |
//! | 8 | the code that means "missing" |
//! | width each | the codes in the order of places |
//!
//! Everything is little-endian. A code that is not the one for "missing" stands for the value
//! base + code ("frame of reference"), which never passes the greatest `i64`. With width 0
//! there are no bytes and every code is 0: all the places have the base as value, or all are
//! missing when the code for "missing" is 0.
//!
//! The code for "missing" is in the header because with width 8 no code is free in general;
//! but 65536 places cannot use up 2^64 codes, so one is always left.

use std::ops::RangeInclusive;

use super::ColumnError;
use crate::{bitmap::Block, ids::BLOCK_USERS};

/// The first byte.
pub(super) const FORM: u8 = 1;
/// Bytes before the codes.
pub(super) const HEADER_BYTES: usize = 22;

/// The values of 2^16 places, some or all of them missing. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnBlock {
    /// Without the header, so that the codes of a full block take whole pages and no more: an
    /// allocator has no size just beyond.
    codes: Box<[u8]>,
    header: Header,
    /// The greatest code of a value; 0 where there is none.
    code_max: u64,
}

/// The codes of a block as they are stored, little-endian, in the order of places. Places
/// beyond the last are missing.
#[derive(Debug, Clone, Copy)]
pub enum Codes<'a> {
    /// So many places that all have the code 0.
    Zero(u32),
    /// One byte each.
    One(&'a [[u8; 1]]),
    /// Two bytes each.
    Two(&'a [[u8; 2]]),
    /// Four bytes each.
    Four(&'a [[u8; 4]]),
    /// Eight bytes each.
    Eight(&'a [[u8; 8]]),
}

/// Which places a list keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Those whose value is in the range.
    Inside,
    /// All others, those without a value too.
    Outside,
}

impl Keep {
    fn keeps(self, is_inside: bool) -> bool {
        is_inside == (self == Self::Inside)
    }
}

/// How codes stand for values: base + code, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The value of code 0.
    pub base: i64,
    /// The code that stands for "missing".
    pub missing: u64,
    /// No value has a greater code.
    pub code_max: u64,
}

impl Frame {
    /// What a code of the block stands for.
    pub fn value(self, code: u64) -> Option<i64> {
        // No sum passes the greatest number: all codes were checked.
        (code != self.missing).then_some(self.base.wrapping_add_unsigned(code))
    }

    /// A number that no value passes.
    pub fn value_max(self) -> i64 {
        self.base.saturating_add_unsigned(self.code_max)
    }
}

/// What stands before the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: Width,
    pub(super) count: u32,
    pub(super) base: i64,
    pub(super) missing: u64,
}

/// Bytes a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Width {
    Zero,
    One,
    Two,
    Four,
    Eight,
}

impl Width {
    pub(super) const ALL: [Self; 5] = [Self::Zero, Self::One, Self::Two, Self::Four, Self::Eight];

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Zero => 0,
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// The greatest code.
    pub(super) fn code_max(self) -> u64 {
        match self {
            Self::Zero => 0,
            Self::One => u64::from(u8::MAX),
            Self::Two => u64::from(u16::MAX),
            Self::Four => u64::from(u32::MAX),
            Self::Eight => u64::MAX,
        }
    }
}

impl Header {
    /// Every place missing.
    pub(super) const EMPTY: Self = Self {
        width: Width::Zero,
        count: 0,
        base: 0,
        missing: 0,
    };

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(FORM);
        out.push(self.width.bytes() as u8);
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.base.to_le_bytes());
        out.extend_from_slice(&self.missing.to_le_bytes());
    }

    /// Splits bytes into header and codes and checks the header.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, &[u8]), ColumnError> {
        let truncated = ColumnError::Truncated("header of a column block");
        let (header, codes) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(truncated)?;
        let [
            form,
            width,
            c0,
            c1,
            c2,
            c3,
            b0,
            b1,
            b2,
            b3,
            b4,
            b5,
            b6,
            b7,
            missing @ ..,
        ] = *header;
        if form != FORM {
            return Err(ColumnError::UnknownForm(form));
        }
        let header = Self {
            width: Width::ALL
                .into_iter()
                .find(|known| known.bytes() == usize::from(width))
                .ok_or(ColumnError::Width(width))?,
            count: u32::from_le_bytes([c0, c1, c2, c3]),
            base: i64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]),
            missing: u64::from_le_bytes(missing),
        };
        header.check(codes)?;
        Ok((header, codes))
    }

    fn check(&self, codes: &[u8]) -> Result<(), ColumnError> {
        if self.count > BLOCK_USERS {
            return Err(ColumnError::TooManyValues(self.count));
        }
        let declared = self.count as usize * self.width.bytes();
        if codes.len() != declared {
            return Err(ColumnError::Length {
                declared,
                found: codes.len(),
            });
        }
        // Width 0 needs a second code to say that nothing is missing.
        if self.missing > self.width.code_max().max(1) {
            return Err(ColumnError::MissingCode(self.missing));
        }
        Ok(())
    }

    /// What a code stands for. Wraps never, because all codes were checked.
    fn value(&self, code: u64) -> Option<i64> {
        (code != self.missing).then_some(self.base.wrapping_add_unsigned(code))
    }

    /// The codes that stand for some of the numbers, if any can.
    fn codes_of(&self, numbers: RangeInclusive<i64>) -> Option<RangeInclusive<u64>> {
        let (low, high) = numbers.into_inner();
        if low > high || high < self.base {
            return None;
        }
        // Neither is below the base, so the distances fit.
        let first = low.max(self.base).wrapping_sub(self.base) as u64;
        Some(first..=high.wrapping_sub(self.base) as u64)
    }

    fn decode<const WIDTH: usize>(&self, codes: &[[u8; WIDTH]], place: u16) -> Option<i64> {
        self.value(widen(*codes.get(usize::from(place))?))
    }

    /// What every code stands for, if there are no bytes.
    fn constant(&self, place: u16) -> Option<i64> {
        if u32::from(place) < self.count {
            self.value(0)
        } else {
            None
        }
    }
}

impl Default for ColumnBlock {
    fn default() -> Self {
        Self::empty()
    }
}

impl ColumnBlock {
    /// Every place missing.
    pub fn empty() -> Self {
        Self {
            codes: Box::default(),
            header: Header::EMPTY,
            code_max: 0,
        }
    }

    /// Takes the stored form.
    ///
    /// # Errors
    /// When the bytes are not the whole, valid form of a block.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ColumnError> {
        let (header, code_max) = measured(bytes)?;
        Ok(Self {
            codes: bytes.get(HEADER_BYTES..).unwrap_or_default().into(),
            header,
            code_max,
        })
    }

    /// The block of some places and their values, in any order; of several values for one place
    /// the last one wins.
    pub fn from_entries(entries: impl IntoIterator<Item = (u16, i64)>) -> Self {
        let (header, bytes) = super::build::from_entries(entries);
        let codes = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let code_max = greatest_code(&header, codes);
        Self {
            codes: codes.into(),
            header,
            code_max,
        }
    }

    /// The stored form.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes_len());
        self.header.write(&mut bytes);
        bytes.extend_from_slice(&self.codes);
        bytes
    }

    /// How long the stored form is.
    pub fn bytes_len(&self) -> usize {
        HEADER_BYTES + self.codes.len()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.codes.len()
    }

    /// The value of a place.
    pub fn value(&self, place: u16) -> Option<i64> {
        match self.header.width {
            Width::Zero => self.header.constant(place),
            Width::One => self.header.decode(self.codes::<1>(), place),
            Width::Two => self.header.decode(self.codes::<2>(), place),
            Width::Four => self.header.decode(self.codes::<4>(), place),
            Width::Eight => self.header.decode(self.codes::<8>(), place),
        }
    }

    /// The codes as they are stored.
    pub fn stored(&self) -> Codes<'_> {
        match self.header.width {
            Width::Zero => Codes::Zero(self.header.count),
            Width::One => Codes::One(self.codes()),
            Width::Two => Codes::Two(self.codes()),
            Width::Four => Codes::Four(self.codes()),
            Width::Eight => Codes::Eight(self.codes()),
        }
    }

    /// What the codes stand for.
    pub fn frame(&self) -> Frame {
        Frame {
            base: self.header.base,
            missing: self.header.missing,
            code_max: self.code_max,
        }
    }

    /// Visits the places of a set in rising order with their values.
    pub fn for_each(&self, places: &Block, mut visit: impl FnMut(u16, Option<i64>)) {
        // One loop a width: nothing is decided inside.
        match self.header.width {
            Width::Zero => places.for_each(|place| visit(place, self.header.constant(place))),
            Width::One => self.for_each_stored::<1>(places, visit),
            Width::Two => self.for_each_stored::<2>(places, visit),
            Width::Four => self.for_each_stored::<4>(places, visit),
            Width::Eight => self.for_each_stored::<8>(places, visit),
        }
    }

    /// The list keeps the places whose value is one of a range of numbers, or those whose value
    /// is none of it or missing.
    pub fn retain(&self, numbers: RangeInclusive<i64>, keep: Keep, places: &mut Vec<u16>) {
        let Some(wanted) = self.header.codes_of(numbers) else {
            return match keep {
                Keep::Inside => places.clear(),
                Keep::Outside => {}
            };
        };
        let missing = self.header.missing;
        match self.header.width {
            Width::Zero => {
                let is_in = missing != 0 && wanted.contains(&0);
                let count = self.header.count;
                places.retain(|place| keep.keeps(is_in && u32::from(*place) < count));
            }
            Width::One => retain_stored(self.codes::<1>(), &wanted, missing, keep, places),
            Width::Two => retain_stored(self.codes::<2>(), &wanted, missing, keep, places),
            Width::Four => retain_stored(self.codes::<4>(), &wanted, missing, keep, places),
            Width::Eight => retain_stored(self.codes::<8>(), &wanted, missing, keep, places),
        }
    }

    fn for_each_stored<const WIDTH: usize>(
        &self,
        places: &Block,
        mut visit: impl FnMut(u16, Option<i64>),
    ) {
        let (header, codes) = (self.header, self.codes::<WIDTH>());
        places.for_each(|place| visit(place, header.decode(codes, place)));
    }

    fn codes<const WIDTH: usize>(&self) -> &[[u8; WIDTH]] {
        self.codes.as_chunks().0
    }
}

/// Nothing is decided by a jump inside the loop: whether a place is kept is as good as random.
fn retain_stored<const WIDTH: usize>(
    codes: &[[u8; WIDTH]],
    wanted: &RangeInclusive<u64>,
    missing: u64,
    keep: Keep,
    places: &mut Vec<u16>,
) {
    // The codes of a range never begin beyond its end.
    let (first, span) = (*wanted.start(), wanted.end().wrapping_sub(*wanted.start()));
    let mut kept = 0;
    for index in 0..places.len() {
        let place = places[index];
        let code = codes
            .get(usize::from(place))
            .map_or(missing, |code| widen(*code));
        let is_in = (code.wrapping_sub(first) <= span) & (code != missing);
        // Never in front of where the next is read.
        places[kept] = place;
        kept += usize::from(keep.keeps(is_in));
    }
    places.truncate(kept);
}

/// Checks a whole block.
pub(super) fn checked(bytes: &[u8]) -> Result<Header, ColumnError> {
    measured(bytes).map(|(header, _)| header)
}

/// Checks a whole block; gives the greatest code as well.
fn measured(bytes: &[u8]) -> Result<(Header, u64), ColumnError> {
    let (header, codes) = Header::read(bytes)?;
    let code = greatest_code(&header, codes);
    match header.base.checked_add_unsigned(code) {
        Some(_) => Ok((header, code)),
        None => Err(ColumnError::Overflow {
            base: header.base,
            code,
        }),
    }
}

/// The greatest code of a value. "Missing" counts as 0, which never overflows.
fn greatest_code(header: &Header, codes: &[u8]) -> u64 {
    match header.width {
        Width::Zero => 0,
        Width::One => greatest_stored::<1>(codes, header.missing),
        Width::Two => greatest_stored::<2>(codes, header.missing),
        Width::Four => greatest_stored::<4>(codes, header.missing),
        Width::Eight => greatest_stored::<8>(codes, header.missing),
    }
}

fn greatest_stored<const WIDTH: usize>(codes: &[u8], missing: u64) -> u64 {
    let codes: &[[u8; WIDTH]] = codes.as_chunks().0;
    let known = codes.iter().map(|code| widen(*code));
    known
        .map(|code| if code == missing { 0 } else { code })
        .fold(0, u64::max)
}

/// A little-endian code of up to 8 bytes.
pub fn widen<const WIDTH: usize>(code: [u8; WIDTH]) -> u64 {
    let mut wide = [0; 8];
    wide[..WIDTH].copy_from_slice(&code);
    u64::from_le_bytes(wide)
}

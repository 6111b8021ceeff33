//! Lays out the values of a block in as few bytes as they need.

use super::read::{HEADER_BYTES, Header, Width};
use crate::{bitmap::Block, ids::BLOCK_USERS};

/// Values of a block while they change.
pub(super) struct Draft {
    values: Box<[i64]>,
    present: Block,
}

impl Draft {
    /// Every place missing.
    pub(super) fn new() -> Self {
        Self {
            values: vec![0; BLOCK_USERS as usize].into_boxed_slice(),
            present: Block::new(),
        }
    }

    pub(super) fn set(&mut self, place: u16, value: Option<i64>) {
        match value {
            Some(value) => {
                self.values[usize::from(place)] = value;
                self.present.insert(place);
            }
            None => self.present.remove(place),
        }
    }

    /// The header and the whole stored form, with the smallest width that will do, and with the
    /// greatest code for "missing", so that later values above the present ones often fit.
    pub(super) fn build(&self) -> (Header, Vec<u8>) {
        let header = self.header();
        let code_bytes = header.count as usize * header.width.bytes();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + code_bytes);
        header.write(&mut bytes);
        match header.width {
            Width::Zero => {}
            Width::One => self.write_codes(&header, &mut bytes, |code| [code as u8]),
            Width::Two => self.write_codes(&header, &mut bytes, |code| (code as u16).to_le_bytes()),
            Width::Four => {
                self.write_codes(&header, &mut bytes, |code| (code as u32).to_le_bytes());
            }
            Width::Eight => self.write_codes(&header, &mut bytes, u64::to_le_bytes),
        }
        (header, bytes)
    }

    /// Appends the codes; the width was chosen so that `narrow` loses nothing.
    fn write_codes<const WIDTH: usize>(
        &self,
        header: &Header,
        bytes: &mut Vec<u8>,
        narrow: impl Fn(u64) -> [u8; WIDTH],
    ) {
        for (place, value) in (0..=u16::MAX).zip(&self.values).take(header.count as usize) {
            let present = self.present.contains(place);
            let code = if present {
                code_of(*value, header.base)
            } else {
                header.missing
            };
            bytes.extend_from_slice(&narrow(code));
        }
    }

    fn header(&self) -> Header {
        let (mut least, mut most, mut count) = (i64::MAX, i64::MIN, 0);
        self.present.for_each(|place| {
            let value = self.values[usize::from(place)];
            least = least.min(value);
            most = most.max(value);
            count = u32::from(place) + 1;
        });
        if count == 0 {
            return Header::EMPTY;
        }
        let span = code_of(most, least);
        if span == 0 && self.present.count() == count {
            return Header {
                width: Width::Zero,
                count,
                base: least,
                missing: 1,
            };
        }
        let roomy = Width::ALL.into_iter().find(|width| span < width.code_max());
        match roomy {
            Some(width) => Header {
                width,
                count,
                base: least,
                missing: width.code_max(),
            },
            None => Header {
                width: Width::Eight,
                count,
                base: least,
                missing: self.free_code(least),
            },
        }
    }

    /// The greatest code that no value has.
    fn free_code(&self, base: i64) -> u64 {
        let mut codes: Vec<u64> = Vec::with_capacity(self.present.count() as usize);
        self.present
            .for_each(|place| codes.push(code_of(self.values[usize::from(place)], base)));
        codes.sort_unstable();
        let mut free = u64::MAX;
        for code in codes.iter().rev() {
            if *code < free {
                break;
            }
            // 2^16 places cannot take all of 2^64 codes, so this never passes zero.
            free = code.wrapping_sub(1);
        }
        free
    }
}

/// The distance of a value above the base, which must not be greater.
pub(super) fn code_of(value: i64, base: i64) -> u64 {
    value.wrapping_sub(base) as u64
}

/// The header and the stored form of some entries.
pub(super) fn from_entries(entries: impl IntoIterator<Item = (u16, i64)>) -> (Header, Vec<u8>) {
    let mut draft = Draft::new();
    for (place, value) in entries {
        draft.set(place, Some(value));
    }
    draft.build()
}

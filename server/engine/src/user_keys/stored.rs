//! How a key block is stored.
//!
//! Knows the bytes and how they are laid out again as a text and the ends of keys in it. Does not
//! know whether these may be keys: that is checked when a block is made of them.
//!
//! # Stored form
//!
//! Numbers are LEB128, in their shortest form.
//!
//! | what | |
//! | --- | --- |
//! | 1 byte | the form: 2 |
//! | a number | how many stretches follow |
//! | two numbers each | the length in bytes of each key of the stretch, and how many places it has |
//! | the rest | stretch by stretch: the first bytes of all its keys, then their second bytes, … |
//!
//! Places with keys of one length that follow each other are a stretch; those without a key are
//! one of length 0. Keys that were counted up, or made by one pattern, are alike in most places of
//! the text and differ in few: the bytes that are alike stand together, and compression makes
//! nearly nothing of them.
//!
//! Form 1, of format 3 and older, has the ends of keys, little-endian, and then the keys:
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the form: 1 |
//! | 1 | the width of an end in bytes: 2, or 4 where the keys take more than 65,535 bytes |
//! | 2 | how many places follow; those after them have no key |
//! | width each | by place, where its key ends in the text |
//! | the rest | the keys, one after the other, in UTF-8 |
//!
//! A key begins where the one before it ends, and a place whose key would be empty has none.

use super::KeyBlockError;
use crate::{bitmap::varint, ids::KEY_BLOCK_USERS, limits::KEY_BYTES_MAX};

const FORM: u8 = 2;
const FIRST_FORM: u8 = 1;
const FIRST_HEADER_BYTES: usize = 4;

/// Where keys end in a text, by place, and the text.
pub(super) type Parts = (Vec<u32>, Vec<u8>);

/// Places whose keys have one length.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    key_bytes: usize,
    places: usize,
}

impl Stretch {
    fn bytes(self) -> usize {
        self.key_bytes * self.places
    }
}

/// Appends the stored form of a text in which keys end here.
pub(super) fn write(ends: impl Iterator<Item = usize>, text: &[u8], out: &mut Vec<u8>) {
    let stretches = stretches(ends);
    out.reserve(4 + 4 * stretches.len() + text.len());
    out.push(FORM);
    varint::write(out, stretches.len() as u64);
    for stretch in &stretches {
        varint::write(out, stretch.key_bytes as u64);
        varint::write(out, stretch.places as u64);
    }
    let mut rest = text;
    for stretch in stretches {
        let Some((keys, after)) = rest.split_at_checked(stretch.bytes()) else {
            return;
        };
        rest = after;
        for position in 0..stretch.key_bytes {
            out.extend(keys.iter().skip(position).step_by(stretch.key_bytes));
        }
    }
}

fn stretches(ends: impl Iterator<Item = usize>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut start = 0;
    for end in ends {
        let key_bytes = end - start;
        start = end;
        match stretches.last_mut() {
            Some(stretch) if stretch.key_bytes == key_bytes => stretch.places += 1,
            Some(_) | None => stretches.push(Stretch {
                key_bytes,
                places: 1,
            }),
        }
    }
    stretches
}

/// Reads either form. Ends of the older one may be anything.
pub(super) fn read(bytes: &[u8]) -> Result<Parts, KeyBlockError> {
    match bytes.split_first() {
        None => Err(KeyBlockError::Truncated("header")),
        Some((&FORM, rest)) => read_stretches(rest),
        Some((&FIRST_FORM, _)) => read_ends(bytes),
        Some((form, _)) => Err(KeyBlockError::UnknownForm(*form)),
    }
}

fn read_stretches(mut rest: &[u8]) -> Result<Parts, KeyBlockError> {
    let number = |rest: &mut &[u8]| varint::read(rest).ok_or(KeyBlockError::MalformedNumber);
    let count = number(&mut rest)?;
    let mut stretches = Vec::new();
    let mut ends: Vec<u32> = Vec::new();
    let mut end = 0;
    for _ in 0..count {
        let (key_bytes, places) = (number(&mut rest)?, number(&mut rest)?);
        let stretch = checked_stretch(ends.len(), key_bytes, places)?;
        for _ in 0..stretch.places {
            end += stretch.key_bytes;
            // A block's text is at most 2^12 keys of 256 bytes.
            ends.push(end as u32);
        }
        stretches.push(stretch);
    }
    if end != rest.len() {
        // At most as many places as a block has.
        return Err(KeyBlockError::End(ends.len() as u32));
    }
    Ok((ends, laid_out(&stretches, rest)))
}

/// A stretch behind so many places.
fn checked_stretch(before: usize, key_bytes: u64, places: u64) -> Result<Stretch, KeyBlockError> {
    let place = before as u32;
    if key_bytes > KEY_BYTES_MAX as u64 {
        return Err(KeyBlockError::KeyLength {
            place,
            bytes: key_bytes,
        });
    }
    let room = u64::from(KEY_BLOCK_USERS).saturating_sub(before as u64);
    if places == 0 || places > room {
        return Err(KeyBlockError::Stretch { place, places });
    }
    // Both are small numbers now.
    Ok(Stretch {
        key_bytes: key_bytes as usize,
        places: places as usize,
    })
}

/// The keys one after the other, of bytes that are as many as those of the stretches.
fn laid_out(stretches: &[Stretch], mut rest: &[u8]) -> Vec<u8> {
    let mut text = vec![0; rest.len()];
    let mut left = text.as_mut_slice();
    for stretch in stretches.iter().filter(|stretch| stretch.key_bytes > 0) {
        let (from, to) = (
            rest.split_at_checked(stretch.bytes()),
            std::mem::take(&mut left).split_at_mut_checked(stretch.bytes()),
        );
        let (Some((columns, after)), Some((keys, keys_after))) = (from, to) else {
            break;
        };
        (rest, left) = (after, keys_after);
        for (position, column) in columns.chunks_exact(stretch.places).enumerate() {
            let places = keys.iter_mut().skip(position).step_by(stretch.key_bytes);
            places.zip(column).for_each(|(to, from)| *to = *from);
        }
    }
    text
}

/// Form 1.
fn read_ends(bytes: &[u8]) -> Result<Parts, KeyBlockError> {
    let Some((header, rest)) = bytes.split_first_chunk::<FIRST_HEADER_BYTES>() else {
        return Err(KeyBlockError::Truncated("header"));
    };
    let [_, width, low, high] = *header;
    let places = u16::from_le_bytes([low, high]);
    if u32::from(places) > KEY_BLOCK_USERS {
        return Err(KeyBlockError::TooManyPlaces(u32::from(places)));
    }
    let ends_bytes = usize::from(places) * usize::from(width);
    let (ends, text) = rest
        .split_at_checked(ends_bytes)
        .ok_or(KeyBlockError::Truncated("ends"))?;
    let ends = match width {
        2 => le_numbers(ends, |end| u32::from(u16::from_le_bytes(end))),
        4 => le_numbers(ends, u32::from_le_bytes),
        _ => return Err(KeyBlockError::Width(width)),
    };
    Ok((ends, text.to_vec()))
}

fn le_numbers<const WIDTH: usize, T>(bytes: &[u8], number: impl Fn([u8; WIDTH]) -> T) -> Vec<T> {
    let (numbers, _) = bytes.as_chunks::<WIDTH>();
    numbers.iter().map(|bytes| number(*bytes)).collect()
}

//! Columns as bytes that are read at the speed of memory.
//!
//! Numbers lie in as few bytes each as the largest of them needs, texts one after the other;
//! every length is checked against the bytes at hand before memory is asked for.

use bincode::{
    Decode, Encode,
    de::{Decoder, read::Reader},
    enc::{Encoder, write::Writer},
    error::{DecodeError, EncodeError},
    impl_borrow_decode,
};

use super::{LoadColumn, LoadError, LoadRows, NumberForm, PackedTexts};

pub(super) fn said(error: &LoadError) -> EncodeError {
    EncodeError::OtherString(error.to_string())
}

pub(super) fn heard(error: &LoadError) -> DecodeError {
    DecodeError::OtherString(error.to_string())
}

impl Encode for LoadRows {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.check().map_err(|error| said(&error))?;
        self.keys.encode(encoder)?;
        self.columns.encode(encoder)
    }
}

impl<C> Decode<C> for LoadRows {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let rows = Self {
            keys: PackedTexts::decode(decoder)?,
            columns: Vec::decode(decoder)?,
        };
        rows.check().map_err(|error| heard(&error))?;
        Ok(rows)
    }
}
impl_borrow_decode!(LoadRows);

impl Encode for PackedTexts {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.text.encode(encoder)?;
        encode_small(&lengths(&self.ends), encoder)
    }
}

impl<C> Decode<C> for PackedTexts {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let text = String::decode(decoder)?;
        let ends = ends(decode_small(decoder)?)?;
        Self::new(text, ends).map_err(|error| heard(&error))
    }
}
impl_borrow_decode!(PackedTexts);

impl Encode for LoadColumn {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        match self {
            Self::Coded {
                attribute,
                dictionary,
                codes,
            } => {
                0_u32.encode(encoder)?;
                attribute.encode(encoder)?;
                dictionary.encode(encoder)?;
                encode_small(codes, encoder)
            }
            Self::Numbers {
                attribute,
                form,
                present,
                numbers,
            } => {
                1_u32.encode(encoder)?;
                attribute.encode(encoder)?;
                form.encode(encoder)?;
                present.encode(encoder)?;
                encode_signed(numbers, encoder)
            }
            Self::Tags { names, ends, codes } => {
                2_u32.encode(encoder)?;
                names.encode(encoder)?;
                encode_small(&lengths(ends), encoder)?;
                encode_small(codes, encoder)
            }
            Self::Holdings {
                names,
                ends,
                codes,
                terms,
                of,
            } => {
                3_u32.encode(encoder)?;
                names.encode(encoder)?;
                encode_small(&lengths(ends), encoder)?;
                encode_small(codes, encoder)?;
                terms.encode(encoder)?;
                encode_small(of, encoder)
            }
            Self::Added {
                attribute,
                dictionary,
                ends,
                codes,
            } => {
                4_u32.encode(encoder)?;
                attribute.encode(encoder)?;
                dictionary.encode(encoder)?;
                encode_small(&lengths(ends), encoder)?;
                encode_small(codes, encoder)
            }
            Self::Taken { names, ends, codes } => {
                5_u32.encode(encoder)?;
                names.encode(encoder)?;
                encode_small(&lengths(ends), encoder)?;
                encode_small(codes, encoder)
            }
        }
    }
}

impl<C> Decode<C> for LoadColumn {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(match u32::decode(decoder)? {
            0 => Self::Coded {
                attribute: String::decode(decoder)?,
                dictionary: Vec::decode(decoder)?,
                codes: decode_small(decoder)?,
            },
            1 => Self::Numbers {
                attribute: String::decode(decoder)?,
                form: NumberForm::decode(decoder)?,
                present: Vec::decode(decoder)?,
                numbers: decode_signed(decoder)?,
            },
            2 => Self::Tags {
                names: Vec::decode(decoder)?,
                ends: ends(decode_small(decoder)?)?,
                codes: decode_small(decoder)?,
            },
            3 => Self::Holdings {
                names: Vec::decode(decoder)?,
                ends: ends(decode_small(decoder)?)?,
                codes: decode_small(decoder)?,
                terms: Vec::decode(decoder)?,
                of: decode_small(decoder)?,
            },
            4 => Self::Added {
                attribute: String::decode(decoder)?,
                dictionary: Vec::decode(decoder)?,
                ends: ends(decode_small(decoder)?)?,
                codes: decode_small(decoder)?,
            },
            5 => Self::Taken {
                names: Vec::decode(decoder)?,
                ends: ends(decode_small(decoder)?)?,
                codes: decode_small(decoder)?,
            },
            unknown => {
                let reason = format!("a column of the unknown kind {unknown}");
                return Err(DecodeError::OtherString(reason));
            }
        })
    }
}
impl_borrow_decode!(LoadColumn);

/// Places that do not rise have lengths that do not add up to them again: the check before
/// encoding sees to that.
fn lengths(ends: &[u32]) -> Vec<u32> {
    let mut start = 0;
    let length = |end: &u32| {
        let length = end.wrapping_sub(start);
        start = *end;
        length
    };
    ends.iter().map(length).collect()
}

fn ends(mut lengths: Vec<u32>) -> Result<Vec<u32>, DecodeError> {
    let mut end = 0_u64;
    for length in &mut lengths {
        end += u64::from(*length);
        // What does not fit is seen below, where the sum has grown beyond it.
        *length = end as u32;
    }
    match u32::try_from(end) {
        Ok(_) => Ok(lengths),
        Err(_) => Err(heard(&LoadError::TooMuch)),
    }
}

/// Bytes that are converted at once on the way out.
const PIECE_BYTES: usize = 4096;

/// Numbers without a sign: `u8` bytes each (1, 2 or 4), `len`, and so many numbers.
pub(super) fn encode_small<E: Encoder>(
    numbers: &[u32],
    encoder: &mut E,
) -> Result<(), EncodeError> {
    let width = match numbers.iter().max() {
        None | Some(..=0xff) => 1,
        Some(..=0xffff) => 2,
        Some(_) => 4,
    };
    encode_numbers(numbers, width, |number| number.to_le_bytes(), encoder)
}

/// Numbers with a sign, two's complement: `u8` bytes each (1, 2, 4 or 8), `len`, and so many
/// numbers.
pub(super) fn encode_signed<E: Encoder>(
    numbers: &[i64],
    encoder: &mut E,
) -> Result<(), EncodeError> {
    let least = numbers.iter().copied().min().unwrap_or(0);
    let most = numbers.iter().copied().max().unwrap_or(0);
    let within = |low: i64, high: i64| least >= low && most <= high;
    let width = if within(i8::MIN.into(), i8::MAX.into()) {
        1
    } else if within(i16::MIN.into(), i16::MAX.into()) {
        2
    } else if within(i32::MIN.into(), i32::MAX.into()) {
        4
    } else {
        8
    };
    encode_numbers(numbers, width, |number| number.to_le_bytes(), encoder)
}

/// The lowest `width` bytes of each number.
fn encode_numbers<T: Copy, const N: usize, E: Encoder>(
    numbers: &[T],
    width: usize,
    to_bytes: impl Fn(T) -> [u8; N],
    encoder: &mut E,
) -> Result<(), EncodeError> {
    (width as u8).encode(encoder)?;
    (numbers.len() as u64).encode(encoder)?;
    let mut piece = [0_u8; PIECE_BYTES];
    for some in numbers.chunks(PIECE_BYTES / width) {
        for (place, number) in piece.chunks_exact_mut(width).zip(some) {
            place.copy_from_slice(&to_bytes(*number)[..width]);
        }
        encoder.writer().write(&piece[..some.len() * width])?;
    }
    Ok(())
}

pub(super) fn decode_small<D: Decoder>(decoder: &mut D) -> Result<Vec<u32>, DecodeError> {
    decode_numbers(decoder, |width, bytes| {
        Some(match width {
            1 => bytes.iter().map(|byte| u32::from(*byte)).collect(),
            2 => of_width(bytes, |bytes| u16::from_le_bytes(bytes).into()),
            4 => of_width(bytes, u32::from_le_bytes),
            _ => return None,
        })
    })
}

pub(super) fn decode_signed<D: Decoder>(decoder: &mut D) -> Result<Vec<i64>, DecodeError> {
    decode_numbers(decoder, |width, bytes| {
        Some(match width {
            1 => of_width(bytes, |bytes| i8::from_le_bytes(bytes).into()),
            2 => of_width(bytes, |bytes| i16::from_le_bytes(bytes).into()),
            4 => of_width(bytes, |bytes| i32::from_le_bytes(bytes).into()),
            8 => of_width(bytes, i64::from_le_bytes),
            _ => return None,
        })
    })
}

fn of_width<T, const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (numbers, _rest) = bytes.as_chunks::<N>();
    numbers.iter().map(|bytes| number(*bytes)).collect()
}

/// Reads from bytes that are at hand, as [`crate::codec`] does: so a length that is only claimed
/// is seen before there is memory for it.
fn decode_numbers<T, D: Decoder>(
    decoder: &mut D,
    read: impl Fn(u8, &[u8]) -> Option<Vec<T>>,
) -> Result<Vec<T>, DecodeError> {
    let width = u8::decode(decoder)?;
    let count = u64::decode(decoder)?;
    let count = usize::try_from(count).map_err(|_| DecodeError::OutsideUsizeRange(count))?;
    decoder.claim_container_read::<T>(count)?;
    let bytes = count.saturating_mul(width.into());
    let reader = decoder.reader();
    let at_hand = reader
        .peek_read(bytes)
        .ok_or(DecodeError::UnexpectedEnd { additional: bytes })?;
    let numbers = read(width, at_hand)
        .ok_or_else(|| DecodeError::OtherString(format!("numbers of {width} bytes")))?;
    reader.consume(bytes);
    Ok(numbers)
}

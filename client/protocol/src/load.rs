//! Many users at once, column by column.
//!
//! Knows how columns of equal length become bytes that are read at the speed of memory: numbers
//! in as few bytes each as the largest of them needs, texts one after the other, every length
//! checked against the bytes at hand before memory is asked for. Does not know what an attribute
//! is.
//!
//! What is decoded is consistent ([`LoadRows::check`]); what is not is neither encoded nor
//! decoded.

mod rows;

use bincode::{
    Decode, Encode,
    de::{Decoder, read::Reader},
    enc::{Encoder, write::Writer},
    error::{DecodeError, EncodeError},
    impl_borrow_decode,
};

pub use self::rows::{RowReader, presence};
use crate::message::{Datum, HoldTerms};

/// Why rows are not rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A column is longer or shorter than there are keys.
    #[error("column {column} has {found} rows, where there are {rows} keys")]
    Rows {
        /// Its place among the columns, from 0.
        column: usize,
        /// Its rows.
        found: usize,
        /// The keys.
        rows: usize,
    },
    /// A code has no entry in the column's dictionary.
    #[error("column {column} has the code {code}, and {entries} entries in its dictionary")]
    Code {
        /// Its place among the columns, from 0.
        column: usize,
        /// The code.
        code: u32,
        /// Entries of the dictionary.
        entries: usize,
    },
    /// The lists of a tag column do not add up to its codes.
    #[error("the lists of column {column} do not add up to its codes")]
    Lists {
        /// Its place among the columns, from 0.
        column: usize,
    },
    /// There are more or fewer numbers than rows that have one.
    #[error("column {column} does not have one number for each row that has one")]
    Numbers {
        /// Its place among the columns, from 0.
        column: usize,
    },
    /// A day beyond 32 bits.
    #[error("column {column} has a date beyond all dates")]
    Date {
        /// Its place among the columns, from 0.
        column: usize,
    },
    /// Texts do not add up to what they are cut from, or are cut within a character.
    #[error("texts are not cut where they end")]
    Texts,
    /// More than 2^32 - 1 bytes of text, or as many codes.
    #[error("more than can be counted in 32 bits")]
    TooMuch,
}

/// Texts, one after the other in one buffer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackedTexts {
    text: String,
    /// Where each text ends; it begins where the one before ends.
    ends: Vec<u32>,
}

impl PackedTexts {
    /// Texts cut from one buffer at these places.
    ///
    /// # Errors
    /// [`LoadError::Texts`] unless the places rise, lie between characters and the last one is
    /// the buffer's end.
    pub fn new(text: String, ends: Vec<u32>) -> Result<Self, LoadError> {
        let mut start = 0;
        let rising = ends.iter().all(|end| {
            let rises = *end >= start;
            start = *end;
            rises
        });
        if !rising || start as usize != text.len() {
            return Err(LoadError::Texts);
        }
        let whole = |end: &u32| text.is_char_boundary(*end as usize);
        if !text.is_ascii() && !ends.iter().all(whole) {
            return Err(LoadError::Texts);
        }
        Ok(Self { text, ends })
    }

    /// Appends a text.
    ///
    /// # Errors
    /// [`LoadError::TooMuch`] when all texts together would have more than 2^32 - 1 bytes; then
    /// nothing is appended.
    pub fn push(&mut self, text: &str) -> Result<(), LoadError> {
        let end = u32::try_from(self.text.len() + text.len()).map_err(|_| LoadError::TooMuch)?;
        self.text.push_str(text);
        self.ends.push(end);
        Ok(())
    }

    /// How many texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all texts together.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// A text by its place, from 0.
    pub fn get(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)?;
        let start = match place.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        self.text.get(start as usize..end as usize)
    }

    /// All texts in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map_while(|place| self.get(place))
    }

    /// The buffer, and where each text ends in it.
    pub fn into_parts(self) -> (String, Vec<u32>) {
        (self.text, self.ends)
    }
}

/// Rows of users: a key each, and the same columns for all. Rows are applied in their order, so
/// that of several rows of one user the last one has the last word.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadRows {
    /// The users. A key that is new becomes a user.
    pub keys: PackedTexts,
    /// What the rows say about them.
    pub columns: Vec<LoadColumn>,
}

/// A column: what each row says of one attribute, or which tags it gives.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadColumn {
    /// Values of an attribute that repeat.
    Coded {
        /// The attribute.
        attribute: String,
        /// The values that occur; [`Datum::Null`] clears.
        dictionary: Vec<Datum>,
        /// For each row 0 to leave the attribute as it is, or k for `dictionary[k - 1]`.
        codes: Vec<u32>,
    },
    /// Numbers of an attribute.
    Numbers {
        /// The attribute.
        attribute: String,
        /// What the numbers are.
        form: NumberForm,
        /// Which rows have a number: row r is bit r mod 8 (the lowest is 0) of byte r / 8. There
        /// are as many bytes as it takes, and bits after the last row are 0. Rows without one
        /// leave the attribute as it is.
        present: Vec<u8>,
        /// The numbers of the rows that have one.
        numbers: Vec<i64>,
    },
    /// Tags that are given.
    Tags {
        /// The names that occur.
        names: Vec<String>,
        /// For each row where its tags end among `codes`; they begin where those of the row
        /// before end.
        ends: Vec<u32>,
        /// Places among `names`, from 0.
        codes: Vec<u32>,
    },
    /// Tags that are given, and how they are held. Since version 3.
    Holdings {
        /// As for [`Self::Tags`].
        names: Vec<String>,
        /// As for [`Self::Tags`].
        ends: Vec<u32>,
        /// As for [`Self::Tags`].
        codes: Vec<u32>,
        /// The terms that occur.
        terms: Vec<HoldTerms>,
        /// For each of `codes` a place among `terms`, from 0.
        of: Vec<u32>,
    },
}

/// What the numbers of a column are: each means what the [`Datum`] of this kind would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum NumberForm {
    /// [`Datum::Integer`].
    Integer,
    /// [`Datum::Decimal`]: the numbers / 10^`scale`.
    Decimal {
        /// Digits after the point.
        scale: u8,
    },
    /// [`Datum::Date`]: days since 1970-01-01, of 32 bits.
    Date,
    /// [`Datum::Timestamp`]: microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

impl LoadRows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a column says how tags are held, which can be said since version 3.
    pub(crate) fn says_how(&self) -> bool {
        self.columns.iter().any(|column| match column {
            LoadColumn::Holdings { .. } => true,
            LoadColumn::Coded { .. } | LoadColumn::Numbers { .. } | LoadColumn::Tags { .. } => {
                false
            }
        })
    }

    /// Whether all columns fit the keys, and all codes their dictionaries.
    ///
    /// # Errors
    /// Says which does not.
    pub fn check(&self) -> Result<(), LoadError> {
        let rows = self.len();
        for (place, column) in self.columns.iter().enumerate() {
            column.check(place, rows)?;
        }
        Ok(())
    }
}

impl LoadColumn {
    fn check(&self, column: usize, rows: usize) -> Result<(), LoadError> {
        let of_length = |found: usize| match found == rows {
            true => Ok(()),
            false => Err(LoadError::Rows {
                column,
                found,
                rows,
            }),
        };
        match self {
            Self::Coded {
                dictionary, codes, ..
            } => {
                of_length(codes.len())?;
                check_codes(column, codes, dictionary.len(), 1)
            }
            Self::Numbers {
                form,
                present,
                numbers,
                ..
            } => {
                check_present(column, present, rows)?;
                check_numbers(column, *form, present, numbers)
            }
            Self::Tags { names, ends, codes } => {
                of_length(ends.len())?;
                check_lists(column, ends, codes)?;
                check_codes(column, codes, names.len(), 0)
            }
            Self::Holdings {
                names,
                ends,
                codes,
                terms,
                of,
            } => {
                of_length(ends.len())?;
                check_lists(column, ends, codes)?;
                check_codes(column, codes, names.len(), 0)?;
                if of.len() != codes.len() {
                    return Err(LoadError::Lists { column });
                }
                check_codes(column, of, terms.len(), 0)
            }
        }
    }
}

/// Whether lists rise and add up to the codes.
fn check_lists(column: usize, ends: &[u32], codes: &[u32]) -> Result<(), LoadError> {
    let rising = ends.windows(2).all(|pair| pair[0] <= pair[1]);
    let whole = ends.last().map_or(0, |end| *end as usize) == codes.len();
    match rising && whole {
        true => Ok(()),
        false => Err(LoadError::Lists { column }),
    }
}

/// Whether there is a bit for each row, and none for others.
fn check_present(column: usize, present: &[u8], rows: usize) -> Result<(), LoadError> {
    let beyond = match (rows % 8, present.last()) {
        (0, _) | (_, None) => 0,
        (used, Some(last)) => last >> used,
    };
    match present.len() == rows.div_ceil(8) && beyond == 0 {
        true => Ok(()),
        false => Err(LoadError::Rows {
            column,
            found: present.len() * 8,
            rows,
        }),
    }
}

fn check_numbers(
    column: usize,
    form: NumberForm,
    present: &[u8],
    numbers: &[i64],
) -> Result<(), LoadError> {
    let bits: usize = present.iter().map(|byte| byte.count_ones() as usize).sum();
    if bits != numbers.len() {
        return Err(LoadError::Numbers { column });
    }
    let is_day = |number: &i64| i32::try_from(*number).is_ok();
    match form == NumberForm::Date && !numbers.iter().all(is_day) {
        true => Err(LoadError::Date { column }),
        false => Ok(()),
    }
}

/// Whether all codes have an entry; the first entry has the code `first`, and 0 needs none when
/// that is 1.
fn check_codes(column: usize, codes: &[u32], entries: usize, first: u64) -> Result<(), LoadError> {
    match codes.iter().max() {
        Some(code) if u64::from(*code) >= entries as u64 + first => Err(LoadError::Code {
            column,
            code: *code,
            entries,
        }),
        Some(_) | None => Ok(()),
    }
}

fn said(error: &LoadError) -> EncodeError {
    EncodeError::OtherString(error.to_string())
}

fn heard(error: &LoadError) -> DecodeError {
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
fn encode_small<E: Encoder>(numbers: &[u32], encoder: &mut E) -> Result<(), EncodeError> {
    let width = match numbers.iter().max() {
        None | Some(..=0xff) => 1,
        Some(..=0xffff) => 2,
        Some(_) => 4,
    };
    encode_numbers(numbers, width, |number| number.to_le_bytes(), encoder)
}

/// Numbers with a sign, two's complement: `u8` bytes each (1, 2, 4 or 8), `len`, and so many
/// numbers.
fn encode_signed<E: Encoder>(numbers: &[i64], encoder: &mut E) -> Result<(), EncodeError> {
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

fn decode_small<D: Decoder>(decoder: &mut D) -> Result<Vec<u32>, DecodeError> {
    decode_numbers(decoder, |width, bytes| {
        Some(match width {
            1 => bytes.iter().map(|byte| u32::from(*byte)).collect(),
            2 => of_width(bytes, |bytes| u16::from_le_bytes(bytes).into()),
            4 => of_width(bytes, u32::from_le_bytes),
            _ => return None,
        })
    })
}

fn decode_signed<D: Decoder>(decoder: &mut D) -> Result<Vec<i64>, DecodeError> {
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

#[cfg(test)]
mod tests;

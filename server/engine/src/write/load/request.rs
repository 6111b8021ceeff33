//! The shape of a load, and its limits.

use bincode::{Decode, Encode};

use crate::{
    datum::Datum,
    error::Error,
    write::{HoldTerms, LimitError, UnknownTags, WriteError, size::bytes_of_datum},
};

/// Rows of users, column by column, that are applied all or none, in their order: each row as if
/// its values were set and its tags given by [`Mutation`](crate::write::Mutation)s, as an import
/// where nothing is said of how.
///
/// Every row makes sure that its user exists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadRequest {
    /// A later request with the same key changes nothing and is answered as this one was.
    pub idempotency_key: Option<[u8; 16]>,
    /// What to do about tags that are not defined.
    pub unknown_tags: UnknownTags,
    /// The user's key of every row. A key may come more than once: later rows are applied after
    /// earlier ones.
    pub keys: PackedTexts,
    /// What the rows have. Of two values for one attribute in a row that of the later column wins.
    pub columns: Vec<LoadColumn>,
}

/// What every row has of one thing.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadColumn {
    /// Values of one attribute, of any type.
    Coded {
        /// The attribute's name.
        attribute: String,
        /// The values that occur. [`Datum::Null`] clears, [`Datum::List`] replaces the values of
        /// a multi. An entry that no row names is not looked at.
        dictionary: Vec<Datum>,
        /// One a row: 0 leaves the user as it is, `k` sets `dictionary[k - 1]`.
        codes: Vec<u32>,
    },
    /// Numbers of one attribute.
    Numbers {
        /// The attribute's name.
        attribute: String,
        /// What the numbers are.
        form: NumberForm,
        /// One bit a row, the lowest bit of a byte first; bits after the last row are 0.
        present: Vec<u8>,
        /// The numbers of the rows whose bit is set. The others leave the user as it is.
        numbers: Vec<i64>,
    },
    /// Tags that are given.
    Tags {
        /// The names that occur. One that no row names is not looked at.
        names: Vec<String>,
        /// One a row, never falling: row `i` is given the tags `names[code]` of the codes from
        /// `ends[i - 1]` (the first row: from 0) to before `ends[i]`, in that order.
        ends: Vec<u32>,
        /// Indices into `names`.
        codes: Vec<u32>,
    },
    /// Tags that are given on terms of which something is said.
    Holdings {
        /// As for [`Self::Tags`].
        names: Vec<String>,
        /// As for [`Self::Tags`].
        ends: Vec<u32>,
        /// As for [`Self::Tags`].
        codes: Vec<u32>,
        /// The terms that occur.
        terms: Vec<HoldTerms>,
        /// Indices into `terms`: one for each of `codes`.
        of: Vec<u32>,
    },
    /// Values that are added to a multi attribute, after values are set.
    Added {
        /// The attribute's name.
        attribute: String,
        /// The values that occur. One that no row names is not looked at.
        dictionary: Vec<Datum>,
        /// As for [`Self::Tags`].
        ends: Vec<u32>,
        /// Indices into `dictionary`.
        codes: Vec<u32>,
    },
    /// Tags that are taken, before others are given.
    Taken {
        /// As for [`Self::Tags`]. One that is not defined is held by nobody; it is refused where
        /// such tags are.
        names: Vec<String>,
        /// As for [`Self::Tags`].
        ends: Vec<u32>,
        /// As for [`Self::Tags`].
        codes: Vec<u32>,
    },
}

/// What the numbers of a column are: each means what the [`Datum`] of this kind would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberForm {
    /// [`Datum::Integer`].
    Integer,
    /// [`Datum::Decimal`]: numbers divided by 10^`scale`.
    Decimal {
        /// Digits after the point.
        scale: u8,
    },
    /// [`Datum::Date`]: days since 1970-01-01.
    Date,
    /// [`Datum::Timestamp`]: microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

/// Texts one after the other in one buffer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct PackedTexts {
    text: String,
    ends: Vec<u32>,
}

/// Why the parts of a load do not fit together: a defect of whoever made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The ends of packed texts fall, cut a character, or do not reach the end of the buffer.
    #[error("the ends of packed texts do not fit the texts")]
    TextEnds,
    /// A column has more or fewer entries than there are rows.
    #[error("a column does not have one entry a row")]
    RowCount,
    /// A code beyond the column's dictionary.
    #[error("a code of a column is beyond its dictionary")]
    Code,
    /// More or fewer numbers than bits that are set.
    #[error("a column does not have one number for every row that has one")]
    NumberCount,
    /// The ends of rows fall, or do not reach the end of the codes.
    #[error("the ends of a column's rows do not fit its codes")]
    RowEnds,
    /// A property of events has two columns.
    #[error("two columns are of the same property")]
    Twice,
}

impl PackedTexts {
    /// Takes texts: the first is the buffer up to `ends[0]`, the next from there up to
    /// `ends[1]`, and so on to the buffer's end.
    ///
    /// # Errors
    /// [`ShapeError::TextEnds`].
    pub fn new(text: String, ends: Vec<u32>) -> Result<Self, ShapeError> {
        let is_whole = ends.last().map_or(0, |end| *end as usize) == text.len();
        let is_fitting =
            ends.is_sorted() && ends.iter().all(|end| text.is_char_boundary(*end as usize));
        (is_whole && is_fitting)
            .then_some(Self { text, ends })
            .ok_or(ShapeError::TextEnds)
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all texts together.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// One of the texts.
    pub fn at(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.text.get(start..end)
    }

    /// Adds a text at the end. Says whether there was room: 4 GiB in all.
    pub fn push(&mut self, text: &str) -> bool {
        let end = u32::try_from(self.text.len() + text.len());
        if let Ok(end) = end {
            self.text.push_str(text);
            self.ends.push(end);
        }
        end.is_ok()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            // Checked when they were taken.
            .map(|(start, end)| self.text.get(*start as usize..*end as usize).unwrap_or(""))
    }
}

impl<T: AsRef<str>> FromIterator<T> for PackedTexts {
    /// Texts from where they take more than 4 GiB together are left out.
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut packed = Self::default();
        texts.into_iter().all(|text| packed.push(text.as_ref()));
        packed
    }
}

/// Whether a row's bit is set.
fn bit(present: &[u8], row: usize) -> bool {
    present
        .get(row / 8)
        .is_some_and(|byte| byte >> (row % 8) & 1 == 1)
}

/// The bits of so many rows, in order.
pub(in crate::write) fn row_bits(present: &[u8], rows: usize) -> impl Iterator<Item = bool> + '_ {
    (0..rows).map(|row| bit(present, row))
}

/// Refuses a load that does not fit together or is too long. Gives its length in bytes, in which
/// a text of a dictionary counts for every row that has it: it is stored for each.
pub(in crate::write) fn check_load(
    request: &LoadRequest,
    rows_max: u32,
    bytes_max: u64,
) -> Result<u64, Error> {
    let rows = request.keys.len();
    if rows > rows_max as usize {
        return Err(LimitError::Rows {
            found: rows,
            max: rows_max,
        }
        .into());
    }
    let mut bytes = request.keys.bytes() as u64;
    for column in &request.columns {
        check_shape(column, rows).map_err(WriteError::Shape)?;
        bytes = bytes.saturating_add(bytes_of_column(column));
    }
    if bytes > bytes_max {
        return Err(LimitError::RequestBytes { max: bytes_max }.into());
    }
    Ok(bytes)
}

fn or(fits: bool, error: ShapeError) -> Result<(), ShapeError> {
    if fits { Ok(()) } else { Err(error) }
}

/// Whether there is a list a row, and an entry for every code.
fn check_lists(rows: usize, ends: &[u32], codes: &[u32], entries: usize) -> Result<(), ShapeError> {
    or(ends.len() == rows, ShapeError::RowCount)?;
    let is_whole = ends.last().map_or(0, |end| *end as usize) == codes.len();
    or(is_whole && ends.is_sorted(), ShapeError::RowEnds)?;
    let is_known = |code: &u32| (*code as usize) < entries;
    or(codes.iter().all(is_known), ShapeError::Code)
}

fn check_shape(column: &LoadColumn, rows: usize) -> Result<(), ShapeError> {
    match column {
        LoadColumn::Coded {
            attribute: _,
            dictionary,
            codes,
        } => {
            or(codes.len() == rows, ShapeError::RowCount)?;
            let is_known = |code: &u32| *code as usize <= dictionary.len();
            or(codes.iter().all(is_known), ShapeError::Code)
        }
        LoadColumn::Numbers {
            attribute: _,
            form: _,
            present,
            numbers,
        } => present_fits(present, numbers, rows),
        LoadColumn::Tags { names, ends, codes } | LoadColumn::Taken { names, ends, codes } => {
            check_lists(rows, ends, codes, names.len())
        }
        LoadColumn::Added {
            attribute: _,
            dictionary,
            ends,
            codes,
        } => check_lists(rows, ends, codes, dictionary.len()),
        LoadColumn::Holdings {
            names,
            ends,
            codes,
            terms,
            of,
        } => {
            check_lists(rows, ends, codes, names.len())?;
            or(of.len() == codes.len(), ShapeError::RowEnds)?;
            let is_known = |code: &u32| (*code as usize) < terms.len();
            or(of.iter().all(is_known), ShapeError::Code)
        }
    }
}

/// Whether there is a bit for every row, and a number for every bit that is set.
pub(super) fn present_fits(present: &[u8], numbers: &[i64], rows: usize) -> Result<(), ShapeError> {
    let bits: u32 = present.iter().map(|byte| byte.count_ones()).sum();
    let beyond = (rows..present.len().saturating_mul(8)).any(|row| bit(present, row));
    if present.len() != rows.div_ceil(8) || beyond {
        return Err(ShapeError::RowCount);
    }
    match bits as usize == numbers.len() {
        true => Ok(()),
        false => Err(ShapeError::NumberCount),
    }
}

fn bytes_of_column(column: &LoadColumn) -> u64 {
    match column {
        LoadColumn::Coded {
            attribute,
            dictionary,
            codes,
        } => {
            let lengths: Vec<u64> = dictionary
                .iter()
                .map(|datum| bytes_of_datum(datum) as u64)
                .collect();
            let unused: u64 = lengths.iter().sum();
            let used: u64 = codes
                .iter()
                .filter_map(|code| lengths.get((*code as usize).checked_sub(1)?))
                .sum();
            attribute.len() as u64 + unused + used + 4 * codes.len() as u64
        }
        LoadColumn::Numbers {
            attribute,
            form: _,
            present,
            numbers,
        } => (attribute.len() + present.len() + 8 * numbers.len()) as u64,
        LoadColumn::Tags { names, ends, codes } | LoadColumn::Taken { names, ends, codes } => {
            let names: usize = names.iter().map(String::len).sum();
            (names + 4 * (ends.len() + codes.len())) as u64
        }
        LoadColumn::Added {
            attribute,
            dictionary,
            ends,
            codes,
        } => {
            let values: usize = dictionary.iter().map(bytes_of_datum).sum();
            (attribute.len() + values + 4 * (ends.len() + codes.len())) as u64
        }
        LoadColumn::Holdings {
            names,
            ends,
            codes,
            terms,
            of,
        } => {
            let names: usize = names.iter().map(String::len).sum();
            let terms = size_of_val(terms.as_slice());
            (names + terms + 4 * (ends.len() + codes.len() + of.len())) as u64
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;

    #[test]
    fn packed_texts_are_cut_at_their_ends() {
        let packed = PackedTexts::new("aéb".to_owned(), vec![1, 1, 3, 4]).unwrap();
        assert_eq!(packed.iter().collect::<Vec<_>>(), ["a", "", "é", "b"]);
        assert_eq!((packed.len(), packed.bytes()), (4, 4));
        assert_eq!((packed.at(2), packed.at(4)), (Some("é"), None));
        assert_eq!(packed, ["a", "", "é", "b"].into_iter().collect());
        for ends in [vec![], vec![2, 4], vec![1], vec![3, 1, 4], vec![5]] {
            let packed = PackedTexts::new("aéb".to_owned(), ends);
            assert_eq!(packed, Err(ShapeError::TextEnds));
        }
    }

    #[test]
    fn columns_fit_their_rows_or_are_refused() {
        let check = |column: LoadColumn, expected: Result<(), ShapeError>| {
            assert_eq!(check_shape(&column, 3), expected, "{column:?}");
        };
        let coded = |codes: &[u32]| LoadColumn::Coded {
            attribute: "a".to_owned(),
            dictionary: vec![Datum::Null, Datum::Integer(1)],
            codes: codes.to_vec(),
        };
        check(coded(&[0, 1, 2]), Ok(()));
        check(coded(&[0, 1]), Err(ShapeError::RowCount));
        check(coded(&[0, 1, 3]), Err(ShapeError::Code));
        let numbers = |present: &[u8], numbers: &[i64]| LoadColumn::Numbers {
            attribute: "a".to_owned(),
            form: NumberForm::Integer,
            present: present.to_vec(),
            numbers: numbers.to_vec(),
        };
        check(numbers(&[0b101], &[1, 2]), Ok(()));
        check(numbers(&[0b101], &[1]), Err(ShapeError::NumberCount));
        check(numbers(&[0b1001], &[1, 2]), Err(ShapeError::RowCount));
        check(numbers(&[1, 0], &[1]), Err(ShapeError::RowCount));
        let tags = |ends: &[u32], codes: &[u32]| LoadColumn::Tags {
            names: vec!["t".to_owned()],
            ends: ends.to_vec(),
            codes: codes.to_vec(),
        };
        check(tags(&[0, 2, 2], &[0, 0]), Ok(()));
        check(tags(&[0, 2], &[0, 0]), Err(ShapeError::RowCount));
        check(tags(&[0, 2, 1], &[0]), Err(ShapeError::RowEnds));
        check(tags(&[0, 1, 1], &[0, 0]), Err(ShapeError::RowEnds));
        check(tags(&[0, 1, 1], &[1]), Err(ShapeError::Code));
        let added = |ends: &[u32], codes: &[u32]| LoadColumn::Added {
            attribute: "a".to_owned(),
            dictionary: vec![Datum::Text("x".to_owned())],
            ends: ends.to_vec(),
            codes: codes.to_vec(),
        };
        check(added(&[0, 2, 2], &[0, 0]), Ok(()));
        check(added(&[0, 2], &[0, 0]), Err(ShapeError::RowCount));
        check(added(&[0, 1, 1], &[0, 0]), Err(ShapeError::RowEnds));
        check(added(&[0, 1, 1], &[1]), Err(ShapeError::Code));
        let taken = LoadColumn::Taken {
            names: vec![],
            ends: vec![0, 1, 1],
            codes: vec![0],
        };
        check(taken, Err(ShapeError::Code));
        let holdings = |ends: &[u32], codes: &[u32], of: &[u32]| LoadColumn::Holdings {
            names: vec!["t".to_owned()],
            ends: ends.to_vec(),
            codes: codes.to_vec(),
            terms: vec![HoldTerms::default()],
            of: of.to_vec(),
        };
        check(holdings(&[0, 2, 2], &[0, 0], &[0, 0]), Ok(()));
        check(
            holdings(&[0, 2], &[0, 0], &[0, 0]),
            Err(ShapeError::RowCount),
        );
        check(holdings(&[0, 2, 1], &[0], &[0]), Err(ShapeError::RowEnds));
        check(
            holdings(&[0, 2, 2], &[0, 0], &[0]),
            Err(ShapeError::RowEnds),
        );
        check(holdings(&[0, 1, 1], &[1], &[0]), Err(ShapeError::Code));
        check(holdings(&[0, 1, 1], &[0], &[1]), Err(ShapeError::Code));
    }

    #[test]
    fn a_text_counts_for_every_row_that_has_it() {
        let request = LoadRequest {
            keys: ["a", "b", "c"].into_iter().collect(),
            columns: vec![LoadColumn::Coded {
                attribute: "t".to_owned(),
                dictionary: vec![Datum::Text("x".repeat(100))],
                codes: vec![1, 0, 1],
            }],
            ..LoadRequest::default()
        };
        let bytes = check_load(&request, 3, 1000).unwrap();
        assert_eq!(bytes, 3 + 1 + 300 + 12);
        assert!(check_load(&request, 2, 1000).is_err());
        assert!(check_load(&request, 3, bytes - 1).is_err());
    }
}

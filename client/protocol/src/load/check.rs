//! Whether columns fit the keys, and codes their dictionaries.

use super::{LoadColumn, LoadError, LoadRows, NumberForm};

impl LoadRows {
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
            Self::Tags { names, ends, codes } | Self::Taken { names, ends, codes } => {
                of_length(ends.len())?;
                check_lists(column, ends, codes)?;
                check_codes(column, codes, names.len(), 0)
            }
            Self::Added {
                attribute: _,
                dictionary,
                ends,
                codes,
            } => {
                of_length(ends.len())?;
                check_lists(column, ends, codes)?;
                check_codes(column, codes, dictionary.len(), 0)
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
pub(super) fn check_present(column: usize, present: &[u8], rows: usize) -> Result<(), LoadError> {
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

pub(super) fn check_numbers(
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
pub(super) fn check_codes(
    column: usize,
    codes: &[u32],
    entries: usize,
    first: u64,
) -> Result<(), LoadError> {
    match codes.iter().max() {
        Some(code) if u64::from(*code) >= entries as u64 + first => Err(LoadError::Code {
            column,
            code: *code,
            entries,
        }),
        Some(_) | None => Ok(()),
    }
}

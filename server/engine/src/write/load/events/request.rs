//! The shape of a load of events, and its limits.

use std::collections::HashSet;

use crate::{
    datum::Datum,
    error::Error,
    write::{
        LimitError, WriteError,
        load::{NumberForm, PackedTexts, ShapeError, request::present_fits},
        size::bytes_of_datum,
    },
};

/// Events of one kind, column by column, that are tracked all or none: each as if by
/// [`Mutation::Track`](crate::write::Mutation::Track).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventLoadRequest {
    /// A later request with the same key changes nothing and is answered as this one was.
    pub idempotency_key: Option<[u8; 16]>,
    /// What to do about users that are not there.
    pub unknown_users: UnknownUsers,
    /// The kind of event.
    pub event: String,
    /// The keys of the users who occur. One that no event names is not looked at.
    pub users: PackedTexts,
    /// One an event: its user's index in `users`.
    pub of: Vec<u32>,
    /// One an event: when it was, in microseconds since 1970-01-01T00:00:00Z.
    pub times_us: Vec<i64>,
    /// One an event: its id, or the empty text if it has none.
    pub ids: Option<PackedTexts>,
    /// What the events have; a property has one column at most.
    pub columns: Vec<EventColumn>,
}

/// What a load of events does about users that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownUsers {
    /// Refuses the request, and names an event that is to blame.
    Refuse,
    /// Makes them users.
    #[default]
    Create,
}

/// What every event has of one property.
#[derive(Debug, Clone, PartialEq)]
pub enum EventColumn {
    /// Values of any type.
    Coded {
        /// The property's name.
        property: String,
        /// The values that occur; [`Datum::Null`] is none. An entry that no event names is not
        /// looked at.
        dictionary: Vec<Datum>,
        /// One an event: 0 for none, `k` for `dictionary[k - 1]`.
        codes: Vec<u32>,
    },
    /// Numbers.
    Numbers {
        /// The property's name.
        property: String,
        /// What the numbers are.
        form: NumberForm,
        /// One bit an event, the lowest bit of a byte first; bits after the last event are 0.
        present: Vec<u8>,
        /// The numbers of the events whose bit is set.
        numbers: Vec<i64>,
    },
}

impl EventColumn {
    pub(super) fn property(&self) -> &str {
        match self {
            Self::Coded { property, .. } | Self::Numbers { property, .. } => property,
        }
    }
}

/// Refuses a load that does not fit together or is too long. Gives its length in bytes, in which
/// a text of a dictionary counts for every event that has it: it is stored for each.
pub(in crate::write) fn check_event_load(
    request: &EventLoadRequest,
    rows_max: u32,
    bytes_max: u64,
) -> Result<u64, Error> {
    let rows = request.of.len();
    if rows > rows_max as usize {
        return Err(LimitError::Rows {
            found: rows,
            max: rows_max,
        }
        .into());
    }
    check_shape(request).map_err(WriteError::Shape)?;
    let ids = request.ids.as_ref().map_or(0, PackedTexts::bytes);
    let mut bytes = (request.users.bytes() + ids + rows * (4 + 8)) as u64;
    for column in &request.columns {
        bytes = bytes.saturating_add(bytes_of_column(column));
    }
    if bytes > bytes_max {
        return Err(LimitError::RequestBytes { max: bytes_max }.into());
    }
    Ok(bytes)
}

fn check_shape(request: &EventLoadRequest) -> Result<(), ShapeError> {
    let or = |fits: bool, error| if fits { Ok(()) } else { Err(error) };
    let rows = request.of.len();
    let is_user = |user: &u32| (*user as usize) < request.users.len();
    or(request.of.iter().all(is_user), ShapeError::Code)?;
    or(request.times_us.len() == rows, ShapeError::RowCount)?;
    let ids = request.ids.as_ref().map_or(rows, PackedTexts::len);
    or(ids == rows, ShapeError::RowCount)?;
    let mut properties = HashSet::new();
    for column in &request.columns {
        or(properties.insert(column.property()), ShapeError::Twice)?;
        match column {
            EventColumn::Coded {
                property: _,
                dictionary,
                codes,
            } => {
                or(codes.len() == rows, ShapeError::RowCount)?;
                let is_known = |code: &u32| *code as usize <= dictionary.len();
                or(codes.iter().all(is_known), ShapeError::Code)?;
            }
            EventColumn::Numbers {
                property: _,
                form: _,
                present,
                numbers,
            } => present_fits(present, numbers, rows)?,
        }
    }
    Ok(())
}

fn bytes_of_column(column: &EventColumn) -> u64 {
    match column {
        EventColumn::Coded {
            property,
            dictionary,
            codes,
        } => {
            let length = |datum: &Datum| bytes_of_datum(datum) as u64;
            let lengths: Vec<u64> = dictionary.iter().map(length).collect();
            let unused: u64 = lengths.iter().sum();
            let used: u64 = codes
                .iter()
                .filter_map(|code| lengths.get((*code as usize).checked_sub(1)?))
                .sum();
            property.len() as u64 + unused + used + 4 * codes.len() as u64
        }
        EventColumn::Numbers {
            property,
            form: _,
            present,
            numbers,
        } => (property.len() + present.len() + 8 * numbers.len()) as u64,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;

    fn request(columns: Vec<EventColumn>) -> EventLoadRequest {
        EventLoadRequest {
            event: "purchase".to_owned(),
            users: ["a", "b"].into_iter().collect(),
            of: vec![0, 1, 0],
            times_us: vec![1, 2, 3],
            columns,
            ..EventLoadRequest::default()
        }
    }

    fn coded(property: &str, codes: &[u32]) -> EventColumn {
        EventColumn::Coded {
            property: property.to_owned(),
            dictionary: vec![Datum::Text("x".repeat(100))],
            codes: codes.to_vec(),
        }
    }

    #[test]
    fn what_fits_together_is_taken_and_else_refused() {
        let check = |request: EventLoadRequest, expected: Result<(), ShapeError>| {
            assert_eq!(check_shape(&request), expected, "{request:?}");
        };
        let good = request(vec![]);
        check(good.clone(), Ok(()));
        let of = vec![0, 2, 0];
        check(
            EventLoadRequest { of, ..good.clone() },
            Err(ShapeError::Code),
        );
        let times_us = vec![1];
        let wrong = EventLoadRequest {
            times_us,
            ..good.clone()
        };
        check(wrong, Err(ShapeError::RowCount));
        let ids = Some(["x"].into_iter().collect());
        check(EventLoadRequest { ids, ..good }, Err(ShapeError::RowCount));
        check(request(vec![coded("c", &[0, 1, 1])]), Ok(()));
        check(request(vec![coded("c", &[0, 2, 1])]), Err(ShapeError::Code));
        check(request(vec![coded("c", &[0])]), Err(ShapeError::RowCount));
        let twice = vec![coded("c", &[0; 3]), coded("c", &[0; 3])];
        check(request(twice), Err(ShapeError::Twice));
        let numbers = |present: &[u8], numbers: &[i64]| EventColumn::Numbers {
            property: "n".to_owned(),
            form: NumberForm::Integer,
            present: present.to_vec(),
            numbers: numbers.to_vec(),
        };
        check(request(vec![numbers(&[0b101], &[1, 2])]), Ok(()));
        let wrong = request(vec![numbers(&[0b101], &[1])]);
        check(wrong, Err(ShapeError::NumberCount));
        let wrong = request(vec![numbers(&[0b1001], &[1, 2])]);
        check(wrong, Err(ShapeError::RowCount));
    }

    #[test]
    fn a_text_counts_for_every_event_that_has_it() {
        let request = request(vec![coded("c", &[1, 0, 1])]);
        let bytes = check_event_load(&request, 3, 1000).unwrap();
        assert_eq!(bytes, 2 + 3 * 12 + 1 + 300 + 12);
        assert!(check_event_load(&request, 2, 1000).is_err());
        assert!(check_event_load(&request, 3, bytes - 1).is_err());
    }
}

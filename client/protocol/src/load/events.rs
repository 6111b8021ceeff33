//! Many events of one kind at once, column by column.
//!
//! Knows how events whose users and values repeat become columns, and a column bytes. Does not
//! know what a property is, nor which events there are already.

use std::collections::HashSet;

use bincode::{
    Decode, Encode,
    de::Decoder,
    enc::Encoder,
    error::{DecodeError, EncodeError},
    impl_borrow_decode,
};

use super::{
    LoadError, NumberForm, PackedTexts,
    check::{check_codes, check_numbers, check_present},
    codec::{decode_signed, decode_small, encode_signed, encode_small, heard, said},
    presence,
    rows::{Kept, ranked, ranks_of, value_of},
};
use crate::message::{Datum, Track};

/// Events of one kind, column by column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventRows {
    /// The kind of event.
    pub event: String,
    /// The keys of the users who occur.
    pub users: PackedTexts,
    /// For each event the place of its user among `users`, from 0.
    pub of: Vec<u32>,
    /// For each event when it was, in microseconds since 1970-01-01T00:00:00Z.
    pub times_us: Vec<i64>,
    /// For each event its id, or the empty text if it has none. `None` when no event has one.
    pub ids: Option<PackedTexts>,
    /// What else is known of the events; a property has one column at most.
    pub columns: Vec<EventColumn>,
}

/// What each event has of one property.
#[derive(Debug, Clone, PartialEq)]
pub enum EventColumn {
    /// Values that repeat.
    Coded {
        /// The property.
        property: String,
        /// The values that occur; [`Datum::Null`] is none.
        dictionary: Vec<Datum>,
        /// For each event 0 for none, or k for `dictionary[k - 1]`.
        codes: Vec<u32>,
    },
    /// Numbers.
    Numbers {
        /// The property.
        property: String,
        /// What the numbers are.
        form: NumberForm,
        /// Which events have a number, as in
        /// [`LoadColumn::Numbers`](super::LoadColumn::Numbers).
        present: Vec<u8>,
        /// The numbers of the events that have one.
        numbers: Vec<i64>,
    },
}

impl EventRows {
    /// How many events.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Whether all columns fit the events, and all codes their dictionaries.
    ///
    /// # Errors
    /// Says which does not. Users, times and ids count as column 0, the first property as 1.
    pub fn check(&self) -> Result<(), LoadError> {
        let rows = self.len();
        check_codes(0, &self.of, self.users.len(), 0)?;
        of_length(0, self.times_us.len(), rows)?;
        if let Some(ids) = &self.ids {
            of_length(0, ids.len(), rows)?;
        }
        let mut before = HashSet::new();
        for (place, column) in (1..).zip(&self.columns) {
            column.check(place, rows)?;
            if !before.insert(column.property()) {
                return Err(LoadError::Twice { column: place });
            }
        }
        Ok(())
    }

    /// The events at these places, in this order, with users and values of only what they need.
    /// Places where there is no event are passed over.
    #[must_use]
    pub fn select(&self, places: &[u32]) -> Self {
        let there: Vec<usize> = places
            .iter()
            .map(|place| *place as usize)
            .filter(|place| *place < self.len())
            .collect();
        let mut users = PackedTexts::default();
        let mut known = vec![None; self.users.len()];
        let mut of = Vec::with_capacity(there.len());
        for user in there.iter().filter_map(|place| self.of.get(*place)) {
            let Some(place) = known.get_mut(*user as usize) else {
                continue;
            };
            let next = users.len() as u32;
            of.push(*place.get_or_insert_with(|| {
                // Some of the users take no more bytes than all.
                let _fits = users.push(self.users.get(*user as usize).unwrap_or_default());
                next
            }));
        }
        let times = there.iter().filter_map(|place| self.times_us.get(*place));
        Self {
            event: self.event.clone(),
            users,
            of,
            times_us: times.copied().collect(),
            ids: self.ids.as_ref().map(|ids| ids.select(&there)),
            columns: self.columns.iter().map(|it| it.select(&there)).collect(),
        }
    }

    /// One of the events, if there are so many.
    pub fn track(&self, row: usize) -> Option<Track> {
        let user = self.users.get(*self.of.get(row)? as usize)?;
        let id = self.ids.as_ref().and_then(|ids| ids.get(row));
        let value = |column: &EventColumn| {
            let value = column.value(row)?;
            Some((column.property().to_owned(), value))
        };
        Some(Track {
            user: user.to_owned(),
            event: self.event.clone(),
            time_us: self.times_us.get(row).copied(),
            id: id.filter(|id| !id.is_empty()).map(str::to_owned),
            values: self.columns.iter().filter_map(value).collect(),
        })
    }
}

fn of_length(column: usize, found: usize, rows: usize) -> Result<(), LoadError> {
    match found == rows {
        true => Ok(()),
        false => Err(LoadError::Rows {
            column,
            found,
            rows,
        }),
    }
}

impl EventColumn {
    /// The property.
    pub fn property(&self) -> &str {
        match self {
            Self::Coded { property, .. } | Self::Numbers { property, .. } => property,
        }
    }

    fn check(&self, column: usize, rows: usize) -> Result<(), LoadError> {
        match self {
            Self::Coded {
                dictionary, codes, ..
            } => {
                of_length(column, codes.len(), rows)?;
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
        }
    }

    fn value(&self, row: usize) -> Option<Datum> {
        match self {
            Self::Coded {
                dictionary, codes, ..
            } => value_of(dictionary, codes, row).cloned(),
            Self::Numbers {
                form,
                present,
                numbers,
                ..
            } => {
                let before = present.get(..row / 8)?;
                let rank = before.iter().map(|byte| byte.count_ones()).sum();
                ranked(rank, present, numbers, row).map(|number| form.datum(number))
            }
        }
    }

    fn select(&self, places: &[usize]) -> Self {
        match self {
            Self::Coded {
                property,
                dictionary,
                codes,
            } => {
                let mut kept = Kept::new(dictionary);
                let code = |place: &usize| match codes.get(*place).copied().unwrap_or(0) {
                    0 => 0,
                    code => kept.place_of(code - 1) + 1,
                };
                let codes = places.iter().map(code).collect();
                Self::Coded {
                    property: property.clone(),
                    dictionary: kept.entries,
                    codes,
                }
            }
            Self::Numbers {
                property,
                form,
                present,
                numbers,
            } => {
                let ranks = ranks_of(present);
                let number =
                    |place: &usize| ranked(*ranks.get(*place / 8)?, present, numbers, *place);
                let some: Vec<Option<i64>> = places.iter().map(number).collect();
                Self::Numbers {
                    property: property.clone(),
                    form: *form,
                    present: presence(some.iter().map(Option::is_some)),
                    numbers: some.into_iter().flatten().collect(),
                }
            }
        }
    }
}

impl Encode for EventRows {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.check().map_err(|error| said(&error))?;
        self.event.encode(encoder)?;
        self.users.encode(encoder)?;
        encode_small(&self.of, encoder)?;
        encode_signed(&self.times_us, encoder)?;
        self.ids.encode(encoder)?;
        self.columns.encode(encoder)
    }
}

impl<C> Decode<C> for EventRows {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let rows = Self {
            event: String::decode(decoder)?,
            users: PackedTexts::decode(decoder)?,
            of: decode_small(decoder)?,
            times_us: decode_signed(decoder)?,
            ids: Option::decode(decoder)?,
            columns: Vec::decode(decoder)?,
        };
        rows.check().map_err(|error| heard(&error))?;
        Ok(rows)
    }
}
impl_borrow_decode!(EventRows);

impl Encode for EventColumn {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        match self {
            Self::Coded {
                property,
                dictionary,
                codes,
            } => {
                0_u32.encode(encoder)?;
                property.encode(encoder)?;
                dictionary.encode(encoder)?;
                encode_small(codes, encoder)
            }
            Self::Numbers {
                property,
                form,
                present,
                numbers,
            } => {
                1_u32.encode(encoder)?;
                property.encode(encoder)?;
                form.encode(encoder)?;
                present.encode(encoder)?;
                encode_signed(numbers, encoder)
            }
        }
    }
}

impl<C> Decode<C> for EventColumn {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(match u32::decode(decoder)? {
            0 => Self::Coded {
                property: String::decode(decoder)?,
                dictionary: Vec::decode(decoder)?,
                codes: decode_small(decoder)?,
            },
            1 => Self::Numbers {
                property: String::decode(decoder)?,
                form: NumberForm::decode(decoder)?,
                present: Vec::decode(decoder)?,
                numbers: decode_signed(decoder)?,
            },
            unknown => {
                let reason = format!("a column of the unknown kind {unknown}");
                return Err(DecodeError::OtherString(reason));
            }
        })
    }
}
impl_borrow_decode!(EventColumn);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use bytes::BytesMut;

    use super::*;
    use crate::{
        codec::{self, encode_client},
        message::{ClientMessage, Request, RequestBody, RequestId, UnknownUsers},
    };

    fn texts(all: &[&str]) -> PackedTexts {
        let mut texts = PackedTexts::default();
        all.iter().for_each(|text| texts.push(text).unwrap());
        texts
    }

    fn coded(property: &str, entries: usize, codes: &[u32]) -> EventColumn {
        EventColumn::Coded {
            property: property.to_owned(),
            dictionary: (0..entries)
                .map(|entry| Datum::Integer(entry as i64))
                .collect(),
            codes: codes.to_vec(),
        }
    }

    fn integers(present: &[u8], numbers: &[i64]) -> EventColumn {
        EventColumn::Numbers {
            property: "n".to_owned(),
            form: NumberForm::Integer,
            present: present.to_vec(),
            numbers: numbers.to_vec(),
        }
    }

    fn rows(columns: Vec<EventColumn>) -> EventRows {
        EventRows {
            event: "purchase".to_owned(),
            users: texts(&["a", "b"]),
            of: vec![1, 0, 1],
            times_us: vec![-5, i64::MAX, 0],
            ids: Some(texts(&["", "x", ""])),
            columns,
        }
    }

    fn message(rows: EventRows) -> ClientMessage {
        ClientMessage::Request(Request {
            id: RequestId(1),
            deadline_ms: 0,
            rows_messages_credit: 0,
            body: RequestBody::LoadEvents {
                idempotency_key: None,
                unknown_users: UnknownUsers::Create,
                rows,
            },
        })
    }

    #[test]
    fn events_survive_the_wire() {
        let full = rows(vec![
            coded("c", 2, &[2, 0, 1]),
            integers(&[0b101], &[7, -300]),
        ]);
        for rows in [full, rows(vec![]), EventRows::default()] {
            let message = message(rows);
            let mut bytes = BytesMut::new();
            encode_client(&message, &mut bytes).unwrap();
            assert_eq!(codec::decode_client(&bytes), Ok(message));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_on_both_sides() {
        let check = |rows: EventRows, expected: LoadError| {
            assert_eq!(rows.check(), Err(expected.clone()));
            let mut bytes = BytesMut::new();
            let refused = encode_client(&message(rows), &mut bytes);
            assert_eq!(
                refused,
                Err(codec::EncodeError::Unsayable(expected.to_string()))
            );
        };
        let rows_error = |column, found| LoadError::Rows {
            column,
            found,
            rows: 3,
        };
        let good = rows(vec![]);
        let code = |column, code, entries| LoadError::Code {
            column,
            code,
            entries,
        };
        let of = vec![0, 2, 0];
        check(EventRows { of, ..good.clone() }, code(0, 2, 2));
        let times_us = vec![1];
        check(
            EventRows {
                times_us,
                ..good.clone()
            },
            rows_error(0, 1),
        );
        let ids = Some(texts(&["x"]));
        check(EventRows { ids, ..good }, rows_error(0, 1));
        check(rows(vec![coded("c", 1, &[0, 1])]), rows_error(1, 2));
        check(rows(vec![coded("c", 1, &[0, 1, 2])]), code(1, 2, 1));
        let twice = vec![coded("c", 1, &[0; 3]), coded("c", 1, &[0; 3])];
        check(rows(twice), LoadError::Twice { column: 2 });
        check(rows(vec![integers(&[1, 0], &[1])]), rows_error(1, 16));
        check(
            rows(vec![integers(&[1], &[])]),
            LoadError::Numbers { column: 1 },
        );
    }

    #[test]
    fn events_are_parted_and_told_one_by_one() {
        let all = rows(vec![
            coded("c", 2, &[2, 0, 1]),
            integers(&[0b101], &[7, -300]),
        ]);
        let some = all.select(&[2, 9, 1]);
        assert_eq!(some.check(), Ok(()));
        assert_eq!(some.len(), 2);
        assert_eq!((some.track(0), some.track(1)), (all.track(2), all.track(1)));
        let expected = Track {
            user: "b".to_owned(),
            event: "purchase".to_owned(),
            time_us: Some(0),
            id: None,
            values: vec![
                ("c".to_owned(), Datum::Integer(0)),
                ("n".to_owned(), Datum::Integer(-300)),
            ],
        };
        assert_eq!(all.track(2), Some(expected));
        assert_eq!(all.track(1).unwrap().id.as_deref(), Some("x"));
        assert_eq!(all.track(3), None);
        assert_eq!(all.select(&[0]).users, texts(&["b"]));
    }
}

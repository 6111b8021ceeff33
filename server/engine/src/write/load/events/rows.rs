//! The events of a load that lie in one partition, by id.

use bincode::{Decode, Encode};

use crate::{
    ids::{AttributeId, EventId},
    storage::{EventDetails, StoredValue},
    write::{
        command::UserCommand,
        load::{PackedTexts, rows::RowColumn},
    },
};

/// Events of one kind in their order, without names.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct EventRows {
    /// The kind.
    pub(in crate::write) event: EventId,
    /// The keys of the users who occur.
    pub(in crate::write) keys: PackedTexts,
    /// One an event: its user's index in `keys`.
    pub(in crate::write) of: Vec<u32>,
    /// One an event: when it was, in microseconds since 1970-01-01T00:00:00Z.
    pub(in crate::write) times_us: Vec<i64>,
    /// One an event: its id, or the empty text if it has none.
    pub(in crate::write) ids: Option<PackedTexts>,
    /// What the events have, rising by property, each of which has one column at most.
    pub(in crate::write) columns: Vec<RowColumn>,
}

impl EventRows {
    /// How many events.
    pub(in crate::write) fn len(&self) -> usize {
        self.of.len()
    }

    /// The id of an event, if it has one.
    pub(super) fn id(&self, row: usize) -> Option<&str> {
        let id = self.ids.as_ref()?.at(row)?;
        (!id.is_empty()).then_some(id)
    }

    /// What one event does, if there is such an event.
    pub(in crate::write) fn command(&self, row: usize) -> Option<UserCommand> {
        let mut details = EventDetails::default();
        self.fill_details(row, &mut details);
        Some(UserCommand::Track {
            key: self.keys.at(*self.of.get(row)? as usize)?.to_owned(),
            event: self.event,
            time_us: *self.times_us.get(row)?,
            details,
        })
    }

    /// Makes details those of an event.
    pub(super) fn fill_details(&self, row: usize, details: &mut EventDetails) {
        match (self.id(row), &mut details.id) {
            (Some(id), Some(place)) => {
                place.clear();
                place.push_str(id);
            }
            (id, place) => *place = id.map(str::to_owned),
        }
        details.values.clear();
        for column in &self.columns {
            if let Some((property, Some(value))) = column.value(row) {
                details.values.push((property, value));
            }
        }
    }

    /// Makes numbers those of an event: codes and numbers of its properties.
    pub(super) fn fill_numbers(&self, row: usize, numbers: &mut Vec<(AttributeId, i64)>) {
        numbers.clear();
        for column in &self.columns {
            let Some(property) = column.attribute() else {
                continue;
            };
            let number = match column.stored(row) {
                Some(StoredValue::Code(code)) => Some(i64::from(code.0)),
                Some(StoredValue::Number(number)) => Some(*number),
                Some(StoredValue::Codes(_) | StoredValue::Text(_)) => None,
                None => column.number(row),
            };
            numbers.extend(number.map(|number| (property, number)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ids::ValueCode;

    #[test]
    fn an_event_has_what_its_row_has() {
        let rows = EventRows {
            event: EventId(3),
            keys: ["a", "b"].into_iter().collect(),
            of: vec![1, 0],
            times_us: vec![5, -5],
            ids: Some(["", "x"].into_iter().collect()),
            columns: vec![
                RowColumn::Values {
                    attribute: AttributeId(1),
                    values: Arc::new(vec![Some(StoredValue::Code(ValueCode(7))), None]),
                    codes: vec![1, 2],
                },
                RowColumn::Values {
                    attribute: AttributeId(2),
                    values: Arc::new(vec![Some(StoredValue::Text("t".to_owned()))]),
                    codes: vec![0, 1],
                },
                RowColumn::Numbers {
                    attribute: AttributeId(4),
                    rows: vec![1],
                    numbers: vec![-9],
                },
            ],
        };
        let track = |key: &str, time_us, id: Option<&str>, values| UserCommand::Track {
            key: key.to_owned(),
            event: EventId(3),
            time_us,
            details: EventDetails {
                id: id.map(str::to_owned),
                values,
            },
        };
        let code = (AttributeId(1), StoredValue::Code(ValueCode(7)));
        let text = (AttributeId(2), StoredValue::Text("t".to_owned()));
        let number = (AttributeId(4), StoredValue::Number(-9));
        assert_eq!(rows.command(0), Some(track("b", 5, None, vec![code])));
        assert_eq!(
            rows.command(1),
            Some(track("a", -5, Some("x"), vec![text, number]))
        );
        assert_eq!(rows.command(2), None);
        let (mut details, mut numbers) = (EventDetails::default(), Vec::new());
        for row in [0, 1, 0] {
            rows.fill_details(row, &mut details);
            rows.fill_numbers(row, &mut numbers);
            assert_eq!(details.numbers(), numbers);
        }
    }
}

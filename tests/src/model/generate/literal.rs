//! Literals that fit an attribute, near the values that users have.

use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use tessera_protocol::message::Datum;
use tessera_query_lang::ast::{AttributeType, Decimal, RelativeTime, TimeAnchor, TimeUnit, Value};

use super::{Generator, LABELS, NOWHERE};
use crate::model::{
    Attribute, Model,
    value::{MICROSECONDS_A_DAY, date_of},
};

const UNITS: [TimeUnit; 7] = [
    TimeUnit::Second,
    TimeUnit::Minute,
    TimeUnit::Hour,
    TimeUnit::Day,
    TimeUnit::Week,
    TimeUnit::Month,
    TimeUnit::Year,
];

impl Generator {
    /// A value as a client sends it.
    pub(super) fn datum(&mut self, attribute: &Attribute) -> Datum {
        if self.mistake() {
            return self.misfit(attribute);
        }
        match attribute.kind {
            AttributeType::Enum(_) | AttributeType::Multi(_) => {
                Datum::Text(self.label_to_write(attribute))
            }
            AttributeType::Integer => Datum::Integer(self.integer()),
            AttributeType::Decimal(scale) => self.decimal_datum(scale),
            AttributeType::Date => Datum::Date(self.day()),
            AttributeType::Timestamp => Datum::Timestamp(self.micros()),
            AttributeType::Boolean => Datum::Boolean(self.chance(0.5)),
            AttributeType::Text => Datum::Text(self.text()),
            AttributeType::User => Datum::Text(self.key()),
        }
    }

    fn decimal_datum(&mut self, scale: u8) -> Datum {
        let units = i128::from(self.integer());
        match self.rng.random_range(0..4) {
            0 => Datum::Integer(self.rng.random_range(-50..50)),
            1 => Datum::Decimal {
                units: units * 1000,
                scale: scale + 3,
            },
            2 if scale > 0 => Datum::Decimal {
                units: units / 10,
                scale: scale - 1,
            },
            _ => Datum::Decimal { units, scale },
        }
    }

    /// A value that the attribute cannot take.
    fn misfit(&mut self, attribute: &Attribute) -> Datum {
        match &attribute.kind {
            AttributeType::Integer | AttributeType::Date | AttributeType::Timestamp => {
                Datum::Text("violet".into())
            }
            AttributeType::Decimal(scale) => Datum::Decimal {
                units: 1,
                scale: scale + 1,
            },
            AttributeType::Boolean => Datum::Text("maybe".into()),
            AttributeType::Enum(Some(_)) | AttributeType::Multi(Some(_)) => {
                Datum::Text("violet".into())
            }
            AttributeType::Enum(None)
            | AttributeType::Multi(None)
            | AttributeType::Text
            | AttributeType::User => Datum::Real(1.5),
        }
    }

    fn label_to_write(&mut self, attribute: &Attribute) -> String {
        if attribute.is_closed() {
            return self.known_label(attribute);
        }
        self.pick(&LABELS).expect("labels").to_owned()
    }

    fn known_label(&mut self, attribute: &Attribute) -> String {
        let known: Vec<&str> = attribute.values.iter().map(String::as_str).collect();
        self.pick(&known).unwrap_or(NOWHERE).to_owned()
    }

    /// A literal that may be compared with the attribute.
    pub(super) fn literal(&mut self, model: &Model, attribute: &Attribute) -> Value {
        if self.mistake() {
            return self.strange_literal(attribute);
        }
        match attribute.kind {
            AttributeType::Enum(_) | AttributeType::Multi(_) => {
                Value::Text(self.known_label(attribute))
            }
            AttributeType::Integer | AttributeType::Decimal(_) => self.number_literal(),
            AttributeType::Date | AttributeType::Timestamp => self.time_literal(model),
            AttributeType::Boolean => Value::Boolean(self.chance(0.5)),
            AttributeType::Text => Value::Text(self.text()),
            AttributeType::User => Value::Text(self.key()),
        }
    }

    /// A literal that may be written to the attribute.
    pub(super) fn literal_to_write(&mut self, attribute: &Attribute) -> Value {
        if let Some(strange) = self.strange_to_write(attribute) {
            return strange;
        }
        match attribute.kind {
            AttributeType::Enum(_) | AttributeType::Multi(_) => {
                Value::Text(self.label_to_write(attribute))
            }
            AttributeType::Integer => Value::Integer(self.integer()),
            AttributeType::Decimal(scale) => Value::Decimal(Decimal {
                units: self.integer(),
                scale: scale.max(1),
            }),
            AttributeType::Date => Value::Date(date_of(i64::from(self.day()))),
            AttributeType::Timestamp => self.moment_literal(),
            AttributeType::Boolean => Value::Boolean(self.chance(0.5)),
            AttributeType::Text => Value::Text(self.text()),
            AttributeType::User => Value::Text(self.key()),
        }
    }

    fn strange_literal(&mut self, attribute: &Attribute) -> Value {
        match attribute.kind {
            AttributeType::Boolean | AttributeType::Integer | AttributeType::Decimal(_) => {
                Value::Text("violet".into())
            }
            AttributeType::Date | AttributeType::Timestamp => Value::Boolean(true),
            AttributeType::Enum(_) | AttributeType::Multi(_) => self.moment_literal(),
            AttributeType::Text | AttributeType::User => self.moment_literal(),
        }
    }

    /// Now and then, a literal that the attribute cannot take; texts take all.
    fn strange_to_write(&mut self, attribute: &Attribute) -> Option<Value> {
        let takes_all = match attribute.kind {
            AttributeType::Enum(None)
            | AttributeType::Multi(None)
            | AttributeType::Text
            | AttributeType::User => true,
            AttributeType::Enum(Some(_))
            | AttributeType::Multi(Some(_))
            | AttributeType::Integer
            | AttributeType::Decimal(_)
            | AttributeType::Date
            | AttributeType::Timestamp
            | AttributeType::Boolean => false,
        };
        if takes_all || !self.mistake() {
            return None;
        }
        Some(match attribute.kind {
            AttributeType::Date | AttributeType::Timestamp => Value::Boolean(true),
            _ => Value::Text("violet".into()),
        })
    }

    /// A number, often on the edge between two values that users have.
    pub(super) fn number_literal(&mut self) -> Value {
        match self.rng.random_range(0..10) {
            0..5 => Value::Integer(self.integer()),
            5..8 => {
                let scale = self.rng.random_range(1..5);
                Value::Decimal(Decimal {
                    units: self.rng.random_range(-60_000..60_000),
                    scale,
                })
            }
            8 => Value::Integer(
                *[i64::MIN, i64::MAX, 0]
                    .get(self.rng.random_range(0..3))
                    .expect("three"),
            ),
            _ => Value::Text(self.rng.random_range(-50..50).to_string()),
        }
    }

    pub(super) fn integer(&mut self) -> i64 {
        match self.rng.random_range(0..20) {
            0 => i64::MAX,
            1 => i64::MIN,
            2 => self.rng.random(),
            3..8 => self.rng.random_range(-1_000_000..1_000_000),
            _ => self.rng.random_range(-20..60),
        }
    }

    /// A day of the last or the next year or so, sometimes far away.
    pub(super) fn day(&mut self) -> i32 {
        if self.chance(0.1) {
            return self.rng.random_range(-100_000..100_000);
        }
        20_454 + self.rng.random_range(-400..400)
    }

    pub(super) fn micros(&mut self) -> i64 {
        let midnight = i64::from(self.day()) * MICROSECONDS_A_DAY;
        match self.rng.random_range(0..4) {
            0 => midnight,
            1 => midnight - 1,
            _ => midnight + self.rng.random_range(0..MICROSECONDS_A_DAY),
        }
    }

    fn moment_literal(&mut self) -> Value {
        let micros = self.micros();
        Value::Timestamp(Timestamp::from_microsecond(micros).expect("a near time"))
    }

    fn time_literal(&mut self, model: &Model) -> Value {
        match self.rng.random_range(0..4) {
            0 => self.moment_literal(),
            1 => Value::Date(date_of(i64::from(self.day()))),
            2 => Value::Timestamp(
                model.now - SignedDuration::from_secs(self.rng.random_range(0..9_000_000)),
            ),
            _ => Value::Relative(self.relative()),
        }
    }

    fn relative(&mut self) -> RelativeTime {
        let anchor = if self.chance(0.5) {
            TimeAnchor::Now
        } else {
            TimeAnchor::Today
        };
        if self.chance(0.2) {
            return RelativeTime {
                anchor,
                amount: 0,
                unit: TimeUnit::Second,
            };
        }
        let unit = UNITS[self.rng.random_range(0..UNITS.len())];
        let mut amount = self.rng.random_range(-40..=40);
        if amount == 0 {
            amount = 1;
        }
        RelativeTime {
            anchor,
            amount,
            unit,
        }
    }

    pub(super) fn text(&mut self) -> String {
        [
            "ada@example.org",
            "O'Neil",
            "one \"two\"",
            "naïve",
            "12",
            "x",
            "true",
        ][self.rng.random_range(0..7)]
        .to_owned()
    }
}

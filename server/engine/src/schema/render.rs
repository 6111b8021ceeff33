//! How a stored value reads.

use crate::{
    datum::Datum,
    ids::{AttributeId, ValueCode},
    schema::{AttributeDefinition, AttributeKind, Schema},
    storage::StoredValue,
};

impl AttributeKind {
    /// What a stored number of this type means. Null for types without numbers.
    pub fn datum_of_number(self, number: i64) -> Datum {
        match self {
            Self::Integer | Self::YearsSince(_) => Datum::Integer(number),
            Self::Decimal { scale } => Datum::Decimal {
                units: i128::from(number),
                scale,
            },
            Self::Date => i32::try_from(number).map_or(Datum::Null, Datum::Date),
            Self::Timestamp => Datum::Timestamp(number),
            Self::Enum(_)
            | Self::Multi(_)
            | Self::Boolean
            | Self::Text
            | Self::User
            | Self::Inviter => Datum::Null,
        }
    }
}

impl Schema {
    /// What a code of an enum, multi or boolean means. Null for a code that is not known.
    pub fn datum_of_code(&self, attribute: &AttributeDefinition, code: ValueCode) -> Datum {
        if attribute.kind == AttributeKind::Boolean {
            return match code.0 {
                0 => Datum::Boolean(false),
                1 => Datum::Boolean(true),
                _ => Datum::Null,
            };
        }
        self.value_text(attribute.id, code)
            .map_or(Datum::Null, |text| Datum::Text(text.to_owned()))
    }

    /// What a stored value means. Null for one that does not fit the attribute.
    pub fn datum(&self, attribute: &AttributeDefinition, value: &StoredValue) -> Datum {
        match value {
            StoredValue::Code(code) => self.datum_of_code(attribute, *code),
            StoredValue::Codes(codes) => Datum::List(self.sorted_texts(attribute.id, codes)),
            StoredValue::Number(number) => attribute.kind.datum_of_number(*number),
            StoredValue::Text(text) => Datum::Text(text.clone()),
        }
    }

    fn sorted_texts(&self, attribute: AttributeId, codes: &[ValueCode]) -> Vec<String> {
        let mut texts: Vec<String> = codes
            .iter()
            .filter_map(|code| self.value_text(attribute, *code))
            .map(str::to_owned)
            .collect();
        texts.sort_unstable();
        texts
    }
}

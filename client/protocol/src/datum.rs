//! Rust values as values on the wire.
//!
//! Knows which Rust type stands for which variant. Does not know an attribute's type: an integer
//! sent for a decimal attribute is for the server to accept or refuse.

use crate::message::Datum;

impl Datum {
    /// `units` / 10^`scale`: `decimal(1999, 2)` is 19.99.
    pub fn decimal(units: impl Into<i128>, scale: u8) -> Self {
        Self::Decimal {
            units: units.into(),
            scale,
        }
    }

    /// A list of texts, as the value of a multi attribute.
    pub fn list<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null
            | Self::Boolean(_)
            | Self::Integer(_)
            | Self::Decimal { .. }
            | Self::Real(_)
            | Self::Date(_)
            | Self::Timestamp(_)
            | Self::List(_) => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Null
            | Self::Boolean(_)
            | Self::Decimal { .. }
            | Self::Real(_)
            | Self::Text(_)
            | Self::Date(_)
            | Self::Timestamp(_)
            | Self::List(_) => None,
        }
    }
}

macro_rules! from {
    ($($source:ty => $value:ident $datum:expr;)*) => {
        $(impl From<$source> for Datum {
            fn from($value: $source) -> Self {
                $datum
            }
        })*
    };
}

from! {
    bool => value Datum::Boolean(value);
    i8 => value Datum::Integer(value.into());
    i16 => value Datum::Integer(value.into());
    i32 => value Datum::Integer(value.into());
    i64 => value Datum::Integer(value);
    u8 => value Datum::Integer(value.into());
    u16 => value Datum::Integer(value.into());
    u32 => value Datum::Integer(value.into());
    f64 => value Datum::Real(value);
    &str => value Datum::Text(value.to_owned());
    &String => value Datum::Text(value.clone());
    String => value Datum::Text(value);
    Vec<String> => value Datum::List(value);
}

/// `None` is [`Datum::Null`].
impl<T: Into<Datum>> From<Option<T>> for Datum {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_what_they_are() {
        let check = |datum: Datum, expected: Datum| assert_eq!(datum, expected);
        check("a".into(), Datum::Text("a".to_owned()));
        check(7.into(), Datum::Integer(7));
        check(true.into(), Datum::Boolean(true));
        check(0.5.into(), Datum::Real(0.5));
        check(None::<i64>.into(), Datum::Null);
        check(Some("x").into(), Datum::Text("x".to_owned()));
        check(
            Datum::list(["a", "b"]),
            Datum::List(vec!["a".to_owned(), "b".to_owned()]),
        );
        check(
            Datum::decimal(1999, 2),
            Datum::Decimal {
                units: 1999,
                scale: 2,
            },
        );
    }

    #[test]
    fn a_value_is_read_back_only_as_what_it_is() {
        assert_eq!(Datum::from("a").as_text(), Some("a"));
        assert_eq!(Datum::from(1).as_text(), None);
        assert_eq!(Datum::from(1).as_integer(), Some(1));
        assert_eq!(Datum::Date(1).as_integer(), None);
    }
}

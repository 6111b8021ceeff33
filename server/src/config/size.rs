//! Sizes in bytes as people write them: `64MiB`, `2GiB`, `1500000`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes. Reads from a whole number or from a text with a unit; powers of 1024
/// (`KiB`, `MiB`, `GiB`, `TiB`) and of 1000 (`kB`, `MB`, `GB`, `TB`), in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Units from the largest: the first that divides a size without a rest is how it is shown.
const BINARY_UNITS: [(&str, u64); 4] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

const DECIMAL_UNITS: [(&str, u64); 5] = [
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write a whole number of bytes or a unit, as in 64MiB or 2GiB")]
pub struct ByteSizeError(String);

impl ByteSize {
    /// So many mebibytes.
    pub const fn mib(mebibytes: u64) -> Self {
        Self(mebibytes * (1 << 20))
    }

    /// So many kibibytes.
    pub const fn kib(kibibytes: u64) -> Self {
        Self(kibibytes * (1 << 10))
    }

    /// As a 32-bit number; the largest where it is larger.
    pub fn saturating_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// As a length in memory; the largest where it is larger.
    pub fn saturating_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ByteSizeError(text.to_owned());
        let trimmed = text.trim();
        let digits_end = trimmed
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(trimmed.len());
        let (digits, unit) = trimmed.split_at(digits_end);
        let number: u64 = digits.parse().map_err(|_| refused())?;
        let factor = factor(unit.trim_start()).ok_or_else(refused)?;
        number.checked_mul(factor).map(Self).ok_or_else(refused)
    }
}

fn factor(unit: &str) -> Option<u64> {
    if unit.is_empty() {
        return Some(1);
    }
    BINARY_UNITS
        .iter()
        .chain(&DECIMAL_UNITS)
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .map(|(_, factor)| *factor)
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = BINARY_UNITS
            .iter()
            .find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => write!(formatter, "{}{name}", self.0 / factor),
            None => write!(formatter, "{}", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = ByteSize;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a size in bytes, as in 1048576 or \"1MiB\"")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes)
                    .map(ByteSize)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let check = |text: &str, expected: Option<u64>| {
            let seen = text.parse::<ByteSize>().ok().map(|size| size.0);
            assert_eq!(seen, expected, "{text}");
        };
        check("0", Some(0));
        check("1500000", Some(1_500_000));
        check("64MiB", Some(64 << 20));
        check("2 gib", Some(2 << 30));
        check(" 10kB ", Some(10_000));
        check("7b", Some(7));
        check("1TB", Some(1_000_000_000_000));
        check("18446744073709551615", Some(u64::MAX));
        check("18446744073709551616", None);
        check("17179869184GiB", None);
        check("1.5GiB", None);
        check("-1", None);
        check("GiB", None);
        check("", None);
        check("3 apples", None);
    }

    #[test]
    fn sizes_show_in_the_largest_unit_without_a_rest() {
        let check = |bytes: u64, expected: &str| assert_eq!(ByteSize(bytes).to_string(), expected);
        check(0, "0");
        check(1023, "1023");
        check(1024, "1KiB");
        check(16 << 20, "16MiB");
        check(3 << 30, "3GiB");
        check((1 << 30) + 1, "1073741825");
    }
}

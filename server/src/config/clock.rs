//! What time it is for the server: `system`, or a moment as people write it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tessera_engine::time::{format_timestamp, parse_timestamp};

/// Where the time of day comes from. Reads from `system` or from a moment in RFC 3339; without an
/// offset UTC is meant, and a date alone is its midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockSetting {
    /// The machine.
    System,
    /// It stands still, so many microseconds from 1970-01-01T00:00:00Z.
    StandsAt(i64),
}

/// How [`ClockSetting::System`] is written.
const SYSTEM: &str = "system";

impl fmt::Display for ClockSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str(SYSTEM),
            Self::StandsAt(micros) => f.write_str(&format_timestamp(*micros)),
        }
    }
}

impl Serialize for ClockSetting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClockSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == SYSTEM {
            return Ok(Self::System);
        }
        parse_timestamp(text.trim())
            .map(Self::StandsAt)
            .map_err(|error| de::Error::custom(format!("neither `{SYSTEM}` nor a time: {error}")))
    }
}

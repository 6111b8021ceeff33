//! What users did, put together piece by piece.

use tessera_protocol::message::{self, Datum, Mutation};

/// Something that a user did.
///
/// ```
/// use tessera_client::{Datum, Track};
///
/// let bought = Track::new("u1", "purchase")
///     .at(1_795_392_000_000_000)
///     .id("order-77")
///     .with("amount", Datum::decimal(1250, 2))
///     .with("channel", "ads");
/// # let _ = bought;
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an event is not tracked until it is given to a client"]
pub struct Track(message::Track);

impl Track {
    /// An event of this kind, at the moment when the server gets to know of it.
    pub fn new(user: impl Into<String>, event: impl Into<String>) -> Self {
        Self(message::Track {
            user: user.into(),
            event: event.into(),
            ..message::Track::default()
        })
    }

    /// When it was, in microseconds since 1970-01-01T00:00:00Z. Events may come late and in any
    /// order; one of the future, beyond what clocks differ by, is refused.
    pub fn at(mut self, time_us: i64) -> Self {
        self.0.time_us = Some(time_us);
        self
    }

    /// Names the event among the user's: another event of the user with the same id changes
    /// nothing, whenever it comes.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.id = Some(id.into());
        self
    }

    /// The value of a property; [`Datum::Null`] is none.
    pub fn with(mut self, property: impl Into<String>, value: impl Into<Datum>) -> Self {
        self.0.values.push((property.into(), value.into()));
        self
    }
}

impl From<Track> for Mutation {
    fn from(track: Track) -> Self {
        Self::Track(Box::new(track.0))
    }
}

//! Everything known of one user.

use tessera_protocol::message::Datum;

use crate::{answer::Answer, error::Error};

/// Everything known of one user.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Portrait {
    /// The user's key.
    pub key: String,
    /// Attributes that are set, by name.
    pub attributes: Vec<(String, Datum)>,
    /// Tags held.
    pub tags: Vec<TagHeld>,
    /// Why tags are held by their rules: the tag, and the rule with what is so of the user.
    pub reasons: Vec<(String, String)>,
    /// Saved segments the user belongs to.
    pub segments: Vec<String>,
    /// What the user did, as figures by name: `count purchase`, `count 30d purchase`,
    /// `first purchase`, `last purchase`.
    pub behaviour: Vec<(String, Datum)>,
    /// The last events, the latest first: the moment, as RFC 3339 has it, and the event with its
    /// properties.
    pub events: Vec<(String, String)>,
    /// What a newer server says beyond this.
    pub more: Vec<PortraitRow>,
}

/// A tag that a user holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagHeld {
    /// The tag.
    pub name: String,
    /// The tag's group, if it has one.
    pub group: Option<String>,
    /// Since when, in microseconds since 1970-01-01T00:00:00Z, where that is known.
    pub since_us: Option<i64>,
    /// Until when, likewise, if it ends: it is held before that moment and not at it.
    pub until_us: Option<i64>,
    /// On whose word, such as `manual`; not known of servers before protocol version 3.
    pub source: Option<String>,
}

/// A row of a portrait, as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct PortraitRow {
    /// What kind of thing it is about.
    pub section: String,
    /// The thing's name.
    pub name: String,
    /// What is known.
    pub value: Datum,
    /// What stands in further columns.
    pub more: Vec<Datum>,
}

impl PortraitRow {
    fn moment(&self, place: usize) -> Option<i64> {
        match self.more.get(place) {
            Some(Datum::Timestamp(micros)) => Some(*micros),
            Some(_) | None => None,
        }
    }
}

impl Portrait {
    /// An attribute's value, if it is set.
    pub fn attribute(&self, name: &str) -> Option<&Datum> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// Whether the user holds the tag.
    pub fn holds(&self, tag: &str) -> bool {
        self.tags.iter().any(|held| held.name == tag)
    }

    /// Reads a portrait from an answer's rows `section`, `name`, `value` and, of tags, `since`,
    /// `until`, `source`; no rows, no user.
    pub(crate) fn read(key: &str, answer: Answer) -> Result<Option<Self>, Error> {
        if answer.rows.is_empty() {
            return Ok(None);
        }
        let mut portrait = Self {
            key: key.to_owned(),
            ..Self::default()
        };
        for row in answer.rows {
            let mut row = row.into_iter();
            let (Some(Datum::Text(section)), Some(Datum::Text(name)), Some(value)) =
                (row.next(), row.next(), row.next())
            else {
                return Err(Error::Unexpected(
                    "a portrait's row is not a section, a name and a value".to_owned(),
                ));
            };
            portrait.add(PortraitRow {
                section,
                name,
                value,
                more: row.collect(),
            });
        }
        Ok(Some(portrait))
    }

    fn add(&mut self, row: PortraitRow) {
        match (row.section.as_str(), &row.value) {
            ("user", Datum::Text(key)) if row.name == "key" => self.key.clone_from(key),
            ("rule", Datum::Text(reason)) => self.reasons.push((row.name, reason.clone())),
            ("behaviour", _) => self.behaviour.push((row.name, row.value)),
            ("event", Datum::Text(event)) => self.events.push((row.name, event.clone())),
            ("attribute", _) => self.attributes.push((row.name, row.value)),
            ("tag", group) => {
                let group = group.as_text().map(str::to_owned);
                let source = row.more.get(2).and_then(Datum::as_text);
                self.tags.push(TagHeld {
                    group,
                    since_us: row.moment(0),
                    until_us: row.moment(1),
                    source: source.map(str::to_owned),
                    name: row.name,
                });
            }
            ("segment", _) => self.segments.push(row.name),
            _ => self.more.push(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(section: &str, name: &str, value: impl Into<Datum>) -> Vec<Datum> {
        vec![section.into(), name.into(), value.into()]
    }

    #[test]
    fn sections_become_fields() -> Result<(), Error> {
        let rows = vec![
            row("user", "key", "u1"),
            row("attribute", "age", 30),
            row("tag", "vip", Datum::Null),
            vec![
                "tag".into(),
                "new".into(),
                "lifecycle".into(),
                Datum::Timestamp(5),
                Datum::Timestamp(9),
                "import".into(),
            ],
            row("rule", "new", "did:login, once"),
            row("segment", "loyal", Datum::Null),
            row("behaviour", "count login", 7),
            row("event", "2026-11-23T10:00:00Z", "login"),
            row("horoscope", "today", "good"),
        ];
        let answer = Answer {
            rows,
            ..Answer::default()
        };
        let portrait = Portrait::read("u1", answer)?.unwrap_or_default();
        assert_eq!(portrait.key, "u1");
        assert_eq!(portrait.attribute("age"), Some(&Datum::Integer(30)));
        assert_eq!(portrait.attribute("city"), None);
        assert!(portrait.holds("vip") && portrait.holds("new") && !portrait.holds("old"));
        assert_eq!(portrait.tags[1].group.as_deref(), Some("lifecycle"));
        assert_eq!(
            (portrait.tags[0].since_us, portrait.tags[0].until_us),
            (None, None)
        );
        assert_eq!(
            (portrait.tags[1].since_us, portrait.tags[1].until_us),
            (Some(5), Some(9))
        );
        assert_eq!(portrait.tags[1].source.as_deref(), Some("import"));
        assert_eq!(portrait.segments, ["loyal"]);
        let texts = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
        assert_eq!(portrait.reasons, texts("new", "did:login, once"));
        let figures = [("count login".to_owned(), Datum::Integer(7))];
        assert_eq!(portrait.behaviour, figures);
        assert_eq!(portrait.events, texts("2026-11-23T10:00:00Z", "login"));
        assert_eq!(portrait.more.len(), 1);
        Ok(())
    }

    #[test]
    fn no_rows_are_no_user_and_odd_rows_an_error() {
        assert!(matches!(Portrait::read("u1", Answer::default()), Ok(None)));
        let answer = Answer {
            rows: vec![vec![Datum::Null]],
            ..Answer::default()
        };
        assert!(matches!(
            Portrait::read("u1", answer),
            Err(Error::Unexpected(_))
        ));
    }
}

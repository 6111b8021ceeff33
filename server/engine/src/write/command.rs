//! Commands: what the writer applies, by id, without names, clocks or choices.
//!
//! A command is what a log would carry to a replica: serialisable, and applying it to the same
//! state gives the same state. Variants and fields are written in their order here: add at the
//! end, never reorder; a changed meaning is a new variant.

use bincode::{Decode, Encode};

use crate::{
    ids::{AttributeId, EventId, TagId, UserId, ValueCode},
    storage::{EventDetails, SchemaKey, StoredDefinition, StoredValue},
    write::{
        holdings::HoldTerms,
        load::{EventRows, LoadRows},
        tag_notes::TagNotes,
    },
};

/// One step of one partition, or of the definitions. Takes one place in the partition's order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Command {
    /// Changes of users of one partition, in this order.
    Users {
        /// The time of the request, in microseconds since 1970-01-01T00:00:00Z.
        at_us: i64,
        /// What to do.
        commands: Vec<UserCommand>,
    },
    /// Changes of the definitions, which come before changes of users that need them.
    Schema {
        /// The time of the request, in microseconds since 1970-01-01T00:00:00Z.
        at_us: i64,
        /// What to do.
        changes: Vec<SchemaChange>,
    },
    /// Rows of users of one partition, in this order.
    Load {
        /// The time of the request, in microseconds since 1970-01-01T00:00:00Z.
        at_us: i64,
        /// What the users get.
        rows: LoadRows,
    },
    /// Events of a kind of early months are forgotten in one partition.
    ForgetEvents {
        /// The time of the request, in microseconds since 1970-01-01T00:00:00Z.
        at_us: i64,
        /// The kind.
        event: EventId,
        /// Months before this one, counted from January 1970.
        before: i32,
    },
    /// Events of a kind of early months lie together by month in one partition.
    RollUpEvents {
        /// The time of the request, in microseconds since 1970-01-01T00:00:00Z.
        at_us: i64,
        /// The kind.
        event: EventId,
        /// Months before this one, counted from January 1970.
        before: i32,
    },
    /// Holdings of users of one partition that ended long ago are forgotten.
    Sweep {
        /// The time of the request, in microseconds since 1970-01-01T00:00:00Z.
        at_us: i64,
        /// Those that ended at this second, counted from 1970-01-01T00:00:00Z, or before.
        ended_by_s: i64,
        /// Whose, as far as they still live.
        users: Vec<UserId>,
    },
    /// Events of a kind of users of one partition, in this order.
    LoadEvents {
        /// The time of the request, in microseconds since 1970-01-01T00:00:00Z.
        at_us: i64,
        /// What the users did.
        rows: EventRows,
    },
    /// Who holds a tag in one partition holds another in its place. The tag's definition is
    /// dropped by a command that follows.
    MergeTag {
        /// The time of the request, in microseconds since 1970-01-01T00:00:00Z.
        at_us: i64,
        /// The tag that goes.
        from: TagId,
        /// The one that stays.
        into: TagId,
    },
    /// How large tags are on a day. Belongs to all partitions, as definitions do.
    NoteTags {
        /// The time of the request, in microseconds since 1970-01-01T00:00:00Z.
        at_us: i64,
        /// What is noted.
        notes: TagNotes,
    },
}

impl Command {
    /// How many steps it takes, one after the other.
    pub(crate) fn step_count(&self) -> usize {
        match self {
            Self::Users { at_us: _, commands } => commands.len(),
            Self::Schema { at_us: _, changes } => changes.len(),
            Self::Load { at_us: _, rows } => rows.keys.len(),
            Self::LoadEvents { at_us: _, rows } => rows.len(),
            Self::Sweep { users, .. } => users.len(),
            Self::ForgetEvents { .. }
            | Self::RollUpEvents { .. }
            | Self::MergeTag { .. }
            | Self::NoteTags { .. } => 1,
        }
    }
}

/// One change of one user.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum UserCommand {
    /// The user exists.
    Ensure {
        /// Who.
        key: String,
    },
    /// The user holds these tags, and of exclusive groups only the last of these.
    Tag {
        /// Who.
        key: String,
        /// Which.
        tags: Vec<TagId>,
    },
    /// The user, if there is one, does not hold these tags.
    Untag {
        /// Who.
        key: String,
        /// Which.
        tags: Vec<TagId>,
    },
    /// The user has these values; `None` for none.
    Set {
        /// Who.
        key: String,
        /// What.
        values: Vec<(AttributeId, Option<StoredValue>)>,
    },
    /// The user's multi attribute has these values too. Sorted, each once.
    Add {
        /// Who.
        key: String,
        /// Which attribute.
        attribute: AttributeId,
        /// Which values.
        codes: Vec<ValueCode>,
    },
    /// The multi attribute of the user, if there is one, does not have these values.
    Remove {
        /// Who.
        key: String,
        /// Which attribute.
        attribute: AttributeId,
        /// Which values.
        codes: Vec<ValueCode>,
    },
    /// The user does not exist. A later user with the key is another one.
    Delete {
        /// Who.
        key: String,
    },
    /// Nobody in the partition refers to this user, who may live in another partition.
    Forget {
        /// Who.
        key: String,
    },
    /// The user did something, unless an event of the user has this id already.
    Track {
        /// Who.
        key: String,
        /// What.
        event: EventId,
        /// When, in microseconds since 1970-01-01T00:00:00Z.
        time_us: i64,
        /// The rest.
        details: EventDetails,
    },
    /// The user holds these tags on these terms, and of exclusive groups only the last of these.
    Hold {
        /// Who.
        key: String,
        /// Which.
        tags: Vec<TagId>,
        /// How.
        terms: HoldTerms,
    },
    /// Nothing is known of these tags of the user, if there is one: neither that they were given
    /// nor that they were taken.
    Clear {
        /// Who.
        key: String,
        /// Which.
        tags: Vec<TagId>,
    },
}

impl UserCommand {
    /// The same of another user.
    pub(crate) fn of_user(&self, other: &str) -> Self {
        let mut command = self.clone();
        let (Self::Ensure { key }
        | Self::Tag { key, .. }
        | Self::Untag { key, .. }
        | Self::Set { key, .. }
        | Self::Add { key, .. }
        | Self::Remove { key, .. }
        | Self::Delete { key }
        | Self::Forget { key }
        | Self::Track { key, .. }
        | Self::Hold { key, .. }
        | Self::Clear { key, .. }) = &mut command;
        other.clone_into(key);
        command
    }
}

/// One change of the definitions.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum SchemaChange {
    /// A definition or a value is added or replaced.
    Put {
        /// Which.
        key: SchemaKey,
        /// What it says.
        definition: StoredDefinition,
    },
    /// A definition is taken away, with everything held of it. Never a value.
    Drop {
        /// Which.
        key: SchemaKey,
    },
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use std::{fmt::Write, sync::Arc};

    use super::*;
    use crate::{
        storage::{Source, StoredNotes},
        time::{Length, LengthUnit},
        write::{holdings::HoldEnd, load::RowColumn},
    };

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/commands.txt");

    fn user_commands() -> Vec<UserCommand> {
        let key = || "u1".to_owned();
        let values = vec![
            (AttributeId(3), Some(StoredValue::Number(-7))),
            (AttributeId(300), None),
        ];
        vec![
            UserCommand::Ensure { key: key() },
            UserCommand::Tag {
                key: key(),
                tags: vec![TagId(1), TagId(70_000)],
            },
            UserCommand::Untag {
                key: key(),
                tags: vec![TagId(2)],
            },
            UserCommand::Set { key: key(), values },
            UserCommand::Add {
                key: key(),
                attribute: AttributeId(4),
                codes: vec![ValueCode(0)],
            },
            UserCommand::Remove {
                key: key(),
                attribute: AttributeId(4),
                codes: vec![ValueCode(5)],
            },
            UserCommand::Delete { key: key() },
            UserCommand::Forget { key: key() },
            UserCommand::Track {
                key: key(),
                event: EventId(3),
                time_us: 1_700_000_000_000_000,
                details: EventDetails {
                    id: Some("e-1".to_owned()),
                    values: vec![
                        (AttributeId(7), StoredValue::Number(1250)),
                        (AttributeId(8), StoredValue::Text("é".to_owned())),
                    ],
                },
            },
            UserCommand::Hold {
                key: key(),
                tags: vec![TagId(1)],
                terms: HoldTerms {
                    since_s: Some(1_700_000_000),
                    end: HoldEnd::After(Length {
                        amount: 30,
                        unit: LengthUnit::Day,
                    }),
                    source: Source::Model,
                },
            },
            UserCommand::Hold {
                key: key(),
                tags: vec![TagId(1)],
                terms: HoldTerms {
                    since_s: None,
                    end: HoldEnd::At(1_700_000_001),
                    source: Source::Import,
                },
            },
            UserCommand::Clear {
                key: key(),
                tags: vec![TagId(70_000)],
            },
        ]
    }

    fn load() -> Command {
        let values = vec![Some(StoredValue::Code(ValueCode(1))), None];
        let columns = vec![
            RowColumn::Values {
                attribute: AttributeId(3),
                values: Arc::new(values),
                codes: vec![1, 2],
            },
            RowColumn::Numbers {
                attribute: AttributeId(4),
                rows: vec![1],
                numbers: vec![-7],
            },
            RowColumn::Tags {
                ends: vec![0, 2],
                tags: vec![TagId(1), TagId(70_000)],
            },
            RowColumn::Added {
                attribute: AttributeId(5),
                ends: vec![2, 2],
                codes: vec![ValueCode(0), ValueCode(300)],
            },
            RowColumn::Taken {
                ends: vec![1, 1],
                tags: vec![TagId(2)],
            },
        ];
        Command::Load {
            at_us: 1_700_000_000_000_000,
            rows: LoadRows {
                keys: ["u1", "u2"].into_iter().collect(),
                columns,
            },
        }
    }

    fn load_of_events() -> Command {
        let values = RowColumn::Values {
            attribute: AttributeId(8),
            values: Arc::new(vec![Some(StoredValue::Code(ValueCode(1)))]),
            codes: vec![1, 0],
        };
        Command::LoadEvents {
            at_us: 1_700_000_000_000_000,
            rows: EventRows {
                event: EventId(3),
                keys: ["u1", "u2"].into_iter().collect(),
                of: vec![1, 0],
                times_us: vec![-1, 1_600_000_000_000_000],
                ids: Some(["", "e-1"].into_iter().collect()),
                columns: vec![values],
            },
        }
    }

    fn examples() -> Vec<Command> {
        let at_us = 1_700_000_000_000_000;
        let notes = StoredNotes {
            description: None,
            owner: None,
        };
        let definition = StoredDefinition::Tag {
            name: "vip".to_owned(),
            group: None,
            notes,
        };
        let put = SchemaChange::Put {
            key: SchemaKey::Tag(TagId(9)),
            definition,
        };
        let drop = SchemaChange::Drop {
            key: SchemaKey::Attribute(AttributeId(2)),
        };
        let users = user_commands().into_iter().map(|command| Command::Users {
            at_us,
            commands: vec![command],
        });
        users
            .chain([Command::Schema {
                at_us,
                changes: vec![put, drop],
            }])
            .chain([load()])
            .chain([
                Command::ForgetEvents {
                    at_us,
                    event: EventId(3),
                    before: 650,
                },
                Command::RollUpEvents {
                    at_us,
                    event: EventId(3),
                    before: -1,
                },
            ])
            .chain([Command::Sweep {
                at_us,
                ended_by_s: 1_600_000_000,
                users: vec![UserId(1), UserId(70_000)],
            }])
            .chain([load_of_events()])
            .chain([Command::MergeTag {
                at_us,
                from: TagId(3),
                into: TagId(70_000),
            }])
            .chain([Command::NoteTags {
                at_us,
                notes: TagNotes {
                    day: 19_675,
                    sizes: vec![(TagId(1), 300)],
                    asked: vec![(TagId(1), 19_674)],
                    forget_before: -1,
                },
            }])
            .collect()
    }

    /// A difference means that a log of commands would be read differently. `TESSERA_BLESS=1`
    /// writes the file anew.
    #[test]
    fn bytes_are_what_they_were() {
        let mut sheet = String::new();
        for command in examples() {
            let bytes = bincode::encode_to_vec(&command, bincode::config::standard()).unwrap();
            let (again, read) =
                bincode::decode_from_slice(&bytes, bincode::config::standard()).unwrap();
            assert_eq!((&command, bytes.len()), (&again, read));
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(sheet, "{command:?}\n  {hex}").unwrap();
        }
        if std::env::var_os("TESSERA_BLESS").is_some() {
            std::fs::write(FILE, &sheet).unwrap();
        }
        assert_eq!(
            sheet,
            std::fs::read_to_string(FILE).unwrap(),
            "the commands have changed"
        );
    }
}

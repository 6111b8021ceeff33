//! Commands: what the writer applies, by id, without names, clocks or choices.
//!
//! A command is what a log would carry to a replica: serialisable, and applying it to the same
//! state gives the same state. Variants and fields are written in their order here: add at the
//! end, never reorder; a changed meaning is a new variant.

use bincode::{Decode, Encode};

use crate::{
    ids::{AttributeId, TagId, ValueCode},
    storage::{SchemaKey, StoredDefinition, StoredValue},
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

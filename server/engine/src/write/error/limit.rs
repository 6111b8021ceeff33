//! The limits of requests, users and definitions that a write or a change would exceed.
//!
//! Knows what is said when a limit is reached. Does not know how much the limits are: whoever
//! counts tells.

/// A limit that a request would exceed. Nothing of the request was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many mutations.
    #[error("a request has at most {max} mutations, this one has {found}")]
    Mutations {
        /// How many there are.
        found: usize,
        /// The limit.
        max: u32,
    },
    /// Too many rows.
    #[error("a load has at most {max} rows, this one has {found}")]
    Rows {
        /// How many there are.
        found: usize,
        /// The limit.
        max: u32,
    },
    /// Too many bytes.
    #[error("a request has at most {max} bytes of keys, names and values")]
    RequestBytes {
        /// The limit.
        max: u64,
    },
    /// A `WHERE` that finds too many users.
    #[error("a statement writes at most {max} users at once, this WHERE finds {found}")]
    WhereUsers {
        /// How many users it finds.
        found: u64,
        /// The limit.
        max: u32,
    },
    /// Too many tags of one user.
    #[error("a user holds at most {max} tags, {user:?} would hold more")]
    UserTags {
        /// The user's key.
        user: String,
        /// The limit.
        max: u32,
    },
    /// Too many values of one multi attribute of one user.
    #[error(
        "a multi attribute has at most {max} values, {attribute} of user {user:?} would have more"
    )]
    UserValues {
        /// The user's key.
        user: String,
        /// The attribute.
        attribute: String,
        /// The limit.
        max: u32,
    },
    /// Too many users above one who is given an inviter.
    #[error("at most {max} users can stand above one another, above {user:?} there would be more")]
    Inviters {
        /// The user's key.
        user: String,
        /// The limit.
        max: usize,
    },
    /// Too many distinct values of one attribute.
    #[error("an attribute has at most {max} distinct values, {attribute} would have more")]
    AttributeValues {
        /// The attribute.
        attribute: String,
        /// The limit.
        max: u32,
    },
    /// Too many definitions of a kind.
    #[error("there can be at most {max} {kind}")]
    Definitions {
        /// The kind, in plural.
        kind: &'static str,
        /// The limit.
        max: u32,
    },
    /// A description or an owner that is too long.
    #[error("{what} has at most {max} bytes, this one has {found}")]
    NoteBytes {
        /// Which of the two.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Too many tags in one group.
    #[error("a group has at most {max} tags, {group} would have more")]
    GroupTags {
        /// The group.
        group: String,
        /// The limit.
        max: u32,
    },
    /// A merge of a tag with too many holders.
    #[error("a tag with at most {max} holders can be merged, this one has {found}")]
    MergedUsers {
        /// How many there are.
        found: u64,
        /// The limit.
        max: u32,
    },
    /// A partition whose user ids are used up.
    #[error("partition {partition} has no user ids left")]
    UserIds {
        /// The partition.
        partition: u16,
    },
}

//! How much one query may take, and which errors say that it would take more.
//!
//! Knows numbers. Whoever grows something checks it.

/// Limits of queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Groups of one `DIMENSION`.
    pub groups_max: usize,
    /// Bytes that the groups of one `DIMENSION` may take, about, over all threads.
    pub group_bytes_max: usize,
    /// Users that one `SEGMENT … ORDER BY` may hold at once.
    pub ordered_users_max: usize,
    /// Bytes that the users of one `SEGMENT … ORDER BY` may take with what they are ordered by,
    /// about, over all threads.
    pub ordered_bytes_max: usize,
    /// Bytes that one question about behaviour may take for what it notes of users, about, over
    /// all threads; and those that all questions about inviters of one expression may take.
    pub behaviour_bytes_max: usize,
    /// Cursors open at once; the longest unused gives way to a new one.
    pub cursors_max: usize,
    /// How long an unused cursor lives, in milliseconds.
    pub cursor_idle_ms: u64,
    /// Leaves after globs, groups and saved segments are expanded.
    pub leaves_max: usize,
    /// Levels of the tree after saved segments are expanded.
    pub depth_max: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            groups_max: 1_000_000,
            group_bytes_max: 1 << 30,
            ordered_users_max: 1_000_000,
            ordered_bytes_max: 1 << 30,
            behaviour_bytes_max: 1 << 30,
            cursors_max: 256,
            cursor_idle_ms: 5 * 60 * 1000,
            leaves_max: 100_000,
            depth_max: 250,
        }
    }
}

/// A query that would take more than it may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryLimitError {
    /// Too many combinations.
    #[error(
        "a DIMENSION has at most {max} groups, this one has more: use fewer dims, bands, or a narrower WHERE"
    )]
    Groups {
        /// The limit.
        max: usize,
    },
    /// Too much memory for groups.
    #[error("the groups of this DIMENSION need more than {max} bytes: use fewer dims or measures")]
    GroupBytes {
        /// The limit.
        max: usize,
    },
    /// Too much memory for a question about behaviour.
    #[error("this question about behaviour needs more than {max} bytes: use a shorter window")]
    BehaviourBytes {
        /// The limit.
        max: usize,
    },
    /// Too much memory for questions about inviters.
    #[error("the questions about inviters need more than {max} bytes: ask fewer at once")]
    ReferralBytes {
        /// The limit.
        max: usize,
    },
    /// Too many users to order at once.
    #[error(
        "ORDER BY holds at most {max} users at once: add a LIMIT and follow the cursor, or leave the order out"
    )]
    OrderedUsers {
        /// The limit.
        max: usize,
    },
    /// Too much memory for users to order.
    #[error(
        "the users of this ORDER BY need more than {max} bytes: use a smaller LIMIT, fewer or shorter fields to order by, or leave the order out"
    )]
    OrderedBytes {
        /// The limit.
        max: usize,
    },
}

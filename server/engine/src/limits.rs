//! How much the engine takes. Whatever comes from outside has a limit here, or in the parser.
//!
//! Knows numbers. Does not know who checks them.

use crate::{exec::limits::QueryLimits, schema::Naming};

/// The longest user key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 256;
/// The longest value of an enum or multi attribute, in bytes of UTF-8 after normalisation.
pub const VALUE_BYTES_MAX: usize = 256;
/// The longest value of a text attribute, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 4096;
/// The longest id of an event, in bytes of UTF-8.
pub const EVENT_ID_BYTES_MAX: usize = 256;
/// The longest description of a definition, in bytes of UTF-8.
pub const DESCRIPTION_BYTES_MAX: usize = 4096;
/// The longest owner of a definition, in bytes of UTF-8.
pub const OWNER_BYTES_MAX: usize = 256;

/// Limits that an operator may move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Mutations in one write request.
    pub mutations_max: u32,
    /// Bytes of keys, names and values in one write request.
    pub request_bytes_max: u64,
    /// Users that one `WHERE` of a writing statement may find.
    pub where_users_max: u32,
    /// Tags one user may hold.
    pub user_tags_max: u32,
    /// Values that one multi attribute of one user may have.
    pub user_values_max: u32,
    /// Distinct values that one enum or multi attribute may have.
    pub attribute_values_max: u32,
    /// Defined tags.
    pub tags_max: u32,
    /// Tags that stand in one group itself.
    pub group_tags_max: u32,
    /// What is asked of new names of tags, groups and attributes.
    pub naming: Naming,
    /// Defined tag groups.
    pub groups_max: u32,
    /// Defined attributes.
    pub attributes_max: u32,
    /// Saved segments.
    pub segments_max: u32,
    /// Defined kinds of events.
    pub events_max: u32,
    /// Defined forms.
    pub forms_max: u32,
    /// Properties that one kind of event may have.
    pub event_properties_max: u32,
    /// How much later than the moment of its request an event may be, in seconds: clocks differ.
    pub event_future_seconds_max: u32,
    /// How many days, at least, events lie by day before they are put together by month.
    pub event_days_max: u32,
    /// Write requests that wait for the writer before further ones block, or are refused where
    /// they may not block.
    pub queue_requests_max: u32,
    /// Bytes of requests that share one commit, the last request not counted.
    pub commit_bytes_max: u64,
    /// Idempotency keys that are remembered; the oldest are forgotten first.
    pub idempotency_keys_max: u32,
    /// How long an idempotency key is remembered, in seconds.
    pub idempotency_seconds: u32,
    /// How long a holding is kept after it ended, in days: as far back as `lapsed` can look.
    pub ended_holdings_days: u32,
    /// How long the sizes of tags on past days are kept, in days.
    pub tag_sizes_days: u32,
    /// Holders that a tag may have to be merged into another.
    pub merged_users_max: u32,
    /// What one query may take.
    pub queries: QueryLimits,
    /// What a statement's text may ask of the parser.
    pub text: tessera_query_lang::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mutations_max: 100_000,
            request_bytes_max: 64 << 20,
            where_users_max: 1_000_000,
            user_tags_max: 10_000,
            user_values_max: 10_000,
            attribute_values_max: 65_536,
            tags_max: 1_000_000,
            group_tags_max: 1_000_000,
            naming: Naming::default(),
            groups_max: 65_536,
            attributes_max: 4_096,
            segments_max: 65_536,
            events_max: 1_024,
            forms_max: 1_024,
            event_properties_max: 64,
            event_future_seconds_max: 60 * 60,
            event_days_max: 400,
            queue_requests_max: 1_024,
            commit_bytes_max: 4 << 20,
            idempotency_keys_max: 100_000,
            idempotency_seconds: 24 * 60 * 60,
            ended_holdings_days: 400,
            tag_sizes_days: 800,
            merged_users_max: 20_000_000,
            queries: QueryLimits::default(),
            text: tessera_query_lang::Limits::default(),
        }
    }
}

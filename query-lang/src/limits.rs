//! How much a text may ask of the parser.
//!
//! Knows the limits and their defaults. Does not know where they are configured.

/// What bounds a text. A text beyond a limit is an error, never a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest text, in bytes.
    pub text_bytes_max: usize,
    /// The deepest nesting: each open parenthesis, `NOT` and `AT LEAST` around a place is one
    /// level. Up to the default of 100, a thread with a stack of 2 MiB is enough.
    pub depth_max: usize,
    /// The most leaves of a statement. A leaf is whatever is not `AND`, `OR`, `NOT` or
    /// `AT LEAST`; in a list such as `city:(paris, rome)` each value is one.
    pub leaves_max: usize,
    /// The longest list between commas: keys, tags, fields, dims, measures, values.
    pub list_len_max: usize,
    /// The most steps of a `sequence`.
    pub steps_max: usize,
    /// The most properties of an event, and the most fields of a form.
    pub fields_max: usize,
    /// The most layers of a tag group.
    pub layers_max: usize,
    /// The most steps of `descendants_of`.
    pub descent_max: u32,
}

impl Limits {
    /// The value of a limit.
    pub fn max(&self, limit: Limit) -> usize {
        match limit {
            Limit::TextBytes => self.text_bytes_max,
            Limit::Depth => self.depth_max,
            Limit::Leaves => self.leaves_max,
            Limit::ListLength => self.list_len_max,
            Limit::Steps => self.steps_max,
            Limit::Fields => self.fields_max,
            Limit::Layers => self.layers_max,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes_max: 256 * 1024,
            depth_max: 100,
            leaves_max: 10_000,
            list_len_max: 10_000,
            steps_max: 16,
            fields_max: 100,
            layers_max: 100,
            descent_max: 10,
        }
    }
}

/// One of the [`Limits`], as an error names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::text_bytes_max`]
    TextBytes,
    /// [`Limits::depth_max`]
    Depth,
    /// [`Limits::leaves_max`]
    Leaves,
    /// [`Limits::list_len_max`]
    ListLength,
    /// [`Limits::steps_max`]
    Steps,
    /// [`Limits::fields_max`]
    Fields,
    /// [`Limits::layers_max`]
    Layers,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TextBytes => "bytes of text",
            Self::Depth => "levels of nesting",
            Self::Leaves => "leaves in its expressions",
            Self::ListLength => "entries in a list",
            Self::Steps => "steps in a sequence",
            Self::Fields => "properties or fields",
            Self::Layers => "layers of a tag group",
        })
    }
}

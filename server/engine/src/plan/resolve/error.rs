//! Why a well-formed statement means nothing here.

use tessera_query_lang::{
    ParseError, ast::Span, keywords::Place, print::NameIn, suggest::did_you_mean,
};

/// What kind of thing a name should have named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedKind {
    /// A tag.
    Tag,
    /// A tag group.
    Group,
    /// An attribute.
    Attribute,
    /// A saved segment.
    Segment,
    /// A value of this enum or multi attribute.
    ValueOf(String),
    /// A kind of event.
    Event,
    /// A property of this kind of event.
    PropertyOf(String),
    /// One of the dims of the statement.
    Dim,
}

impl std::fmt::Display for NamedKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag => f.write_str("tag"),
            Self::Group => f.write_str("tag group"),
            Self::Attribute => f.write_str("attribute"),
            Self::Segment => f.write_str("saved segment"),
            Self::ValueOf(attribute) => write!(f, "value of {attribute}"),
            Self::Event => f.write_str("event"),
            Self::PropertyOf(event) => write!(f, "property of {event}"),
            Self::Dim => f.write_str("dim of this statement"),
        }
    }
}

impl NamedKind {
    /// What to do when nothing of the name is near: where the defined ones are listed, and how
    /// another one is added.
    fn how_to_define(&self, name: &str) -> Option<String> {
        let name = NameIn(Place::Definition, name);
        match self {
            Self::Tag => Some(format!(
                "SHOW TAGS lists the tags, DEFINE TAG {name} adds this one"
            )),
            Self::Group => Some(format!(
                "SHOW GROUPS lists the tag groups, DEFINE GROUP {name} adds this one"
            )),
            Self::Attribute => {
                Some("SHOW ATTRIBUTES lists the attributes, DEFINE ATTRIBUTE adds one".to_owned())
            }
            Self::Segment => Some(format!(
                "SHOW SEGMENTS lists the saved segments, SAVE SEGMENT {name} AS … adds this one"
            )),
            Self::ValueOf(attribute) => {
                let attribute = NameIn(Place::Plain, attribute);
                Some(format!("SHOW VALUES OF {attribute} lists them"))
            }
            Self::Event => Some(format!(
                "SHOW EVENTS lists the events, DEFINE EVENT {name} adds this one"
            )),
            Self::PropertyOf(event) => {
                let event = NameIn(Place::Plain, event);
                Some(format!("ALTER EVENT {event} ADD PROPERTIES adds one"))
            }
            Self::Dim => None,
        }
    }
}

/// What a program does about a [`ResolveError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolveErrorKind {
    /// A name is not defined, or a parameter has no value.
    UnknownName,
    /// A value or an operation does not fit the type.
    TypeMismatch,
    /// A limit would be exceeded.
    LimitExceeded,
    /// Saved segments contradict each other.
    Conflict,
    /// Part of the language, not of this version.
    NotAvailableYet,
}

/// Why a well-formed statement means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No such definition.
    #[error("there is no {kind} named \"{name}\"")]
    UnknownName {
        /// What it should have been.
        kind: NamedKind,
        /// The name as written.
        name: String,
        /// Where.
        span: Span,
        /// The nearest defined names.
        suggestions: Vec<String>,
    },
    /// A glob over tags that matches none.
    #[error("no tag matches {glob}")]
    NoTagMatches {
        /// The glob.
        glob: String,
        /// Where.
        span: Span,
    },
    /// A value or an operation that does not fit.
    #[error("{message}")]
    TypeMismatch {
        /// What was expected and what was found.
        message: String,
        /// Where.
        span: Span,
    },
    /// A parameter without a value.
    #[error("the parameter ${name} has no value")]
    MissingParameter {
        /// Its name or number.
        name: String,
        /// Where it is used.
        span: Span,
    },
    /// A value for a parameter that the statement does not use.
    #[error("the statement has no parameter ${name}")]
    UnusedParameter {
        /// Its name or number.
        name: String,
    },
    /// Two values for one parameter.
    #[error("the parameter ${name} has two values")]
    RepeatedParameter {
        /// Its name or number.
        name: String,
    },
    /// Saved segments, rules and groups that mean each other.
    #[error("these definitions contain themselves: {way}")]
    Cycle {
        /// The way around, as `tag:a -> segment:b -> tag:a`.
        way: String,
        /// Where it is entered.
        span: Span,
    },
    /// A rule that does not resolve any more.
    #[error("in the rule of {name}: {source}")]
    InRule {
        /// Whose rule, as `tag:a`.
        name: String,
        /// Where it is used.
        span: Span,
        /// What is wrong in it.
        source: Box<ResolveError>,
    },
    /// A rule whose text this version cannot read.
    #[error("in the rule of {name}: {source}")]
    UnreadableRule {
        /// Whose rule, as `tag:a`.
        name: String,
        /// Where it is used.
        span: Span,
        /// What is wrong in it.
        source: ParseError,
    },
    /// Users who could not be ranked.
    #[error("the users cannot be ranked here")]
    Unranked {
        /// Where that was asked.
        span: Span,
    },
    /// A saved segment that does not resolve any more.
    #[error("in the saved segment \"{name}\": {source}")]
    InSegment {
        /// The segment.
        name: String,
        /// Where it is used.
        span: Span,
        /// What is wrong in it.
        source: Box<ResolveError>,
    },
    /// A saved segment whose text this version cannot read.
    #[error("in the saved segment \"{name}\": {source}")]
    UnreadableSegment {
        /// The segment.
        name: String,
        /// Where it is used.
        span: Span,
        /// What is wrong in it.
        source: ParseError,
    },
    /// More than a limit allows.
    #[error("this has more than {max} {what}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The limit.
        max: u64,
        /// Where the limit was passed.
        span: Span,
    },
}

impl ResolveError {
    /// What a program does about it.
    pub fn kind(&self) -> ResolveErrorKind {
        match self {
            Self::UnknownName { .. }
            | Self::NoTagMatches { .. }
            | Self::MissingParameter { .. } => ResolveErrorKind::UnknownName,
            Self::TypeMismatch { .. }
            | Self::UnusedParameter { .. }
            | Self::RepeatedParameter { .. } => ResolveErrorKind::TypeMismatch,
            Self::Cycle { .. } | Self::UnreadableSegment { .. } | Self::UnreadableRule { .. } => {
                ResolveErrorKind::Conflict
            }
            Self::InSegment { source, .. } | Self::InRule { source, .. } => source.kind(),
            Self::Unranked { .. } => ResolveErrorKind::NotAvailableYet,
            Self::TooMany { .. } => ResolveErrorKind::LimitExceeded,
        }
    }

    /// The place in the statement's text, where there is one.
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::UnknownName { span, .. }
            | Self::NoTagMatches { span, .. }
            | Self::TypeMismatch { span, .. }
            | Self::MissingParameter { span, .. }
            | Self::Cycle { span, .. }
            | Self::InRule { span, .. }
            | Self::UnreadableRule { span, .. }
            | Self::Unranked { span }
            | Self::InSegment { span, .. }
            | Self::UnreadableSegment { span, .. }
            | Self::TooMany { span, .. } => Some(*span).filter(|span| *span != Span::default()),
            Self::UnusedParameter { .. } | Self::RepeatedParameter { .. } => None,
        }
    }

    /// What to do about it, where that can be guessed.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownName {
                kind,
                name,
                suggestions,
                ..
            } => did_you_mean(suggestions).or_else(|| kind.how_to_define(name)),
            Self::InSegment { source, .. } | Self::InRule { source, .. } => source.hint(),
            Self::NoTagMatches { .. }
            | Self::TypeMismatch { .. }
            | Self::MissingParameter { .. }
            | Self::UnusedParameter { .. }
            | Self::RepeatedParameter { .. }
            | Self::Cycle { .. }
            | Self::UnreadableRule { .. }
            | Self::Unranked { .. }
            | Self::UnreadableSegment { .. }
            | Self::TooMany { .. } => None,
        }
    }

    /// The error of a definition in which this one came up: of a chain of definitions the first
    /// and the last are told, however many are between, and a way around is told as it is.
    pub(super) fn within(self, span: Span, of: impl FnOnce(Box<Self>) -> Self) -> Self {
        if let Self::Cycle { way, .. } = self {
            return Self::Cycle { way, span };
        }
        if matches!(self, Self::Unranked { .. }) {
            return self;
        }
        of(self.without_middle())
    }

    fn without_middle(self) -> Box<Self> {
        let (Self::InSegment { ref source, .. } | Self::InRule { ref source, .. }) = self else {
            return Box::new(self);
        };
        match **source {
            Self::InSegment { .. } | Self::InRule { .. } => source.clone(),
            Self::UnknownName { .. }
            | Self::NoTagMatches { .. }
            | Self::TypeMismatch { .. }
            | Self::MissingParameter { .. }
            | Self::UnusedParameter { .. }
            | Self::RepeatedParameter { .. }
            | Self::Cycle { .. }
            | Self::UnreadableRule { .. }
            | Self::Unranked { .. }
            | Self::UnreadableSegment { .. }
            | Self::TooMany { .. } => Box::new(self),
        }
    }

    pub(crate) fn mismatch(message: impl Into<String>, span: Span) -> Self {
        Self::TypeMismatch {
            message: message.into(),
            span,
        }
    }
}

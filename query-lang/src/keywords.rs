//! The words of the language, by the place where they mean something.
//!
//! Keywords are case-insensitive and reserved only where a name could be mistaken for one, so
//! `tag:count` is the tag `count`, and an attribute named `tag` stands in quotes. The parser
//! and the printer read the reserved words from here; a REPL reads the rest for completion.

/// The words a statement begins with.
pub const STATEMENTS: &[&str] = &[
    "ALTER",
    "CLEAR",
    "CLOSE",
    "COUNT",
    "DEFINE",
    "DELETE",
    "DIMENSION",
    "DROP",
    "EXPLAIN",
    "FETCH",
    "LINT",
    "MERGE",
    "PORTRAIT",
    "RENAME",
    "SAVE",
    "SEGMENT",
    "SET",
    "SHOW",
    "SUBMIT",
    "TAG",
    "TRACK",
    "TREND",
    "UNTAG",
    "USAGES",
    "WHY",
];

/// The words an expression may begin with; the lower-case ones with a colon take a name,
/// and those with a parenthesis are functions.
pub const EXPRESSION: &[&str] = &[
    "ALL",
    "AT LEAST",
    "NOT",
    "avg(",
    "count(",
    "days(",
    "descendants_of(",
    "did:",
    "first(",
    "group:",
    "inviter_of(",
    "lapsed(",
    "last(",
    "max(",
    "min(",
    "referred_by(",
    "segment:",
    "sequence(",
    "sum(",
    "tag:",
    "top(",
    "user:",
];

/// The words between the operands of an expression.
pub const CONNECTIVES: &[&str] = &["AND", "OR"];

/// The clauses of `SEGMENT`.
pub const SEGMENT_CLAUSES: &[&str] = &["LIMIT", "ORDER BY", "RETURN", "SAMPLE"];

/// The clauses of `DIMENSION`.
pub const DIMENSION_CLAUSES: &[&str] = &["HAVING", "MEASURE", "ORDER BY", "TOP", "WHERE"];

/// What a measure begins with; percentiles are `p` and a number from 0 to 100.
pub const MEASURES: &[&str] = &[
    "count", "share", "users", "sum(", "avg(", "min(", "max(", "p50(", "count(", "days(", "first(",
    "last(",
];

/// What may be shown.
pub const SHOWN: &[&str] = &[
    "ATTRIBUTES",
    "EVENTS",
    "FORMS",
    "GROUPS",
    "SEGMENTS",
    "STATUS",
    "TAGS",
    "VALUES OF",
];

/// The kinds of definitions.
pub const KINDS: &[&str] = &["ATTRIBUTE", "EVENT", "FORM", "GROUP", "SEGMENT", "TAG"];

/// The types of attributes.
pub const TYPES: &[&str] = &[
    "BOOLEAN",
    "DATE",
    "DECIMAL",
    "ENUM",
    "INTEGER",
    "MULTI",
    "TEXT",
    "TIMESTAMP",
    "USER",
];

/// The units of `signup BY month`.
pub const CALENDAR_UNITS: &[&str] = &["day", "week", "month", "quarter", "year"];

/// Every other word that is a keyword somewhere.
const OTHERS: &[&str] = &[
    "ACTIVE",
    "ADD",
    "ANALYZE",
    "ANNIVERSARY",
    "ARCHIVED",
    "AS",
    "ASC",
    "AT",
    "AVG",
    "BANDS",
    "BY",
    "DEPRECATED",
    "DESC",
    "DESCRIPTION",
    "DRAFT",
    "DYNAMIC",
    "EXCLUSIVE",
    "EXISTS",
    "EXTEND",
    "FALSE",
    "FOR",
    "FROM",
    "ID",
    "IF",
    "IMPORT",
    "IN",
    "INTO",
    "IS",
    "KEY",
    "LAST",
    "LATER",
    "LEAST",
    "LIKE",
    "MANUAL",
    "MAX",
    "MIN",
    "MISSING",
    "MODEL",
    "MUTABLE",
    "NO",
    "OF",
    "ON",
    "ONCE",
    "ORDER",
    "OTHERWISE",
    "OWNER",
    "PERCENTILES",
    "PRESENT",
    "PROPERTIES",
    "REPLACE",
    "REQUIRED",
    "RETAG",
    "RETENTION",
    "RULE",
    "SEED",
    "SETS",
    "SHARED",
    "SINCE",
    "SOURCE",
    "STATIC",
    "SUM",
    "TO",
    "TRUE",
    "UNTIL",
    "VALUES",
    "WITH",
    "WITHIN",
    "WRITE",
    "YEARS",
];

/// Where a name stands, as far as words are reserved there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// After `tag:` or in the list there.
    Tag,
    /// Where nothing else could stand: after `segment:`, `IN GROUP`, `WITH`, in `sum( )`.
    Plain,
    /// An attribute in an expression or an assignment.
    Attribute,
    /// A field in `RETURN` or `ORDER BY` of `SEGMENT`.
    Field,
    /// A dim of `DIMENSION`.
    Dim,
    /// A dim's name in `ORDER BY` of `DIMENSION`.
    DimOrder,
    /// The name being defined, altered or dropped.
    Definition,
    /// A property in a condition on events.
    Property,
    /// The event in `count( )`.
    Counted,
    /// The attribute after `BANDS OF` and `PERCENTILES OF`.
    Quantity,
}

impl Place {
    /// The words, in lower case, that must be quoted here to be names.
    pub fn reserved(self) -> &'static [&'static str] {
        match self {
            Self::Tag => &["like"],
            Self::Plain => &[],
            Self::Attribute => &[
                "all", "and", "at", "did", "group", "not", "or", "segment", "tag", "user",
            ],
            Self::Field => &["key", "tags"],
            Self::Dim => &["did", "group", "tag"],
            Self::DimOrder => &["count", "group", "share", "users"],
            Self::Definition => &["if"],
            Self::Property => &["and", "not", "or"],
            Self::Counted => &["invited"],
            Self::Quantity => &["avg", "count", "days", "first", "last", "max", "min", "sum"],
        }
    }

    /// Whether this word, in any case, must be quoted here to be a name.
    pub fn reserves(self, word: &str) -> bool {
        self.reserved()
            .iter()
            .any(|reserved| reserved.eq_ignore_ascii_case(word))
    }
}

/// Every keyword, as the lists above have it: of several words, or with a colon or a parenthesis.
/// Some are in several lists.
pub fn all() -> impl Iterator<Item = &'static str> {
    let lists = [
        STATEMENTS,
        EXPRESSION,
        CONNECTIVES,
        SEGMENT_CLAUSES,
        DIMENSION_CLAUSES,
        MEASURES,
        SHOWN,
        KINDS,
        TYPES,
        CALENDAR_UNITS,
        OTHERS,
    ];
    lists.into_iter().flatten().copied()
}

/// Whether the word is a keyword anywhere, in any case.
pub fn is_keyword(word: &str) -> bool {
    all().any(|keyword| {
        keyword
            .trim_end_matches([':', '('])
            .eq_ignore_ascii_case(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_keywords_in_any_case() {
        let check = |word: &str, expected: bool| assert_eq!(is_keyword(word), expected, "{word}");
        check("COUNT", true);
        check("count", true);
        check("Sum", true);
        check("user", true);
        check("missing", true);
        check("vip", false);
        check("", false);
    }

    #[test]
    fn words_are_reserved_only_where_they_are_ambiguous() {
        let check = |place: Place, word: &str, expected: bool| {
            assert_eq!(place.reserves(word), expected, "{word} at {place:?}");
        };
        check(Place::Tag, "count", false);
        check(Place::Tag, "LIKE", true);
        check(Place::Attribute, "Tag", true);
        check(Place::Attribute, "count", false);
        check(Place::DimOrder, "count", true);
        check(Place::Plain, "all", false);
    }
}

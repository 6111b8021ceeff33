//! What may come next: completion for a text that is being typed.
//!
//! Knows the grammar, by way of the parser. Does not know which names are defined: it says
//! that a tag's name may stand at a place, and the caller offers the tags.

use crate::error::Expected;
use crate::limits::Limits;
use crate::name::Name;
use crate::parser::expected_after;

/// What may follow a text. A word that is still being typed is left out of the text, because a
/// word that is there is taken for finished: to complete `COUNT ta`, ask what follows `COUNT `.
/// Nothing may follow a text that is wrong already.
///
/// ```
/// use tessera_query_lang::{Expected, NameKind, complete::expected_at_end};
/// assert!(expected_at_end("COUNT tag:").contains(&Expected::Name(NameKind::Tag)));
/// assert!(expected_at_end("COUNT ALL ").contains(&Expected::Keyword("AND")));
/// ```
pub fn expected_at_end(text: &str) -> Vec<Expected> {
    expected_after(text, &Limits::default()).0
}

/// The attribute whose value may follow a text: `city` after `COUNT city:(paris, `.
///
/// ```
/// use tessera_query_lang::complete::attribute_at_end;
/// let attribute = attribute_at_end("COUNT age:18.. AND city:(paris, ");
/// assert_eq!(attribute.as_ref().map(|name| name.as_str()), Some("city"));
/// assert_eq!(attribute_at_end("COUNT city:paris "), None);
/// assert_eq!(attribute_at_end("COUNT city:paris AND did:purchase[category:"), None);
/// assert_eq!(attribute_at_end("TAG WHERE city:paris WITH vip FROM "), None);
/// ```
pub fn attribute_at_end(text: &str) -> Option<Name> {
    let (expected, attribute) = expected_after(text, &Limits::default());
    if expected.contains(&Expected::Value) {
        attribute
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::NameKind;

    #[test]
    fn every_offered_word_leads_on() {
        use crate::keywords::{EXPRESSION, KINDS, MEASURES, SHOWN, STATEMENTS, TYPES};
        let check = |before: &str, words: &[&str]| {
            for word in words {
                let text = format!("{before}{word}");
                assert!(
                    !expected_at_end(&text).is_empty(),
                    "nothing may follow {text}"
                );
            }
        };
        check("", STATEMENTS);
        check("COUNT ", EXPRESSION);
        check("DIMENSION a MEASURE ", MEASURES);
        check("SHOW ", SHOWN);
        check("DROP ", KINDS);
        check("DEFINE ATTRIBUTE a ", TYPES);
    }

    #[test]
    fn the_grammar_says_what_may_follow() {
        let check = |text: &str, expected: &[Expected]| {
            let found = expected_at_end(text);
            for one in expected {
                assert!(found.contains(one), "{text}: {one:?} is not in {found:?}");
            }
            assert!(
                !expected.is_empty() || found.is_empty(),
                "{text}: {found:?}"
            );
        };
        check("", &[Expected::Statement]);
        check("COUNT", &[Expected::Expression]);
        check("COUNT NOT", &[Expected::Expression]);
        check("COUNT tag:vip AND (", &[Expected::Expression]);
        check("COUNT tag:(a,", &[Expected::Name(NameKind::Tag)]);
        check("COUNT segment:", &[Expected::Name(NameKind::Segment)]);
        check(
            "COUNT gender",
            &[
                Expected::Symbol(":"),
                Expected::Comparison,
                Expected::Keyword("IS"),
            ],
        );
        check("COUNT gender:", &[Expected::Value]);
        check(
            "COUNT gender IS",
            &[Expected::Keyword("MISSING"), Expected::Keyword("PRESENT")],
        );
        check(
            "SEGMENT ALL",
            &[
                Expected::Keyword("RETURN"),
                Expected::Keyword("ORDER BY"),
                Expected::Keyword("OR"),
            ],
        );
        check(
            "SEGMENT ALL RETURN",
            &[
                Expected::Keyword("KEY"),
                Expected::Name(NameKind::Attribute),
            ],
        );
        check(
            "DIMENSION",
            &[
                Expected::Keyword("tag"),
                Expected::Name(NameKind::Attribute),
            ],
        );
        check("DIMENSION gender MEASURE", &[Expected::Measure]);
        check("DIMENSION signup BY", &[Expected::Keyword("month")]);
        check(
            "SHOW",
            &[Expected::Keyword("VALUES OF"), Expected::Keyword("TAGS")],
        );
        check("TAG \"u\" WITH", &[Expected::Name(NameKind::Tag)]);
        check("DEFINE ATTRIBUTE x", &[Expected::Keyword("ENUM")]);
        check("COUNT did:", &[Expected::Name(NameKind::Event)]);
        check(
            "COUNT did:purchase[",
            &[Expected::Window, Expected::Name(NameKind::Property)],
        );
        check("COUNT count(", &[Expected::Name(NameKind::Event)]);
        check("COUNT count(purchase,", &[Expected::Window]);
        check(
            "COUNT sequence(a -> b,",
            &[Expected::Keyword("within"), Expected::Window],
        );
        check("COUNT lapsed(", &[Expected::Keyword("tag")]);
        check("COUNT birthday", &[Expected::Keyword("ANNIVERSARY IN")]);
        check("COUNT tag:a[", &[Expected::Keyword("since")]);
        check("COUNT tag:a[source =", &[Expected::Keyword("rule")]);
        check("DEFINE TAG x", &[Expected::Keyword("DYNAMIC")]);
        check("DEFINE GROUP x AS", &[Expected::Keyword("BANDS OF")]);
        check("DEFINE ATTRIBUTE x AS", &[Expected::Keyword("YEARS SINCE")]);
        check("CLEAR", &[Expected::Keyword("TAG")]);
        check("MERGE TAG a", &[Expected::Keyword("INTO")]);
        check("TRACK \"u\"", &[Expected::Name(NameKind::Event)]);
        check("TRACK \"u\" p", &[Expected::Keyword("WITH")]);
        check("WHY \"u\"", &[Expected::Keyword("IN")]);
        check("TREND tag:x LAST", &[Expected::Period]);
        check("SUBMIT FORM", &[Expected::Name(NameKind::Form)]);
        check("DROP", &[Expected::Keyword("EVENT")]);
        check("COUNT COUNT x", &[]);
        check("COUNT 5 AND", &[]);
    }
}

//! What a word that is being typed may become.
//!
//! Knows where words begin, and asks the grammar what may stand there. Does not know which names
//! are defined: [`Names`] does.

use tessera_query_lang::complete::{attribute_at_end, expected_at_end};
use tessera_query_lang::keywords::is_keyword;
use tessera_query_lang::{Expected, NameKind, split_statements};

use super::command::NAMES;

/// What is offered at most.
const OFFERS_MAX: usize = 200;

/// Says which names are defined.
pub(crate) trait Names {
    /// Names of a kind that begin so.
    fn names(&mut self, kind: NameKind, prefix: &str) -> Vec<String>;
    /// Values of an attribute that begin so.
    fn values(&mut self, attribute: &str, prefix: &str) -> Vec<String>;
}

/// What to put in the place of the word before the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offers {
    /// Where the word begins.
    pub(crate) start: usize,
    /// What it may become.
    pub(crate) words: Vec<String>,
}

/// Completes the text before the cursor.
pub(crate) fn complete(text: &str, names: &mut dyn Names) -> Offers {
    if text.trim_start().starts_with('\\') {
        return complete_command(text);
    }
    let statement_start = split_statements(text).rest.start as usize;
    let statement = text.get(statement_start..).unwrap_or_default();
    let word = Word::at_end(statement);
    let before = &statement[..word.start];
    let mut words = Vec::new();
    for expected in expected_at_end(before) {
        words.extend(keywords(&expected, &word));
        words.extend(defined(&expected, before, &word, names));
    }
    words.sort_unstable();
    words.dedup();
    words.truncate(OFFERS_MAX);
    Offers {
        start: statement_start + word.start,
        words,
    }
}

fn complete_command(text: &str) -> Offers {
    let start = text.len() - text.trim_start().len();
    let typed = &text[start..];
    let words = NAMES
        .iter()
        .filter(|name| name.starts_with(typed))
        .map(|name| (*name).to_owned());
    Offers {
        start,
        words: words.collect(),
    }
}

/// The word before the cursor.
struct Word<'a> {
    /// Where it begins, its quote included.
    start: usize,
    /// What is typed of it, without its quote.
    typed: &'a str,
    is_quoted: bool,
}

impl<'a> Word<'a> {
    fn at_end(statement: &'a str) -> Self {
        if let Some(quote) = open_quote(statement) {
            return Self {
                start: quote,
                typed: &statement[quote + 1..],
                is_quoted: true,
            };
        }
        let start = statement
            .char_indices()
            .rev()
            .take_while(|(_, character)| is_word_part(*character))
            .last()
            .map_or(statement.len(), |(at, _)| at);
        Self {
            start,
            typed: &statement[start..],
            is_quoted: false,
        }
    }

    fn begins(&self, candidate: &str) -> bool {
        let mut candidate = candidate.chars().flat_map(char::to_lowercase);
        self.typed
            .chars()
            .flat_map(char::to_lowercase)
            .all(|typed| candidate.next() == Some(typed))
    }
}

fn is_word_part(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '/')
}

/// Where the quote stands that is not closed.
fn open_quote(statement: &str) -> Option<usize> {
    let mut open = None;
    let mut is_escaped = false;
    for (at, character) in statement.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if open.is_some() => is_escaped = true,
            '"' => open = if open.is_some() { None } else { Some(at) },
            _ => {}
        }
    }
    open
}

/// In the case that the word is typed in.
fn keywords(expected: &Expected, word: &Word<'_>) -> Vec<String> {
    if word.is_quoted {
        return Vec::new();
    }
    let is_lower = word.typed.starts_with(|c: char| c.is_lowercase());
    let offered = expected
        .keywords()
        .into_iter()
        .filter(|keyword| word.begins(keyword));
    offered
        .map(|keyword| {
            if is_lower {
                keyword.to_lowercase()
            } else {
                keyword.to_owned()
            }
        })
        .collect()
}

fn defined(
    expected: &Expected,
    before: &str,
    word: &Word<'_>,
    names: &mut dyn Names,
) -> Vec<String> {
    let found = match expected {
        Expected::Name(kind) => names.names(*kind, word.typed),
        Expected::Expression => names.names(NameKind::Attribute, word.typed),
        Expected::Value => match attribute_at_end(before) {
            Some(attribute) => names.values(attribute.as_str(), word.typed),
            None => Vec::new(),
        },
        Expected::Keyword(_)
        | Expected::Symbol(_)
        | Expected::Statement
        | Expected::Measure
        | Expected::Comparison
        | Expected::Window
        | Expected::Period
        | Expected::Key
        | Expected::Cursor
        | Expected::Text
        | Expected::Number
        | Expected::End => Vec::new(),
    };
    found
        .into_iter()
        .filter(|name| word.begins(name))
        .map(|name| as_written(&name, word))
        .collect()
}

/// With quotes where the language wants them, or where they were begun.
fn as_written(name: &str, word: &Word<'_>) -> String {
    let first_fits = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if !word.is_quoted && first_fits && name.chars().all(is_word_part) && !is_keyword(name) {
        return name.to_owned();
    }
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for character in name.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            // A value may hold what would move the cursor: the language's own escapes do not.
            control if control.is_control() => quoted.extend(control.escape_default()),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Names for Fixed {
        fn names(&mut self, kind: NameKind, _: &str) -> Vec<String> {
            let names: &[&str] = match kind {
                NameKind::Tag => &["vip", "vip plus", "count", "高价值"],
                NameKind::Group => &["lifecycle"],
                NameKind::Attribute => &["city", "credit limit"],
                NameKind::Segment => &["loyal"],
                NameKind::Event => &["purchase"],
                NameKind::Form => &["welcome"],
                NameKind::Property | NameKind::Field => &[],
            };
            names.iter().map(|name| (*name).to_owned()).collect()
        }

        fn values(&mut self, attribute: &str, _: &str) -> Vec<String> {
            match attribute {
                "city" => vec![
                    "paris".to_owned(),
                    "rome".to_owned(),
                    "São Paulo".to_owned(),
                ],
                "credit limit" => vec!["high".to_owned()],
                "note" => vec!["a\u{1b}[31m\n".to_owned()],
                _ => Vec::new(),
            }
        }
    }

    fn offers(text: &str) -> (usize, Vec<String>) {
        let offers = complete(text, &mut Fixed);
        (offers.start, offers.words)
    }

    #[test]
    fn the_grammar_decides_what_is_offered() {
        let check = |text: &str, start: usize, expected: &[&str]| {
            assert_eq!(
                offers(text),
                (
                    start,
                    expected.iter().map(|word| (*word).to_owned()).collect()
                ),
                "{text}"
            );
        };
        check("COU", 0, &["COUNT"]);
        check("cou", 0, &["count"]);
        check("COUNT tag:v", 10, &["\"vip plus\"", "vip"]);
        check("COUNT tag:VIP", 10, &["\"vip plus\"", "vip"]);
        check("COUNT tag:\"vip ", 10, &["\"vip plus\""]);
        check("COUNT tag:cou", 10, &["\"count\""]);
        check("COUNT tag:高", 10, &["高价值"]);
        check("COUNT tag:(vip, 高", 16, &["高价值"]);
        check("COUNT city:p", 11, &["paris"]);
        check("COUNT city:s", 11, &["\"São Paulo\""]);
        check("COUNT city:(paris, r", 19, &["rome"]);
        check("COUNT city = r", 13, &["rome"]);
        check("COUNT \"credit limit\":h", 21, &["high"]);
        check("COUNT note:a", 11, &["\"a\\u{1b}[31m\\n\""]);
        check("COUNT segment:l", 14, &["loyal"]);
        check("COUNT ci", 6, &["city"]);
        check("COUNT did:p", 10, &["purchase"]);
        check("COUNT count(p", 12, &["purchase"]);
        check("COUNT did:purchase[city:p", 24, &[]);
        check("COUNT last(purchase) < now AND city:p", 36, &["paris"]);
        check("COUNT top(purchase.city):p", 25, &[]);
        check("DIMENSION tag WHERE city:rome HAVING count >= p", 46, &[]);
        check("COUNT desc", 6, &["descendants_of("]);
        check("COUNT lap", 6, &["lapsed("]);
        check("COUNT seq", 6, &["sequence("]);
        check("COUNT referred_by(tag:v", 22, &["\"vip plus\"", "vip"]);
        check("COUNT birthday ANN", 15, &["ANNIVERSARY IN"]);
        check("COUNT tag:vip[unt", 14, &["until"]);
        check("CLEAR TAG \"u1\" WITH vip", 20, &["\"vip plus\"", "vip"]);
        check("WHY \"u1\" IN tag:高", 16, &["高价值"]);
        check("USAGES EVENT p", 13, &["purchase"]);
        check("DEFINE ATTRIBUTE age AS y", 24, &["years since"]);
        check("DEFINE GROUP x AS PERC", 18, &["PERCENTILES OF"]);
        check("DEFINE GROUP x IN GROUP l", 24, &["lifecycle"]);
        check("TRACK \"u1\" p", 11, &["purchase"]);
        check("SUBMIT FORM w", 12, &["welcome"]);
        check("LINT T", 5, &["TAGS"]);
        check("USAGES SEGMENT l", 15, &["loyal"]);
        check("TREND tag:v", 10, &["\"vip plus\"", "vip"]);
        check("MERGE TAG x INTO v", 17, &["\"vip plus\"", "vip"]);
        check("DEFINE TAG x dyn", 13, &["dynamic"]);
        check("COUNT ALL; COUNT tag:vip AN", 25, &["AND"]);
        check("\\ti", 0, &["\\timing"]);
        check("\\fo", 0, &["\\format", "\\forms"]);
        check("COUNT COUNT x", 12, &[]);
    }

    #[test]
    fn nothing_typed_offers_everything_that_fits() {
        let (_, words) = offers("COUNT ");
        for word in ["ALL", "NOT", "city", "tag:"] {
            assert!(
                words.iter().any(|offered| offered == word),
                "{word}: {words:?}"
            );
        }
    }
}

//! How labels of a database are called: what an operator asks of new names.
//!
//! Names that were given before stay as they are.

use tessera_query_lang::name::{Glob, NAME_BYTES_MAX, Name, NameError};

/// Separates the patterns of which a name has to match one.
const PATTERN_SEPARATOR: char = '|';

/// Rules for new names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// A new tag or group matches one of them; none for any name.
    patterns: Vec<Glob>,
    /// The longest new name of a tag, a group or an attribute, in characters.
    length_max: u32,
}

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labelled {
    /// A tag or a tag group: pattern and length.
    Label,
    /// An attribute: the length only.
    Attribute,
}

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamingError {
    /// Too long.
    #[error("the name {name:?} has {found} characters, and names have at most {max} here")]
    Length {
        /// The name.
        name: String,
        /// Its length.
        found: usize,
        /// The limit.
        max: u32,
    },
    /// Not as names are here.
    #[error("the name {name:?} does not match {patterns}, as names of tags and groups do here")]
    Pattern {
        /// The name.
        name: String,
        /// The patterns.
        patterns: String,
    },
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            patterns: Vec::new(),
            length_max: NAME_BYTES_MAX as u32,
        }
    }
}

impl Naming {
    /// Rules of patterns in which `*` is any run of characters, with `|` between them; an empty
    /// text for none. The length is in characters.
    ///
    /// # Errors
    /// When one of the patterns cannot be one.
    pub fn new(patterns: &str, length_max: u32) -> Result<Self, NameError> {
        let patterns = match patterns.trim() {
            "" => Vec::new(),
            patterns => patterns
                .split(PATTERN_SEPARATOR)
                .map(|pattern| Glob::new(pattern.trim()))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self {
            patterns,
            length_max,
        })
    }

    /// Refuses a new name that breaks the rules.
    ///
    /// # Errors
    /// Says which.
    pub fn check(&self, labelled: Labelled, name: &Name) -> Result<(), NamingError> {
        let found = name.as_str().chars().count();
        if found > self.length_max as usize {
            return Err(NamingError::Length {
                name: name.to_string(),
                found,
                max: self.length_max,
            });
        }
        let matches = |pattern: &Glob| pattern.matches(name.as_str());
        match labelled {
            Labelled::Label if !self.patterns.is_empty() && !self.patterns.iter().any(matches) => {
                Err(NamingError::Pattern {
                    name: name.to_string(),
                    patterns: self.patterns_text(),
                })
            }
            Labelled::Label | Labelled::Attribute => Ok(()),
        }
    }

    fn patterns_text(&self) -> String {
        let patterns: Vec<&str> = self.patterns.iter().map(Glob::as_str).collect();
        patterns.join(" or ")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;

    #[test]
    fn new_names_keep_to_the_rules() {
        let check = |patterns: &str, length_max, labelled, name: &str, expected: Option<&str>| {
            let naming = Naming::new(patterns, length_max).unwrap();
            let refused = naming.check(labelled, &Name::new(name).unwrap()).err();
            let refused = refused.map(|error| error.to_string());
            match (&refused, expected) {
                (Some(refused), Some(expected)) => assert!(refused.contains(expected), "{refused}"),
                (refused, expected) => assert_eq!(refused.as_deref(), expected, "{name}"),
            }
        };
        use Labelled::{Attribute, Label};
        check("", 256, Label, "anything", None);
        check("crm-*|web-*", 256, Label, "web-new", None);
        check("crm-* | web-*", 256, Label, "crm-", None);
        check(
            "crm-*|web-*",
            256,
            Label,
            "new",
            Some("does not match crm-* or web-*"),
        );
        check("crm-*", 256, Attribute, "age", None);
        check("", 3, Attribute, "ages", Some("has 4 characters"));
        check("", 3, Label, "高价值", None);
        assert!(Naming::new("a||b", 9).is_err());
    }
}

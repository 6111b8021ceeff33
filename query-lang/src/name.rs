//! Names: of tags, groups, attributes and segments, and the globs that match them.
//!
//! Knows which texts are names and how they compare. Does not know which names are defined.

use unicode_normalization::UnicodeNormalization;

/// The longest name, in bytes of UTF-8 after normalisation.
pub const NAME_BYTES_MAX: usize = 256;

/// A name in Unicode NFC, 1 to [`NAME_BYTES_MAX`] bytes, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left of it.
    #[error("a name cannot be empty")]
    Empty,
    /// More than [`NAME_BYTES_MAX`] bytes.
    #[error("a name has at most {NAME_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// A control character, which no terminal shows faithfully.
    #[error("a name cannot contain the control character U+{:04X}", *.0 as u32)]
    Control(char),
}

impl Name {
    /// Normalises and checks a name.
    ///
    /// # Errors
    /// Says why the text is not a name.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let normalised: String = text.nfc().collect();
        if normalised.is_empty() {
            return Err(NameError::Empty);
        }
        if normalised.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong(normalised.len()));
        }
        if let Some(control) = normalised.chars().find(|c| c.is_control()) {
            return Err(NameError::Control(control));
        }
        Ok(Self(normalised))
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name pattern in which `*` stands for any run of characters, the empty one included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Normalises and checks a pattern.
    ///
    /// # Errors
    /// As for a [`Name`].
    pub fn new(pattern: &str) -> Result<Self, NameError> {
        Name::new(pattern).map(|name| Self(name.0))
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a normalised name matches, in time linear in the two lengths for one `*` and
    /// at most their product otherwise.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(first) = parts.next() else {
            return false;
        };
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = self.0.rsplit_once('*').map(|(_, last)| last) else {
            return rest.is_empty();
        };
        let inner_count = self.0.matches('*').count() - 1;
        for part in parts.take(inner_count) {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_like_a_shell_without_classes() {
        let check = |glob: &str, name: &str, expected: bool| {
            let matched = Glob::new(glob).is_ok_and(|glob| glob.matches(name));
            assert_eq!(matched, expected, "{glob} on {name}");
        };
        check("promo-*", "promo-2026", true);
        check("promo-*", "promo-", true);
        check("promo-*", "promo", false);
        check("*", "x", true);
        check("*-2026", "promo-2026", true);
        check("a*b*c", "aXbYc", true);
        check("a*b*c", "abc", true);
        check("a*b*c", "acb", false);
        check("ab*ba", "aba", false);
        check("vip", "vip", true);
        check("vip", "vips", false);
        check("**", "x", true);
    }

    #[test]
    fn names_are_normalised_and_limited() {
        assert_eq!(Name::new("e\u{301}"), Name::new("\u{e9}"));
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new(&"x".repeat(257)), Err(NameError::TooLong(257)));
        assert_eq!(Name::new("a\nb"), Err(NameError::Control('\n')));
    }
}

//! What is wrong with a value, in the words of the configuration.
//!
//! Knows figment's errors, and hides its profiles, of which the server has only one.

use figment::{Error, error::Kind};

use super::keys::KEYS;

/// One line on what is wrong, where, and what may have been meant.
pub(super) fn describe(error: &Error) -> String {
    let told: Vec<String> = error.clone().into_iter().map(|one| line(&one)).collect();
    told.join("; ")
}

/// The word nearest to a misspelt one.
pub(super) fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Letters that may be wrong.
    const DISTANCE_MAX: usize = 3;
    known
        .map(|known| (strsim::damerau_levenshtein(known, wanted), known))
        .min()
        .filter(|(distance, _)| *distance <= DISTANCE_MAX)
        .map(|(_, known)| known)
}

/// `, did you mean …?`
pub(super) fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}

fn line(error: &Error) -> String {
    let key = error.path.join(".");
    let place = place(error);
    match &error.kind {
        Kind::UnknownField(name, _) => {
            let key = if key.is_empty() { name } else { &key };
            let near = suggestion(nearest(key, KEYS.iter().map(|known| known.path)));
            format!("unknown key `{key}`{place}{near}")
        }
        Kind::UnknownVariant(found, expected) => {
            let near = suggestion(nearest(found, expected.iter().copied()));
            let expected = expected.join("`, `");
            format!(
                "unknown value `{found}`{}{place}: expected one of `{expected}`{near}",
                for_key(&key)
            )
        }
        kind @ (Kind::Message(_)
        | Kind::InvalidType(..)
        | Kind::InvalidValue(..)
        | Kind::InvalidLength(..)
        | Kind::MissingField(_)
        | Kind::DuplicateField(_)
        | Kind::ISizeOutOfRange(_)
        | Kind::USizeOutOfRange(_)
        | Kind::Unsupported(_)
        | Kind::UnsupportedKey(..)) => format!("{kind}{}{place}", for_key(&key)),
    }
}

fn for_key(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!(" for key `{key}`")
    }
}

fn place(error: &Error) -> String {
    match &error.metadata {
        Some(metadata) => match &metadata.source {
            Some(source) => format!(" in {} {source}", metadata.name),
            None => format!(" in {}", metadata.name),
        },
        None => String::new(),
    }
}

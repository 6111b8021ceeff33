//! Which of several changes a refusal speaks of.
//!
//! Knows that the server's messages name attributes and tags. A failure carries no place, so
//! this is for people to find their way, never for a program to rely on.

use tessera_protocol::message::Mutation;

/// The position of the first change that the message names something of; 0 if there is none.
pub(super) fn find(mutations: &[Mutation], message: &str) -> usize {
    mutations
        .iter()
        .position(|mutation| is_named(mutation, message))
        .unwrap_or(0)
}

fn is_named(mutation: &Mutation, message: &str) -> bool {
    match mutation {
        Mutation::Ensure { .. } | Mutation::DeleteUser { .. } => false,
        Mutation::Tag { tags, .. } | Mutation::Hold { tags, .. } | Mutation::Untag { tags, .. } => {
            tags.iter().any(|tag| speaks_of(message, tag))
        }
        Mutation::Set { values, .. } => values.iter().any(|(name, _)| speaks_of(message, name)),
        Mutation::Add { attribute, .. } | Mutation::Remove { attribute, .. } => {
            speaks_of(message, attribute)
        }
        Mutation::Track(track) => {
            let mut properties = track.values.iter().map(|(name, _)| name);
            speaks_of(message, &track.event) || properties.any(|name| speaks_of(message, name))
        }
    }
}

/// Whether a message has the name as a word of its own.
pub(crate) fn speaks_of(message: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    message.match_indices(name).any(|(start, _)| {
        let before = message[..start].chars().next_back();
        let after = message[start + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Datum;

    #[test]
    fn the_change_that_is_named_is_to_blame() {
        let user = || "u".to_owned();
        let mutations = [
            Mutation::Ensure { user: user() },
            Mutation::Set {
                user: user(),
                values: vec![
                    ("age".to_owned(), Datum::Integer(1)),
                    ("credit limit".to_owned(), Datum::Integer(1)),
                ],
            },
            Mutation::Add {
                user: user(),
                attribute: "hobbies".to_owned(),
                values: vec![],
            },
            Mutation::Tag {
                user: user(),
                tags: vec!["plan-gold".to_owned()],
            },
        ];
        let check = |message: &str, expected: usize| {
            assert_eq!(find(&mutations, message), expected, "{message}");
        };
        check("age of user \"u\" is write-once and is 2", 1);
        check("\"credit limit\" of user \"u\" is write-once and is 2", 1);
        check("a multi attribute has at most 3 values, hobbies of user", 2);
        check("there is no tag named \"plan-gold\"", 3);
        check("there is no tag named \"plan-golden\"", 0);
        check("the language is wrong", 0);
        assert_eq!(find(&[], "age"), 0);
    }

    #[test]
    fn a_name_is_a_word_of_its_own() {
        let check = |message: &str, name: &str, expected: bool| {
            assert_eq!(speaks_of(message, name), expected, "{name}: {message}");
        };
        check("attribute `age` is write-once", "age", true);
        check("the language is wrong", "age", false);
        check("age", "age", true);
        check("age-group and age", "age", true);
        check("größe.x", "größe", false);
        check("größe: x", "größe", true);
    }
}

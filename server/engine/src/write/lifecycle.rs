//! Where a tag may go from where it is in its life.

use tessera_query_lang::ast::Span;

use super::schema_change::refuse;
use crate::{
    error::Error,
    schema::{Lifecycle, TagDefinition},
    write::SchemaErrorKind,
};

/// The state that a tag moves to: any later one, and from any but a draft's back to active.
pub(super) fn moved(tag: &TagDefinition, to: Lifecycle, span: Span) -> Result<Lifecycle, Error> {
    let from = tag.lifecycle;
    if to == Lifecycle::Active || rank(to) >= rank(from) {
        return Ok(to);
    }
    let kind = SchemaErrorKind::Lifecycle {
        tag: tag.name.to_string(),
        from: from.word(),
        to: to.word(),
    };
    Err(refuse(kind, span))
}

fn rank(lifecycle: Lifecycle) -> u8 {
    match lifecycle {
        Lifecycle::Draft => 0,
        Lifecycle::Active => 1,
        Lifecycle::Deprecated => 2,
        Lifecycle::Archived => 3,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use tessera_query_lang::name::Name;

    use super::*;
    use crate::ids::TagId;

    #[test]
    fn tags_move_forward_and_back_to_active() {
        use Lifecycle::{Active, Archived, Deprecated, Draft};
        let check = |from: Lifecycle, allowed: &[Lifecycle]| {
            let tag = TagDefinition {
                lifecycle: from,
                ..TagDefinition::new(TagId(1), Name::new("t").unwrap())
            };
            for to in [Draft, Active, Deprecated, Archived] {
                let result = moved(&tag, to, Span::default());
                assert_eq!(result.is_ok(), allowed.contains(&to), "{from:?} to {to:?}");
            }
        };
        check(Draft, &[Draft, Active, Deprecated, Archived]);
        check(Active, &[Active, Deprecated, Archived]);
        check(Deprecated, &[Active, Deprecated, Archived]);
        check(Archived, &[Active, Archived]);
    }
}

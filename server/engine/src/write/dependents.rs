//! What would be too large with a new meaning of something that it names, directly or not: a saved
//! segment, a tag with a rule, a group with layers.
//!
//! Knows who names whom. Does not know what patterns match: that is found out when they are asked.

use std::collections::{HashMap, HashSet};

use tessera_query_lang::{Limits, ast::Span, parse_expr, parse_group_rule};

use super::{
    schema_change::{Planner, refuse},
    schema_rules::layer_names,
    schema_segments::saved_limits,
    usage::{Names, names_of_segment},
};
use crate::{
    error::Error,
    ids::GroupId,
    plan::{
        ResolveError, Resolver,
        rank::Unranked,
        resolve::{Expanding, ResolveErrorKind},
    },
    schema::Schema,
    write::SchemaErrorKind,
};

/// How much is resolved at most to see what a new meaning does to those that name it; enough for
/// any one of them, and for a few hundred ordinary ones. Those beyond are told that they are too
/// large when they are used.
const DEPENDENT_NODES_MAX: usize = 1_000_000;

impl Planner<'_> {
    /// Refuses a new meaning with which something that contains it, and is within the limits now,
    /// would not be so any more. `changed`: the definitions as they are to be.
    pub(super) fn check_dependents(
        &self,
        changed: &Schema,
        of: Expanding,
        span: Span,
    ) -> Result<(), Error> {
        if shown(self.schema, of).is_none() {
            return Ok(());
        }
        let mut nodes = 0;
        for dependent in dependents(self.schema, of) {
            if let Some(error) = self.excess(changed, dependent, &mut nodes)
                && self.excess(self.schema, dependent, &mut nodes).is_none()
            {
                let user = shown(self.schema, dependent).unwrap_or_default();
                let error = Box::new(error);
                return Err(refuse(SchemaErrorKind::TooLarge { user, error }, span));
            }
            if nodes > DEPENDENT_NODES_MAX {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The limit that a definition exceeds, if it does. Adds to `nodes` what finding out took.
    fn excess(&self, schema: &Schema, of: Expanding, nodes: &mut usize) -> Option<ResolveError> {
        match of {
            Expanding::Segment(id) => {
                let text = &schema.segment_by_id(id)?.text;
                let filter = parse_expr(text, &Limits::default()).ok()?;
                self.excess_in(schema, nodes, |resolver| resolver.expr(&filter).map(drop))
            }
            Expanding::Tag(id) => {
                self.excess_in(schema, nodes, |resolver| resolver.holders_of(id).map(drop))
            }
            Expanding::Group(id) => {
                let text = schema.group_by_id(id)?.rule.as_ref()?;
                let rule = parse_group_rule(text, &Limits::default()).ok()?;
                layer_names(&rule).into_iter().find_map(|layer| {
                    let tag = schema.tag(layer.node.as_str())?.id;
                    self.excess_in(schema, nodes, |resolver| resolver.holders_of(tag).map(drop))
                })
            }
        }
    }

    fn excess_in(
        &self,
        schema: &Schema,
        nodes: &mut usize,
        resolve: impl FnOnce(&mut Resolver<'_>) -> Result<(), ResolveError>,
    ) -> Option<ResolveError> {
        let resolver = Resolver::new(schema, &[], self.now, saved_limits()).ok()?;
        let mut resolver = resolver.ranked_by(&Unranked);
        let error = resolve(&mut resolver).err();
        *nodes += resolver.nodes();
        error.filter(|error| error.kind() == ResolveErrorKind::LimitExceeded)
    }
}

/// A definition as people call it; `None` if there is none.
fn shown(schema: &Schema, of: Expanding) -> Option<String> {
    Some(match of {
        Expanding::Segment(id) => {
            format!("the saved segment \"{}\"", schema.segment_by_id(id)?.name)
        }
        Expanding::Tag(id) => format!("the tag \"{}\"", schema.tag_by_id(id)?.name),
        Expanding::Group(id) => format!("the group \"{}\"", schema.group_by_id(id)?.name),
    })
}

/// What contains a definition, directly or not, the nearest first. Chains may be as long as there
/// are definitions: nothing here recurses.
pub(super) fn dependents(schema: &Schema, of: Expanding) -> Vec<Expanding> {
    let mut users = Users::of(schema);
    let mut seen = HashSet::from([of]);
    let mut found: Vec<Expanding> = Vec::new();
    let mut next = 0;
    let mut direct = users.take(schema, of);
    loop {
        direct.retain(|user| seen.insert(*user));
        found.append(&mut direct);
        let Some(user) = found.get(next) else {
            return found;
        };
        direct = users.take(schema, *user);
        next += 1;
    }
}

/// Who names what, by its name.
#[derive(Default)]
struct Users {
    tags: HashMap<String, Vec<Expanding>>,
    groups: HashMap<String, Vec<Expanding>>,
    segments: HashMap<String, Vec<Expanding>>,
}

impl Users {
    /// All who name others. What cannot be read has no meaning to lose.
    fn of(schema: &Schema) -> Self {
        let mut users = Self::default();
        for segment in schema.segments() {
            if let Ok(names) = names_of_segment(segment) {
                users.add(Expanding::Segment(segment.id), names);
            }
        }
        for tag in schema.tags_with_own_rules() {
            let rule = tag.rule.as_deref();
            let rule = rule.and_then(|rule| parse_expr(rule, &Limits::default()).ok());
            if let Some(rule) = rule {
                users.add(Expanding::Tag(tag.id), Names::of(&rule));
            }
        }
        for group in schema.layered_groups() {
            let rule = group.rule.as_deref();
            let rule = rule.and_then(|rule| parse_group_rule(rule, &Limits::default()).ok());
            if let Some(rule) = rule {
                users.add(Expanding::Group(group.id), Names::of_group_rule(&rule));
            }
        }
        users
    }

    fn add(&mut self, user: Expanding, names: Names) {
        let of_kinds = [
            (&mut self.tags, names.tags),
            (&mut self.groups, names.groups),
            (&mut self.segments, names.segments),
        ];
        for (users, names) in of_kinds {
            for name in names {
                users.entry(name).or_default().push(user);
            }
        }
    }

    /// Takes out those who name a definition, or a group around it.
    fn take(&mut self, schema: &Schema, of: Expanding) -> Vec<Expanding> {
        let mut found = Vec::new();
        match of {
            Expanding::Segment(id) => {
                let segment = schema.segment_by_id(id);
                let users = segment.and_then(|of| self.segments.remove(of.name.as_str()));
                found.extend(users.into_iter().flatten());
            }
            Expanding::Tag(id) => {
                let tag = schema.tag_by_id(id);
                let users = tag.and_then(|of| self.tags.remove(of.name.as_str()));
                found.extend(users.into_iter().flatten());
                if let Some(group) = tag.and_then(|tag| tag.group) {
                    self.take_around(schema, group, &mut found);
                }
            }
            Expanding::Group(id) => {
                for tag in schema.tags_of_group(id) {
                    let users = self.tags.remove(tag.name.as_str());
                    found.extend(users.into_iter().flatten());
                }
                self.take_around(schema, id, &mut found);
            }
        }
        found
    }

    fn take_around(&mut self, schema: &Schema, group: GroupId, found: &mut Vec<Expanding>) {
        for group in schema.group_path(group) {
            let users = self.groups.remove(group.name.as_str());
            found.extend(users.into_iter().flatten());
        }
    }
}

//! Rules of tags and of groups: whether they mean something by themselves, and not themselves.

use tessera_query_lang::{
    Limits,
    ast::{AlterTag, Band, Expr, GroupRule, Layer, RuleChange, Span, Spanned},
    name::Name,
    parse_expr, parse_group_rule,
};

use super::{
    schema_change::{Planned, Planner, refuse},
    schema_names::{Kind, check_naming, unless_too_many},
    schema_rename::{with_present_names, with_present_names_in_layers},
    usage::Names,
};
use crate::{
    error::Error,
    ids::TagId,
    plan::{
        ResolveError, Resolver,
        rank::Unranked,
        resolve::{Expanding, ResolveLimits},
    },
    schema::{Exclusivity, GroupDefinition, Schema, TagDefinition, TagRule},
    storage::{SchemaKey, StoredDefinition},
    write::{RuleRefusal, SchemaErrorKind},
};

/// How much is resolved at most to see whether rules beneath a group that moves need themselves.
/// Those beyond are told so when they are used.
const MOVED_NODES_MAX: usize = 1_000_000;

impl Planner<'_> {
    /// Gives a tag a rule.
    pub(super) fn set_rule(
        &self,
        tag: &mut TagDefinition,
        rule: &Expr,
        span: Span,
    ) -> Result<(), Error> {
        if Names::of(rule).parameters > 0 {
            return Err(refuse(SchemaErrorKind::Rule(RuleRefusal::Parameters), span));
        }
        let rule = with_present_names(self.schema, rule);
        let text = rule.to_string();
        parse_expr(&text, &Limits::default())
            .map_err(|error| refuse(SchemaErrorKind::Unreadable(Box::new(error)), span))?;
        tag.rule = Some(text);
        let changed = self.with_tags([&*tag]);
        let resolver = self.resolver(&changed, span)?;
        let mut resolver = resolver.defining(Expanding::Tag(tag.id));
        resolver
            .expr(&rule)
            .map_err(|error| meaningless(error, span))?;
        // By its name it takes more levels and nodes than by itself.
        let mut resolver = self.resolver(&changed, span)?;
        resolver
            .holders_of(tag.id)
            .map_err(|error| meaningless(error, span))?;
        self.check_dependents(&changed, Expanding::Tag(tag.id), span)
    }

    /// Gives a tag another rule, or takes it away, as a statement says.
    pub(super) fn change_rule(
        &self,
        tag: &mut TagDefinition,
        alter: &AlterTag,
    ) -> Result<(), Error> {
        let span = alter.name.span;
        let before = self.schema.tag_by_id(tag.id);
        let layered = before.and_then(|tag| self.layered_group(tag));
        if let Some(group) = layered
            && (alter.rule.is_some() || alter.group.is_some())
        {
            let refusal = RuleRefusal::Layer {
                tag: tag.name.to_string(),
                group: group.name.to_string(),
            };
            return Err(refuse(SchemaErrorKind::Rule(refusal), span));
        }
        match &alter.rule {
            Some(RuleChange::Into(rule)) => self.set_rule(tag, rule, span)?,
            Some(RuleChange::Out) => tag.rule = None,
            None => {}
        }
        self.check_rule_group(tag, span)?;
        match alter.rule {
            Some(_) => Ok(()),
            None => self.check_moved_tag(tag, span),
        }
    }

    /// Refuses a tag where its rule would need itself: in another group, with another name, or
    /// where it is in sight of patterns again.
    pub(super) fn check_moved_tag(&self, tag: &TagDefinition, span: Span) -> Result<(), Error> {
        if self.schema.rule_of(tag).is_none() {
            return Ok(());
        }
        let changed = self.with_tags([tag]);
        self.check_no_cycle(&changed, tag.id, span).map(drop)
    }

    /// Refuses a group that moves into another one where the rules beneath it would need
    /// themselves. `changed`: the definitions as they are to be.
    pub(super) fn check_moved_group(
        &self,
        changed: &Schema,
        group: &GroupDefinition,
        span: Span,
    ) -> Result<(), Error> {
        let before = self.schema.group_by_id(group.id);
        let has_moved = before.is_some_and(|before| before.parent != group.parent);
        // Nothing new can be meant by a group at the top.
        if !has_moved || group.parent.is_none() {
            return Ok(());
        }
        let mut nodes = 0;
        for tag in changed.ruled_tags() {
            if nodes <= MOVED_NODES_MAX && changed.is_beneath(tag.id, group.id) {
                nodes += self.check_no_cycle(changed, tag.id, span)?;
            }
        }
        Ok(())
    }

    /// Refuses a tag whose rule would need itself. Gives how many nodes finding out took.
    fn check_no_cycle(&self, changed: &Schema, tag: TagId, span: Span) -> Result<usize, Error> {
        let mut resolver = self.resolver(changed, span)?;
        match resolver.holders_of(tag).err() {
            Some(error) if matches!(error, ResolveError::Cycle { .. }) => {
                Err(meaningless(error, span))
            }
            // Whatever else is wrong with it was so before.
            Some(_) | None => Ok(resolver.nodes()),
        }
    }

    /// Refuses a rule of its own to a tag of an exclusive group: who holds another of its tags
    /// might hold this one too.
    pub(super) fn check_rule_group(&self, tag: &TagDefinition, span: Span) -> Result<(), Error> {
        let group = tag.group;
        match group.and_then(|group| self.schema.exclusive_around(group)) {
            Some(group) if tag.rule.is_some() => {
                let refusal = RuleRefusal::Exclusive {
                    tag: tag.name.to_string(),
                    group: group.name.to_string(),
                };
                Err(refuse(SchemaErrorKind::Rule(refusal), span))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses to a group to be exclusive if rules beneath it say who holds tags, and to one with
    /// layers not to be.
    pub(super) fn check_exclusivity(
        &self,
        group: &GroupDefinition,
        exclusivity: Exclusivity,
        span: Span,
    ) -> Result<(), Error> {
        match (exclusivity, &group.rule) {
            (Exclusivity::Shared, None) => Ok(()),
            (Exclusivity::Shared, Some(_)) => {
                let group = group.name.to_string();
                let refusal = RuleRefusal::Shared { group };
                Err(refuse(SchemaErrorKind::Rule(refusal), span))
            }
            (Exclusivity::Exclusive, _) => self.check_rules_beneath(group, group, span),
        }
    }

    /// Refuses what might put a user into two tags beneath an exclusive group: tags with rules of
    /// their own, and groups with layers beside its own. `group`: where to look, as it is to be.
    pub(super) fn check_rules_beneath(
        &self,
        group: &GroupDefinition,
        exclusive: &GroupDefinition,
        span: Span,
    ) -> Result<(), Error> {
        let mut tags = self.schema.tags_beneath(group.id);
        let own = tags.find(|tag| tag.rule.is_some());
        let own = own.map(|tag| RuleRefusal::Exclusive {
            tag: tag.name.to_string(),
            group: exclusive.name.to_string(),
        });
        let groups = self.schema.groups_beneath(group.id).into_iter();
        let mut groups = groups.filter_map(|inner| match inner == group.id {
            true => Some(group),
            false => self.schema.group_by_id(inner),
        });
        let layered = groups.find(|inner| inner.id != exclusive.id && inner.rule.is_some());
        let layered = layered.map(|inner| nested(inner, exclusive));
        match own.or(layered) {
            Some(refusal) => Err(refuse(SchemaErrorKind::Rule(refusal), span)),
            None => Ok(()),
        }
    }

    /// The group of whose rule a tag is a layer.
    fn layered_group(&self, tag: &TagDefinition) -> Option<&GroupDefinition> {
        let Some(TagRule::OfGroup(group, text)) = self.schema.rule_of(tag) else {
            return None;
        };
        let rule = parse_group_rule(text, &Limits::default()).ok()?;
        let is_layer = layer_names(&rule).iter().any(|name| name.node == tag.name);
        let group = self.schema.group_by_id(group.id);
        group.filter(|_| is_layer)
    }

    /// Gives a group a rule: it becomes exclusive, and layers that are not among its tags become
    /// tags of it.
    pub(super) fn put_layers(
        &self,
        group: &mut GroupDefinition,
        rule: &GroupRule,
        span: Span,
    ) -> Result<Planned, Error> {
        if Names::of_group_rule(rule).parameters > 0 {
            return Err(refuse(SchemaErrorKind::Rule(RuleRefusal::Parameters), span));
        }
        self.check_exclusivity(group, Exclusivity::Exclusive, span)?;
        let outer = group.parent;
        if let Some(outer) = outer.and_then(|outer| self.schema.exclusive_around(outer)) {
            let refusal = nested(group, outer);
            return Err(refuse(SchemaErrorKind::Rule(refusal), span));
        }
        group.exclusivity = Exclusivity::Exclusive;
        let rule = with_present_names_in_layers(self.schema, rule);
        let rule = rule.as_ref();
        let text = rule.to_string();
        parse_group_rule(&text, &Limits::default())
            .map_err(|error| refuse(SchemaErrorKind::Unreadable(Box::new(error)), span))?;
        group.rule = Some(text);
        let (layers, new) = self.layers_of(group, rule)?;
        let mut changed = self.with_tags(&new);
        changed.put_group(group.clone());
        self.check_layers(&changed, group, rule, &layers, span)?;
        self.check_moved_group(&changed, group, span)?;
        self.check_dependents(&changed, Expanding::Group(group.id), span)?;
        let mut planned = Planned::put(
            SchemaKey::Group(group.id),
            StoredDefinition::of_group(group),
        );
        for tag in &new {
            let put = Planned::put(SchemaKey::Tag(tag.id), StoredDefinition::of_tag(tag));
            planned.changes.extend(put.changes);
        }
        Ok(planned)
    }

    /// The tags that are layers, and those of them that are new.
    fn layers_of(
        &self,
        group: &GroupDefinition,
        rule: &GroupRule,
    ) -> Result<(Vec<TagId>, Vec<TagDefinition>), Error> {
        let (mut layers, mut new) = (Vec::new(), Vec::new());
        let mut next = self.schema.next_tag_id();
        for name in layer_names(rule) {
            let tag = match self.schema.tag(name.node.as_str()) {
                Some(tag) if tag.group == Some(group.id) => tag.id,
                Some(_) => {
                    let kind = SchemaErrorKind::Defined {
                        kind: Kind::Tag.word(),
                        name: name.node.to_string(),
                    };
                    return Err(refuse(kind, name.span));
                }
                None => {
                    self.check_not_former(name)?;
                    check_naming(Kind::Tag, name, self.limits)?;
                    let tag = TagDefinition {
                        group: Some(group.id),
                        ..TagDefinition::new(next, name.node.clone())
                    };
                    next = TagId(next.0.saturating_add(1));
                    new.push(tag);
                    new.last().map_or(next, |tag| tag.id)
                }
            };
            layers.push(tag);
        }
        self.check_room(group, new.len())?;
        let mut counted = Schema::clone(self.schema);
        for tag in &new {
            unless_too_many(&counted, Kind::Tag, self.limits)?;
            counted.put_tag(tag.clone());
        }
        Ok((layers, new))
    }

    /// A rule must mean something, and so must each layer within the limits.
    fn check_layers(
        &self,
        changed: &Schema,
        group: &GroupDefinition,
        rule: &GroupRule,
        layers: &[TagId],
        span: Span,
    ) -> Result<(), Error> {
        let resolver = self.resolver(changed, span)?;
        let mut resolver = resolver.defining(Expanding::Group(group.id));
        resolver
            .group_rule(rule)
            .map_err(|error| meaningless(error, span))?;
        for layer in layers {
            let mut resolver = self.resolver(changed, span)?;
            resolver
                .holders_of(*layer)
                .map_err(|error| meaningless(error, span))?;
        }
        Ok(())
    }

    fn with_tags<'t>(&self, tags: impl IntoIterator<Item = &'t TagDefinition>) -> Schema {
        let mut changed = Schema::clone(self.schema);
        for tag in tags {
            changed.put_tag(tag.clone());
        }
        changed
    }

    fn resolver<'s>(&self, schema: &'s Schema, span: Span) -> Result<Resolver<'s>, Error> {
        let limits = ResolveLimits::default();
        // So that its name alone is a query within the limits.
        let limits = ResolveLimits {
            nodes_max: limits.nodes_max - 1,
            depth_max: limits.depth_max - 1,
            ..limits
        };
        let resolver = Resolver::new(schema, &[], self.now, limits);
        let resolver = resolver.map_err(|error| meaningless(error, span))?;
        Ok(resolver.ranked_by(&Unranked))
    }
}

fn nested(group: &GroupDefinition, outer: &GroupDefinition) -> RuleRefusal {
    RuleRefusal::Nested {
        group: group.name.to_string(),
        outer: outer.name.to_string(),
    }
}

/// Why an expression cannot be the meaning of a definition.
pub(super) fn meaningless(error: ResolveError, span: Span) -> Error {
    let kind = match error {
        ResolveError::Cycle { way, .. } => SchemaErrorKind::Cycle(way),
        error @ (ResolveError::UnknownName { .. }
        | ResolveError::NoTagMatches { .. }
        | ResolveError::TypeMismatch { .. }
        | ResolveError::MissingParameter { .. }
        | ResolveError::UnusedParameter { .. }
        | ResolveError::RepeatedParameter { .. }
        | ResolveError::InSegment { .. }
        | ResolveError::UnreadableSegment { .. }
        | ResolveError::InRule { .. }
        | ResolveError::UnreadableRule { .. }
        | ResolveError::Unranked { .. }
        | ResolveError::TooMany { .. }) => SchemaErrorKind::Meaningless(Box::new(error)),
    };
    refuse(kind, span)
}

/// The tags that are layers of a rule.
pub(super) fn layer_names(rule: &GroupRule) -> Vec<&Spanned<Name>> {
    fn names<T>(layers: &[Layer<T>]) -> Vec<&Spanned<Name>> {
        layers.iter().map(|layer| &layer.tag).collect()
    }
    match rule {
        GroupRule::Layers(layers) => names::<Expr>(layers),
        GroupRule::Bands { bands, .. } | GroupRule::Percentiles { bands, .. } => {
            names::<Band>(bands)
        }
    }
}

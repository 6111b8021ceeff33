//! Tags whose rules say who holds them, at the moment of the question.
//!
//! - A tag with a rule is held by who fits it, and by those to whom it was given. Who had it taken
//!   from them by hand fits in vain.
//! - Of the layers of a group a user is in the first that fits. Who was given any tag of the
//!   group is in none of them by the rule, but only in that tag.
//! - A rule is resolved once for a statement, however often it is used; every use counts for the
//!   limits.
//! - A holding by a rule has the source `rule`, no known start and no end.
//!
//! What the layers of a group are by themselves is in `conditions`.

mod conditions;

use std::{collections::HashMap, sync::Arc};

use tessera_query_lang::{
    Limits, ParseError,
    ast::{self, GroupRule, HoldingTest, Presence, Span},
    parse_expr, parse_group_rule,
};

use super::{
    Expanding, ResolveError, Resolver, attribute::union, bindings::Bindings, counted::Counted,
    holding::source_of,
};
use crate::{
    ids::{GroupId, TagId},
    plan::logical::{Expr, Leaf, Sources},
    schema::{Blocking, GroupDefinition, TagDefinition, TagRule},
    storage::Source,
};

/// Levels that a rule is beside those of its expression: it takes more room on the stack.
const RULE_LEVELS: usize = 3;

/// What was read and resolved so far.
#[derive(Default)]
pub(super) struct Expansions {
    exprs: HashMap<Expanding, Arc<ast::Expr>>,
    groups: HashMap<GroupId, Arc<Layers>>,
    by_rule: HashMap<TagId, Option<Arc<Expr>>>,
}

/// A group's rule, resolved.
pub(super) struct Layers {
    /// The layers' conditions, each by itself, in their order.
    conditions: Vec<(TagId, Expr)>,
    /// Who was given a tag of the group, or of one beneath it.
    given: Expr,
}

/// What stands around a definition.
pub(crate) struct Outside<'a>(Bindings<'a>);

impl Expansions {
    /// A definition's expression.
    pub(super) fn expr(
        &mut self,
        definition: Expanding,
        text: &str,
    ) -> Result<Arc<ast::Expr>, ParseError> {
        if let Some(parsed) = self.exprs.get(&definition) {
            return Ok(Arc::clone(parsed));
        }
        let parsed = Arc::new(parse_expr(text, &stored_text_limits())?);
        self.exprs.insert(definition, Arc::clone(&parsed));
        Ok(parsed)
    }
}

/// The text was taken once, under limits that may have been others: only its depth matters, for
/// the stack. Its leaves are counted as they are resolved.
fn stored_text_limits() -> Limits {
    Limits {
        text_bytes_max: usize::MAX,
        leaves_max: usize::MAX,
        list_len_max: usize::MAX,
        ..Limits::default()
    }
}

impl<'a> Resolver<'a> {
    /// Who holds a tag now.
    pub(super) fn holders(&mut self, tag: TagId, span: Span) -> Result<Expr, ResolveError> {
        match self.by_rule(tag, span)? {
            None => self.given(tag, span),
            Some(by_rule) => self.and_given(by_rule, tag, span),
        }
    }

    /// Who holds a tag by a rule, and those to whom it was given.
    fn and_given(&mut self, by_rule: Expr, tag: TagId, span: Span) -> Result<Expr, ResolveError> {
        self.grow(1, span)?;
        Ok(Expr::Or(vec![by_rule, self.given(tag, span)?]))
    }

    /// Who holds a tag that may have a rule.
    ///
    /// # Errors
    /// [`ResolveError`], when the rule does not mean anything any more or means too much.
    pub(crate) fn holders_of(&mut self, tag: TagId) -> Result<Expr, ResolveError> {
        self.holders(tag, Span::default())
    }

    /// The tags among some that have rules, and who holds them. Nobody named what their rules
    /// name, and there is nothing to say about it.
    pub(super) fn ruled(
        &mut self,
        tags: impl IntoIterator<Item = TagId>,
        span: Span,
    ) -> Result<Vec<(TagId, Expr)>, ResolveError> {
        let mut ruled = Vec::new();
        if self.schema.ruled_tags().next().is_none() {
            return Ok(ruled);
        }
        let notices = std::mem::take(&mut self.notices);
        for tag in tags {
            if let Some(by_rule) = self.by_rule(tag, span)? {
                ruled.push((tag, self.and_given(by_rule, tag, span)?));
            }
        }
        self.notices = notices;
        Ok(ruled)
    }

    /// All tags with rules, and who holds them.
    ///
    /// # Errors
    /// [`ResolveError`], when a rule does not mean anything any more or means too much.
    pub(crate) fn all_ruled(&mut self) -> Result<Vec<(TagId, Expr)>, ResolveError> {
        let schema = self.schema;
        self.ruled(schema.ruled_tags().map(|tag| tag.id), Span::default())
    }

    /// Resolves the conditions of a group's layers, each by itself.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub(crate) fn group_rule(&mut self, rule: &GroupRule) -> Result<(), ResolveError> {
        self.conditions(rule).map(drop)
    }

    /// The layers of a group, whom each is for by itself: of several, a user is in the first.
    ///
    /// # Errors
    /// [`ResolveError`], when the rule does not mean anything any more or means too much.
    pub(crate) fn layers_of(&mut self, group: GroupId) -> Result<Vec<(TagId, Expr)>, ResolveError> {
        let schema = self.schema;
        let group = schema.group_by_id(group);
        match group.and_then(|group| Some((group, group.rule.as_ref()?))) {
            Some((group, text)) => self.conditions_of(group, text, Span::default()),
            None => Ok(Vec::new()),
        }
    }

    /// Who holds a tag by a rule, if there is one.
    pub(super) fn by_rule(&mut self, tag: TagId, span: Span) -> Result<Option<Expr>, ResolveError> {
        let schema = self.schema;
        let Some(definition) = schema.tag_by_id(tag) else {
            return Ok(None);
        };
        let Some(rule) = schema.rule_of(definition) else {
            return Ok(None);
        };
        if let Some(known) = self.expansions.by_rule.get(&tag).cloned() {
            return known.map(|expr| self.again(&expr, span)).transpose();
        }
        let expr = match rule {
            TagRule::Own(text) => Some(self.own_rule(definition, text, span)?),
            TagRule::OfGroup(group, text) => {
                let layers = self.layers(group, text, span)?;
                self.layer(&layers, tag, span)?
            }
        };
        let expr = match expr {
            Some(by_rule) if definition.blocking == Blocking::Somebody => {
                self.grow(2, span)?;
                let blocked = self.leaf(Leaf::Blocked(tag), span)?;
                Some(Expr::And(vec![by_rule, blocked.negated()]))
            }
            expr => expr,
        };
        let known = expr.as_ref().map(|expr| Arc::new(expr.clone()));
        self.expansions.by_rule.insert(tag, known);
        Ok(expr)
    }

    fn own_rule(
        &mut self,
        tag: &TagDefinition,
        text: &str,
        span: Span,
    ) -> Result<Expr, ResolveError> {
        let definition = Expanding::Tag(tag.id);
        let name = self.name_of(definition);
        self.check_new(definition, span)?;
        let parsed = self.expansions.expr(definition, text);
        let parsed = parsed.map_err(|source| unreadable(&name, span, source))?;
        let outside = self.enter(definition);
        self.depth += RULE_LEVELS;
        let rule = self.resolve_expr(&parsed);
        self.depth -= RULE_LEVELS;
        self.leave(outside);
        rule.map_err(|source| in_rule(name, span, source))
    }

    /// The rule of a group, resolved once.
    fn layers(
        &mut self,
        group: &GroupDefinition,
        text: &str,
        span: Span,
    ) -> Result<Arc<Layers>, ResolveError> {
        if let Some(known) = self.expansions.groups.get(&group.id) {
            return Ok(Arc::clone(known));
        }
        let conditions = self.conditions_of(group, text, span)?;
        let schema = self.schema;
        let mut given = Vec::new();
        for tag in schema.tags_beneath(group.id) {
            given.push(self.given(tag.id, span)?);
        }
        let layers = Arc::new(Layers {
            conditions,
            given: union(given),
        });
        let known = Arc::clone(&layers);
        self.expansions.groups.insert(group.id, known);
        Ok(layers)
    }

    /// Reads and resolves the conditions of a group's layers.
    fn conditions_of(
        &mut self,
        group: &GroupDefinition,
        text: &str,
        span: Span,
    ) -> Result<Vec<(TagId, Expr)>, ResolveError> {
        let definition = Expanding::Group(group.id);
        let name = self.name_of(definition);
        self.check_new(definition, span)?;
        let rule = parse_group_rule(text, &stored_text_limits());
        let rule = rule.map_err(|source| unreadable(&name, span, source))?;
        let outside = self.enter(definition);
        self.depth += RULE_LEVELS;
        let conditions = self.conditions(&rule);
        self.depth -= RULE_LEVELS;
        self.leave(outside);
        conditions.map_err(|source| in_rule(name, span, source))
    }

    /// Who is in a layer by the rule; `None` for a tag of the group that is not one of them.
    fn layer(
        &mut self,
        layers: &Layers,
        tag: TagId,
        span: Span,
    ) -> Result<Option<Expr>, ResolveError> {
        let place = layers.conditions.iter().position(|(of, _)| *of == tag);
        let Some((before, [(_, condition), ..])) =
            place.and_then(|place| layers.conditions.split_at_checked(place))
        else {
            return Ok(None);
        };
        self.grow(5, span)?;
        let mut all = vec![self.again(condition, span)?];
        if !before.is_empty() {
            let before = before.iter().map(|(_, earlier)| self.again(earlier, span));
            all.push(union(before.collect::<Result<_, _>>()?).negated());
        }
        all.push(self.again(&layers.given, span)?.negated());
        let layer = Expr::And(all);
        self.check_depth(&layer, span)?;
        Ok(Some(layer))
    }

    /// Who holds a tag of a group, or of one beneath it.
    pub(super) fn in_group(
        &mut self,
        group: &'a GroupDefinition,
        span: Span,
    ) -> Result<Expr, ResolveError> {
        let schema = self.schema;
        let mut any = Vec::new();
        for group in schema.groups_beneath(group.id) {
            if let Some(group) = schema.group_by_id(group) {
                self.directly_in_group(group, span, &mut any)?;
            }
        }
        Ok(union(any))
    }

    /// Who holds one of the tags that stand in a group itself.
    fn directly_in_group(
        &mut self,
        group: &'a GroupDefinition,
        span: Span,
        any: &mut Vec<Expr>,
    ) -> Result<(), ResolveError> {
        let schema = self.schema;
        let tags: Vec<&TagDefinition> = schema.tags_of_group(group.id).collect();
        tags.iter().for_each(|tag| self.notices.of_asked(tag.id));
        if let Some(text) = &group.rule
            && tags.iter().all(|tag| tag.blocking == Blocking::Nobody)
        {
            // Whoever fits any layer is in one, unless it was given another tag of the group.
            let layers = self.layers(group, text, span)?;
            let conditions = layers.conditions.iter().map(|(_, condition)| condition);
            for expr in conditions.chain([&layers.given]) {
                any.push(self.again(expr, span)?);
            }
            return Ok(());
        }
        for tag in tags {
            any.push(self.holders(tag.id, span)?);
        }
        Ok(())
    }

    /// Who holds a tag by a rule, if such a holding is as the tests say.
    pub(super) fn held_by_rule(
        &mut self,
        tag: TagId,
        tests: &[HoldingTest],
        span: Span,
    ) -> Result<Option<Expr>, ResolveError> {
        let Some(by_rule) = self.by_rule(tag, span)? else {
            return Ok(None);
        };
        if !tests.iter().all(holds_of_rule) {
            return Ok(None);
        }
        self.grow(2, span)?;
        // Who was given the tag holds it on another word.
        let given = self.given(tag, span)?.negated();
        Ok(Some(Expr::And(vec![by_rule, given])))
    }

    /// A resolved expression once more.
    fn again(&mut self, expr: &Expr, span: Span) -> Result<Expr, ResolveError> {
        let counted = Counted::of(expr);
        self.grow(counted.nodes, span)?;
        self.take_leaves(counted.leaves, span)?;
        self.check_depth(expr, span)?;
        self.check_referrals(self.referrals + counted.referrals, span)?;
        Ok(expr.clone())
    }

    fn check_depth(&self, expr: &Expr, span: Span) -> Result<(), ResolveError> {
        let max = self.limits.depth_max;
        if self.depth + expr.depth() > max {
            return Err(ResolveError::TooMany {
                what: "levels of nesting",
                max: max as u64,
                span,
            });
        }
        Ok(())
    }

    /// Refuses a definition inside of itself.
    pub(super) fn check_new(&self, definition: Expanding, span: Span) -> Result<(), ResolveError> {
        let Some(place) = self.expanding.iter().position(|of| *of == definition) else {
            return Ok(());
        };
        let around = self.expanding.get(place..).unwrap_or_default().iter();
        let names: Vec<String> = around
            .chain([&definition])
            .map(|of| self.name_of(*of))
            .collect();
        Err(ResolveError::Cycle {
            way: shown_way(&names),
            span,
        })
    }

    /// Goes on inside of a definition, which has no parameters, until [`Self::leave`].
    pub(crate) fn enter(&mut self, definition: Expanding) -> Outside<'a> {
        self.expanding.push(definition);
        Outside(std::mem::replace(&mut self.bindings, Bindings::none()))
    }

    /// Goes on outside again.
    pub(crate) fn leave(&mut self, outside: Outside<'a>) {
        self.bindings = outside.0;
        self.expanding.pop();
    }

    fn name_of(&self, definition: Expanding) -> String {
        let (kind, name) = match definition {
            Expanding::Segment(id) => ("segment", self.schema.segment_by_id(id).map(|of| &of.name)),
            Expanding::Tag(id) => ("tag", self.schema.tag_by_id(id).map(|of| &of.name)),
            Expanding::Group(id) => ("group", self.schema.group_by_id(id).map(|of| &of.name)),
        };
        match name {
            Some(name) => format!("{kind}:{name}"),
            // It is only about to be defined.
            None => format!("this {kind}"),
        }
    }
}

/// Whether a holding by a rule is as a test says: nobody knows its start, and it has no end.
fn holds_of_rule(test: &HoldingTest) -> bool {
    match test {
        HoldingTest::Since(_) | HoldingTest::Until(_) => false,
        HoldingTest::UntilIs(Presence::Missing) => true,
        HoldingTest::UntilIs(Presence::Present) => false,
        HoldingTest::Source(sources) => {
            let sources: Sources = sources.iter().map(|it| source_of(it.node)).collect();
            sources.contains(Source::Rule)
        }
    }
}

fn unreadable(name: &str, span: Span, source: ParseError) -> ResolveError {
    ResolveError::UnreadableRule {
        name: name.to_owned(),
        span,
        source,
    }
}

fn in_rule(name: String, span: Span, source: ResolveError) -> ResolveError {
    source.within(span, |source| ResolveError::InRule { name, span, source })
}

/// A way for people, of which the ends are shown when it is long.
pub(crate) fn shown_way(way: &[String]) -> String {
    const SHOWN_MAX: usize = 10;
    if way.len() <= SHOWN_MAX {
        return way.join(" -> ");
    }
    let (first, last) = (SHOWN_MAX - SHOWN_MAX / 2, SHOWN_MAX / 2);
    format!(
        "{} -> … -> {}",
        way[..first].join(" -> "),
        way[way.len() - last..].join(" -> ")
    )
}

//! Which definitions an expression names, and what needs a definition.

use std::collections::BTreeSet;

use tessera_query_lang::{
    Limits, ParseError,
    ast::{
        AttributeTest, Band, Behaviour, DefinitionKind, Events, Expr, GroupRule, HoldingTest,
        INVITED_BY, NameRef, PropertyExpr, Quantity, RangeTest, Referral, Spanned, TagPattern,
        Value, When, Window,
    },
    name::Name,
    parse_expr, parse_group_rule,
};

use super::{
    forms::read_form,
    schema_forms::form_uses,
    schema_names::{Kind, names_of, unknown},
};
use crate::{
    error::Error,
    plan::resolve::shown_way,
    schema::{AttributeKind, Schema, SegmentDefinition},
};

/// The names in an expression.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) tags: BTreeSet<String>,
    pub(super) groups: BTreeSet<String>,
    pub(super) attributes: BTreeSet<String>,
    pub(super) segments: BTreeSet<String>,
    pub(super) events: BTreeSet<String>,
    /// Whether it needs values from outside.
    pub(super) parameters: usize,
}

impl Names {
    /// The names in an expression.
    pub(super) fn of(expr: &Expr) -> Self {
        let mut names = Self::default();
        names.add(expr);
        names
    }

    /// The names in the rule of a group, but for those of its layers.
    pub(super) fn of_group_rule(rule: &GroupRule) -> Self {
        let mut names = Self::default();
        match rule {
            GroupRule::Layers(layers) => layers.iter().for_each(|layer| match &layer.when {
                When::If(expr) => names.add(expr),
                When::Otherwise => {}
            }),
            GroupRule::Bands { of, bands } | GroupRule::Percentiles { of, bands } => {
                names.add_quantity(of);
                bands.iter().for_each(|band| names.add_band(&band.when));
            }
        }
        names
    }

    fn add_quantity(&mut self, quantity: &Quantity) {
        match quantity {
            Quantity::Attribute(name) => {
                self.attributes.insert(name.node.to_string());
            }
            Quantity::Events(measure) => {
                self.add_events(&measure.events);
                self.add_window(measure.window.as_ref());
            }
        }
    }

    fn add_band(&mut self, band: &When<Band>) {
        match band {
            When::If(Band { low, high }) => low
                .iter()
                .chain(high)
                .for_each(|value| self.add_value(value)),
            When::Otherwise => {}
        }
    }

    /// Whether a definition is among them.
    pub(super) fn has(&self, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Tag => self.tags.contains(name),
            Kind::Group => self.groups.contains(name),
            Kind::Attribute => self.attributes.contains(name),
            Kind::Segment => self.segments.contains(name),
            Kind::Event => self.events.contains(name),
            Kind::Form => false,
        }
    }

    fn add(&mut self, expr: &Expr) {
        match expr {
            Expr::All => {}
            Expr::Tag(patterns) => patterns
                .iter()
                .for_each(|pattern| self.add_tag(&pattern.node)),
            Expr::Held { tags, tests } => {
                tags.iter().for_each(|tag| self.add_tag(&tag.node));
                tests.iter().for_each(|test| self.add_holding_test(test));
            }
            Expr::Lapsed { tags, window } => {
                tags.iter().for_each(|tag| self.add_tag(&tag.node));
                self.add_window(window.as_ref());
            }
            Expr::Behaviour(behaviour) => self.add_behaviour(&behaviour.node),
            Expr::Referral(referral) => self.add_referral(&referral.node),
            Expr::Attribute { name, test } => {
                self.attributes.insert(name.node.to_string());
                self.add_test(test);
            }
            Expr::Group { name, is: _ } => match &name.node {
                NameRef::Name(name) => {
                    self.groups.insert(name.to_string());
                }
                NameRef::Parameter(_) => self.parameters += 1,
            },
            Expr::Segment(names) => names.iter().for_each(|name| self.add_segment(&name.node)),
            Expr::Users(values) => self.add_values(values),
            Expr::AtLeast { threshold: _, of } | Expr::And(of) | Expr::Or(of) => {
                of.iter().for_each(|operand| self.add(operand));
            }
            Expr::Not(operand) => self.add(operand),
        }
    }

    fn add_tag(&mut self, pattern: &TagPattern) {
        match pattern {
            TagPattern::Name(name) => {
                self.tags.insert(name.to_string());
            }
            // Whatever it matches when it is asked.
            TagPattern::Glob(_) => {}
            TagPattern::Parameter(_) => self.parameters += 1,
        }
    }

    fn add_segment(&mut self, name: &NameRef) {
        match name {
            NameRef::Name(name) => {
                self.segments.insert(name.to_string());
            }
            NameRef::Parameter(_) => self.parameters += 1,
        }
    }

    fn add_test(&mut self, test: &AttributeTest) {
        match test {
            AttributeTest::AnyOf(values) => self.add_values(values),
            AttributeTest::Between { low, high } => low
                .iter()
                .chain(high)
                .for_each(|value| self.add_value(value)),
            AttributeTest::Compare(_, value) => self.add_value(value),
            AttributeTest::Is(_) => {}
            AttributeTest::Anniversary { first, last } => {
                self.add_value(first);
                self.add_value(last);
            }
        }
    }

    fn add_holding_test(&mut self, test: &HoldingTest) {
        match test {
            HoldingTest::Since(test) | HoldingTest::Until(test) => self.add_range(test),
            HoldingTest::UntilIs(_) | HoldingTest::Source(_) => {}
        }
    }

    fn add_range(&mut self, test: &RangeTest) {
        match test {
            RangeTest::Compare(_, value) => self.add_value(value),
            RangeTest::Between { low, high } => low
                .iter()
                .chain(high)
                .for_each(|value| self.add_value(value)),
        }
    }

    fn add_window(&mut self, window: Option<&Spanned<Window>>) {
        match window.map(|window| &window.node) {
            Some(Window::Between { first, last }) => first
                .iter()
                .chain(last)
                .for_each(|value| self.add_value(value)),
            Some(Window::Last(_)) | None => {}
        }
    }

    fn add_behaviour(&mut self, behaviour: &Behaviour) {
        match behaviour {
            Behaviour::Did {
                names,
                filter,
                window,
            } => {
                names.iter().for_each(|name| self.add_event(&name.node));
                self.add_filter(filter.as_ref());
                self.add_window(window.as_ref());
            }
            Behaviour::Measure { measure, test } => {
                self.add_events(&measure.events);
                self.add_window(measure.window.as_ref());
                self.add_range(test);
            }
            Behaviour::Edge {
                edge: _,
                events,
                window,
                property: _,
                test,
            } => {
                self.add_events(events);
                self.add_window(window.as_ref());
                self.add_test(test);
            }
            Behaviour::Top {
                events,
                property: _,
                window,
                values,
            } => {
                self.add_events(events);
                self.add_window(window.as_ref());
                self.add_values(values);
            }
            Behaviour::Sequence {
                steps,
                within: _,
                window,
            } => {
                steps.iter().for_each(|step| self.add_events(step));
                self.add_window(window.as_ref());
            }
        }
    }

    fn add_events(&mut self, events: &Events) {
        self.add_event(&events.name.node);
        self.add_filter(events.filter.as_ref());
    }

    fn add_event(&mut self, name: &NameRef) {
        match name {
            NameRef::Name(name) => {
                self.events.insert(name.to_string());
            }
            NameRef::Parameter(_) => self.parameters += 1,
        }
    }

    fn add_filter(&mut self, filter: Option<&PropertyExpr>) {
        match filter {
            Some(PropertyExpr::Test { name: _, test }) => self.add_test(test),
            Some(PropertyExpr::Not(inner)) => self.add_filter(Some(inner)),
            Some(PropertyExpr::And(of) | PropertyExpr::Or(of)) => {
                of.iter().for_each(|operand| self.add_filter(Some(operand)));
            }
            None => {}
        }
    }

    fn add_referral(&mut self, referral: &Referral) {
        self.attributes.insert(INVITED_BY.to_owned());
        match referral {
            Referral::ReferredBy(of) | Referral::InviterOf(of) | Referral::DescendantsOf(of, _) => {
                self.add(of);
            }
            Referral::Invited(test) => self.add_range(test),
        }
    }

    fn add_values(&mut self, values: &[Spanned<Value>]) {
        values.iter().for_each(|value| self.add_value(value));
    }

    fn add_value(&mut self, value: &Spanned<Value>) {
        match value.node {
            Value::Parameter(_) => self.parameters += 1,
            Value::Text(_)
            | Value::Integer(_)
            | Value::Decimal(_)
            | Value::Boolean(_)
            | Value::Date(_)
            | Value::Timestamp(_)
            | Value::Relative(_) => {}
        }
    }
}

/// Something that needs a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    /// What kind of definition it is.
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: String,
    /// What it needs the other one for.
    pub(crate) purpose: &'static str,
}

impl Use {
    fn new(kind: &'static str, name: &Name, purpose: &'static str) -> Self {
        let name = name.to_string();
        Self {
            kind,
            name,
            purpose,
        }
    }
}

impl std::fmt::Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

/// What needs a definition, which may be named by a former name.
///
/// # Errors
/// When there is no such definition.
pub(crate) fn usages(
    schema: &Schema,
    kind: DefinitionKind,
    name: &Spanned<Name>,
) -> Result<Vec<Use>, Error> {
    let kind = Kind::of(kind);
    let known = match kind {
        Kind::Tag => schema.tag_called(name.node.as_str()).map(|tag| &tag.name),
        Kind::Group | Kind::Attribute | Kind::Segment | Kind::Event | Kind::Form => {
            names_of(schema, kind).find(|known| **known == name.node)
        }
    };
    match known {
        Some(known) => Ok(uses_of(schema, kind, known.as_str())),
        None => Err(unknown(schema, kind, name)),
    }
}

/// What needs a definition, by kind and name. What cannot be read is taken to need everything.
pub(super) fn uses_of(schema: &Schema, kind: Kind, name: &str) -> Vec<Use> {
    let mut uses = members(schema, kind, name);
    let segments = schema
        .segments()
        .filter(|segment| names_of_segment(segment).map_or(true, |names| names.has(kind, name)));
    uses.extend(segments.map(|segment| Use::new("segment", &segment.name, "expression")));
    for tag in schema.tags() {
        if let Some(rule) = &tag.rule
            && parse_expr(rule, &Limits::default())
                .map_or(true, |expr| Names::of(&expr).has(kind, name))
        {
            uses.push(Use::new("tag", &tag.name, "rule"));
        }
    }
    for group in schema.groups() {
        if let Some(rule) = &group.rule
            && parse_group_rule(rule, &Limits::default())
                .map_or(true, |rule| is_in_rule(&rule, kind, name))
        {
            uses.push(Use::new("group", &group.name, "rule"));
        }
    }
    let forms = schema.forms();
    let forms = forms.filter(|form| read_form(form).map_or(true, |it| form_uses(&it, kind, name)));
    uses.extend(forms.map(|form| Use::new("form", &form.name, "field")));
    if let (Kind::Attribute, Some(base)) = (kind, schema.attribute(name)) {
        let derived = schema
            .attributes()
            .filter(|other| other.kind == AttributeKind::YearsSince(base.id));
        uses.extend(derived.map(|other| Use::new("attribute", &other.name, "derivation")));
    }
    uses
}

fn is_in_rule(rule: &GroupRule, kind: Kind, name: &str) -> bool {
    let is_layer = || match rule {
        GroupRule::Layers(layers) => layers.iter().any(|layer| layer.tag.node.as_str() == name),
        GroupRule::Bands { bands, .. } | GroupRule::Percentiles { bands, .. } => {
            bands.iter().any(|layer| layer.tag.node.as_str() == name)
        }
    };
    Names::of_group_rule(rule).has(kind, name) || (kind == Kind::Tag && is_layer())
}

/// The tags and groups that stand in a group.
fn members(schema: &Schema, kind: Kind, name: &str) -> Vec<Use> {
    let group = match kind {
        Kind::Group => schema.group(name),
        Kind::Tag | Kind::Attribute | Kind::Segment | Kind::Event | Kind::Form => None,
    };
    let Some(group) = group else {
        return Vec::new();
    };
    let tags = schema.tags_of_group(group.id);
    let tags = tags.map(|tag| Use::new("tag", &tag.name, "member"));
    let inner = schema
        .groups()
        .filter(|inner| inner.parent == Some(group.id));
    let inner = inner.map(|inner| Use::new("group", &inner.name, "member"));
    tags.chain(inner).collect()
}

/// The names in a saved segment.
pub(super) fn names_of_segment(segment: &SegmentDefinition) -> Result<Names, ParseError> {
    // Within these limits when it was saved.
    Ok(Names::of(&parse_expr(&segment.text, &Limits::default())?))
}

/// A list for people, of which a few are shown.
pub(super) fn list(names: &[String]) -> Option<String> {
    const SHOWN_MAX: usize = 5;
    if names.is_empty() {
        return None;
    }
    let shown = names[..names.len().min(SHOWN_MAX)].join(", ");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => Some(shown),
        more => Some(format!("{shown} and {more} more")),
    }
}

/// The way from a segment with these names back to `name`, if there is one: `segment:a -> segment:b -> segment:a`.
///
/// Chains of saved segments may be as long as there are segments: nothing here recurses.
pub(super) fn cycle(schema: &Schema, name: &str, names: &Names) -> Option<String> {
    let mut seen = BTreeSet::new();
    // What is still to be followed from each segment of `way`.
    let mut rest = vec![names.segments.clone()];
    let mut way = vec![name.to_owned()];
    while let Some(nexts) = rest.last_mut() {
        let Some(next) = nexts.pop_first() else {
            rest.pop();
            way.pop();
            continue;
        };
        if next == name {
            way.push(next);
            let names: Vec<String> = way.iter().map(|name| format!("segment:{name}")).collect();
            return Some(shown_way(&names));
        }
        if !seen.insert(next.clone()) {
            continue;
        }
        let inner = schema
            .segment(&next)
            .and_then(|segment| names_of_segment(segment).ok());
        if let Some(inner) = inner {
            way.push(next);
            rest.push(inner.segments);
        }
    }
    None
}

#[cfg(test)]
mod tests;

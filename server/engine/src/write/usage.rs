//! Which definitions an expression names.

use std::collections::BTreeSet;

use tessera_query_lang::{
    Limits, ParseError,
    ast::{AttributeTest, Expr, NameRef, Spanned, TagPattern, Value},
    parse_expr,
};

use crate::schema::{Schema, SegmentDefinition};

/// The names in an expression.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) tags: BTreeSet<String>,
    pub(super) groups: BTreeSet<String>,
    pub(super) attributes: BTreeSet<String>,
    pub(super) segments: BTreeSet<String>,
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

    fn add(&mut self, expr: &Expr) {
        match expr {
            Expr::All => {}
            Expr::Tag(patterns) => patterns
                .iter()
                .for_each(|pattern| self.add_tag(&pattern.node)),
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

/// The names in a saved segment.
pub(super) fn names_of_segment(segment: &SegmentDefinition) -> Result<Names, ParseError> {
    // Within these limits when it was saved.
    Ok(Names::of(&parse_expr(&segment.text, &Limits::default())?))
}

/// The saved segments that name something, as a list for people; `None` when none does. One
/// that cannot be read is taken for a user of everything.
pub(super) fn segments_that(schema: &Schema, uses: impl Fn(&Names) -> bool) -> Option<String> {
    let found: Vec<String> = schema
        .segments()
        .filter(|segment| names_of_segment(segment).map_or(true, |names| uses(&names)))
        .map(|segment| format!("segment:{}", segment.name))
        .collect();
    list(&found)
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

/// The way from a segment with these names back to `name`, if there is one: `a → b → a`.
pub(super) fn cycle(schema: &Schema, name: &str, names: &Names) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut way = vec![name.to_owned()];
    finds_back(schema, name, names, &mut seen, &mut way).then(|| way.join(" → "))
}

fn finds_back(
    schema: &Schema,
    name: &str,
    names: &Names,
    seen: &mut BTreeSet<String>,
    way: &mut Vec<String>,
) -> bool {
    for next in &names.segments {
        way.push(next.clone());
        if next == name {
            return true;
        }
        let inner = schema
            .segment(next)
            .and_then(|segment| names_of_segment(segment).ok());
        if let Some(inner) = inner
            && seen.insert(next.clone())
            && finds_back(schema, name, &inner, seen, way)
        {
            return true;
        }
        way.pop();
    }
    false
}

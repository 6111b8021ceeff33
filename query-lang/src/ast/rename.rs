//! A tag's new name in everything that says the old one.

use super::{Expr, GroupRule, Layer, Referral, Spanned, TagPattern, When};
use crate::name::Name;

impl Expr {
    /// Puts a tag's new name in the place of the old one, and says in how many places. Globs
    /// and parameters stay as they are.
    ///
    /// ```
    /// use tessera_query_lang::{Limits, name::Name, parse_expr};
    /// let mut expr = parse_expr("tag:(a, b) AND NOT referred_by(lapsed(tag:a))", &Limits::default())?;
    /// assert_eq!(expr.rename_tag(&Name::new("a")?, &Name::new("new")?), 2);
    /// assert_eq!(expr.to_string(), "tag:(new, b) AND NOT referred_by(lapsed(tag:new))");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rename_tag(&mut self, from: &Name, to: &Name) -> usize {
        match self {
            Self::Tag(tags) | Self::Held { tags, .. } | Self::Lapsed { tags, .. } => {
                tags.iter_mut().map(|tag| rename(tag, from, to)).sum()
            }
            Self::Referral(referral) => match &mut referral.node {
                Referral::ReferredBy(of)
                | Referral::InviterOf(of)
                | Referral::DescendantsOf(of, _) => of.rename_tag(from, to),
                Referral::Invited(_) => 0,
            },
            Self::AtLeast { of, .. } | Self::And(of) | Self::Or(of) => {
                of.iter_mut().map(|expr| expr.rename_tag(from, to)).sum()
            }
            Self::Not(inner) => inner.rename_tag(from, to),
            Self::All
            | Self::Attribute { .. }
            | Self::Behaviour(_)
            | Self::Group { .. }
            | Self::Segment(_)
            | Self::Users(_) => 0,
        }
    }
}

fn rename(tag: &mut Spanned<TagPattern>, from: &Name, to: &Name) -> usize {
    if matches!(&tag.node, TagPattern::Name(name) if name == from) {
        tag.node = TagPattern::Name(to.clone());
        return 1;
    }
    0
}

impl GroupRule {
    /// As for an expression; the names of the layers are renamed too.
    pub fn rename_tag(&mut self, from: &Name, to: &Name) -> usize {
        match self {
            Self::Layers(layers) => {
                let in_rules: usize = layers
                    .iter_mut()
                    .map(|layer| match &mut layer.when {
                        When::If(rule) => rule.rename_tag(from, to),
                        When::Otherwise => 0,
                    })
                    .sum();
                in_rules + rename_layers(layers, from, to)
            }
            Self::Bands { bands, .. } | Self::Percentiles { bands, .. } => {
                rename_layers(bands, from, to)
            }
        }
    }
}

fn rename_layers<T>(layers: &mut [Layer<T>], from: &Name, to: &Name) -> usize {
    let found = layers.iter_mut().filter(|layer| layer.tag.node == *from);
    found.map(|layer| layer.tag.node = to.clone()).count()
}

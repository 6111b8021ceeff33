//! `SEGMENT`: fields, order and sample.

use tessera_query_lang::ast::{self, Decimal, Span, Spanned};

use super::{ResolveError, Resolver, literal::kind_name};
use crate::{
    plan::query::{Field, FieldKind, OrderField, Sample, SegmentQuery},
    schema::AttributeClass,
};

impl Resolver<'_> {
    pub(super) fn resolve_segment(
        &mut self,
        segment: &ast::Segment,
    ) -> Result<SegmentQuery, ResolveError> {
        let returns = self.returned(&segment.returns)?;
        let order = segment
            .order
            .iter()
            .map(|(field, direction)| Ok((self.order_field(field)?, *direction)))
            .collect::<Result<_, _>>()?;
        Ok(SegmentQuery {
            filter: self.resolve_expr(&segment.filter)?,
            returns,
            order,
            sample: segment.sample.map(sample).transpose()?,
            limit: segment.limit.as_ref().map(|limit| limit.node),
        })
    }

    /// Each field once, and the key not at all: it is the first column anyway, and no two columns
    /// have the same name.
    fn returned(&mut self, fields: &[Spanned<ast::Field>]) -> Result<Vec<Field>, ResolveError> {
        let mut returned: Vec<Field> = Vec::with_capacity(fields.len());
        for field in fields {
            if let Some(field) = self.field(field)?
                && !returned.contains(&field)
            {
                returned.push(field);
            }
        }
        Ok(returned)
    }

    /// A column beside the key's.
    fn field(&mut self, field: &Spanned<ast::Field>) -> Result<Option<Field>, ResolveError> {
        Ok(match &field.node {
            ast::Field::Key => None,
            ast::Field::Tags => Some(Field {
                name: "tags".to_owned(),
                kind: FieldKind::Tags {
                    at_s: self.now_s(),
                    ruled: self.all_ruled()?,
                },
            }),
            ast::Field::Attribute(name) => {
                let attribute = self.attribute_named(&Spanned::new(name.clone(), field.span))?;
                Some(Field {
                    name: attribute.name.as_str().to_owned(),
                    kind: FieldKind::Attribute(attribute.id),
                })
            }
        })
    }

    fn order_field(&mut self, field: &Spanned<ast::Field>) -> Result<OrderField, ResolveError> {
        match &field.node {
            ast::Field::Key => Ok(OrderField::Key),
            ast::Field::Tags => Err(ResolveError::mismatch(
                "users cannot be ordered by all their tags",
                field.span,
            )),
            ast::Field::Attribute(name) => {
                let attribute = self.attribute_named(&Spanned::new(name.clone(), field.span))?;
                match attribute.kind.class() {
                    AttributeClass::Coded | AttributeClass::Numeric => {
                        Ok(OrderField::Attribute(attribute.id))
                    }
                    AttributeClass::Textual => Ok(OrderField::Text(attribute.id)),
                    AttributeClass::MultiCoded => {
                        let message = format!(
                            "{} is {}: users have several of its values and cannot be ordered by it",
                            attribute.name.as_str(),
                            kind_name(&attribute.kind)
                        );
                        Err(ResolveError::mismatch(message, field.span))
                    }
                }
            }
        }
    }
}

/// `p%` of 2^64, rounded down.
fn sample(sample: ast::Sample) -> Result<Sample, ResolveError> {
    let Decimal { units, scale } = sample.percent;
    let whole = u128::from(10_u8)
        .checked_pow(scale.into())
        .and_then(|power| power.checked_mul(100));
    let threshold = match (u128::try_from(units), whole) {
        (Ok(units), Some(whole)) if units > 0 && units <= whole => share_of_hashes(units, whole),
        (Ok(_) | Err(_), Some(_) | None) => {
            let message = "a sample is above 0% and at most 100%";
            return Err(ResolveError::mismatch(message, Span::default()));
        }
    };
    Ok(Sample {
        threshold,
        seed: sample.seed,
    })
}

/// `units / whole * 2^64` for `units <= whole < 2^67`, bit by bit, since the product overflows.
fn share_of_hashes(units: u128, whole: u128) -> u128 {
    let (mut rest, mut share) = (units % whole, units / whole);
    for _ in 0..64 {
        rest *= 2;
        share = share * 2 + rest / whole;
        rest %= whole;
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_parts_of_all_hashes() {
        let check = |units: i64, scale: u8, expected: Option<u128>| {
            let percent = Decimal { units, scale };
            let found = sample(ast::Sample { percent, seed: 0 })
                .ok()
                .map(|sample| sample.threshold);
            assert_eq!(found, expected, "{units}e-{scale}%");
        };
        check(100, 0, Some(1 << 64));
        check(50, 0, Some(1 << 63));
        check(25, 0, Some(1 << 62));
        check(125, 1, Some(1 << 61));
        check(1, 0, Some((1_u128 << 64) / 100));
        check(1_000_000_000_000_000_000, 18, Some((1_u128 << 64) / 100));
        check(0, 0, None);
        check(-1, 0, None);
        check(101, 0, None);
    }
}

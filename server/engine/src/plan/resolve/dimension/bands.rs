//! Bands in a `DIMENSION`: their bounds, and what each is called.
//!
//! Labels: for integers `<18`, `18..24`, `>=55`, and a band of one number is that number; for
//! decimals, dates and timestamps `<18.50`, `[18.50, 25.00)`, `>=55.00`, since between two of
//! them there is always another or may be one.
//!
//! Does not know who is in a band.

use tessera_query_lang::{
    ast::{Spanned, Value},
    name::Name,
};

use super::{number_unit, wrong_kind};
use crate::{
    plan::{
        query::{Dim, DimKind, NumberUnit},
        resolve::{ResolveError, Resolver, literal::decimal_text},
    },
    time,
};

impl Resolver<'_> {
    pub(super) fn bands(
        &mut self,
        name: &Spanned<Name>,
        bounds: &[Spanned<Value>],
    ) -> Result<Dim, ResolveError> {
        let definition = self.attribute_named(name)?;
        let Some(unit) = number_unit(&definition.kind) else {
            return Err(wrong_kind(
                definition,
                "only numbers, dates and timestamps have bands",
                name,
            ));
        };
        let mut raw: Vec<i64> = Vec::with_capacity(bounds.len());
        for bound in bounds {
            let first = self.literal(bound)?.extent(definition, bound.span)?.first;
            let first = i64::try_from(first).map_err(|_| {
                ResolveError::mismatch("this bound is outside the attribute's numbers", bound.span)
            })?;
            if raw.last().is_some_and(|last| *last >= first) {
                return Err(ResolveError::mismatch(
                    "the bounds of bands must rise",
                    bound.span,
                ));
            }
            raw.push(first);
        }
        let labels = band_labels(&raw, unit);
        let kind = DimKind::Bands {
            attribute: definition.id,
            bounds: raw,
            labels,
        };
        Ok(Dim {
            name: definition.name.as_str().to_owned(),
            kind,
        })
    }
}

fn raw_text(raw: i64, unit: NumberUnit) -> String {
    match unit {
        NumberUnit::Integer => raw.to_string(),
        NumberUnit::Decimal(scale) => decimal_text(raw.into(), scale),
        NumberUnit::Date => i32::try_from(raw).map_or_else(|_| raw.to_string(), time::format_date),
        NumberUnit::Timestamp => time::format_timestamp(raw),
    }
}

/// One label more than there are bounds.
fn band_labels(bounds: &[i64], unit: NumberUnit) -> Vec<String> {
    let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else {
        return vec!["all".to_owned()];
    };
    let mut labels = vec![format!("<{}", raw_text(*first, unit))];
    labels.extend(bounds.windows(2).map(|pair| match (pair, unit) {
        ([low, next], NumberUnit::Integer) if *low == next - 1 => low.to_string(),
        ([low, next], NumberUnit::Integer) => format!("{low}..{}", next - 1),
        ([low, next], _) => format!("[{}, {})", raw_text(*low, unit), raw_text(*next, unit)),
        (_, _) => String::new(),
    }));
    labels.push(format!(">={}", raw_text(*last, unit)));
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn band_labels_are_readable() {
        let check = |bounds: &[i64], unit: NumberUnit, expected: &[&str]| {
            assert_eq!(band_labels(bounds, unit), expected);
        };
        check(
            &[18, 25, 26],
            NumberUnit::Integer,
            &["<18", "18..24", "25", ">=26"],
        );
        check(
            &[1850, 2500],
            NumberUnit::Decimal(2),
            &["<18.50", "[18.50, 25.00)", ">=25.00"],
        );
        check(&[0], NumberUnit::Date, &["<1970-01-01", ">=1970-01-01"]);
        check(&[], NumberUnit::Integer, &["all"]);
    }
}

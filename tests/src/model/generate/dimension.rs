//! Random `DIMENSION` statements.

use rand::Rng;
use tessera_query_lang::ast::{
    AttributeType, CalendarUnit, Comparison, Decimal, Dim, Dimension, DimensionOrder, Direction,
    Expr, Having, Measure, NameRef, Spanned, Value,
};

use super::{Generator, expr::is_ordered, name, named};
use crate::model::{Attribute, Model, dimension::adds_up};

const UNITS: [CalendarUnit; 5] = [
    CalendarUnit::Day,
    CalendarUnit::Week,
    CalendarUnit::Month,
    CalendarUnit::Quarter,
    CalendarUnit::Year,
];

impl Generator {
    pub(super) fn dimension(&mut self, model: &Model) -> Option<Dimension> {
        let mut dims = Vec::new();
        for _ in 0..self.count(3) {
            let dim = self.dim(model)?;
            if !dims.contains(&dim) {
                dims.push(dim);
            }
        }
        let measures = if self.chance(0.4) {
            Vec::new()
        } else {
            (0..self.count(4))
                .map(|_| Spanned::synthetic(self.measure(model)))
                .collect()
        };
        let having = if self.chance(0.25) {
            Some(self.having(model, 2))
        } else {
            None
        };
        let order = self.group_order(model, &dims);
        let top = self
            .chance(0.25)
            .then(|| Spanned::synthetic(self.rng.random_range(1..6)));
        let filter = if self.chance(0.4) {
            Expr::All
        } else {
            self.expr(model, 2)
        };
        Some(Dimension {
            dims,
            window: None,
            measures,
            having,
            order,
            top,
            filter,
        })
    }

    fn dim(&mut self, model: &Model) -> Option<Dim> {
        match self.rng.random_range(0..12) {
            0 => Some(Dim::Tags(Vec::new())),
            1 => self.tag_patterns(model).map(Dim::Tags),
            2..4 => {
                let group = self.defined(model.groups.keys())?;
                Some(Dim::Group(Spanned::synthetic(NameRef::Name(name(&group)))))
            }
            4..8 => {
                let groupable = Self::attributes(model, |attribute| {
                    !matches!(attribute.kind, AttributeType::Text | AttributeType::User)
                });
                let attribute = if self.mistake() {
                    self.defined(model.attributes.keys())
                } else {
                    self.one_of(&groupable)
                };
                Some(Dim::Attribute(named(&attribute?)))
            }
            8..10 => self.bands(model),
            _ => {
                let dated = Self::attributes(model, |attribute| {
                    matches!(
                        attribute.kind,
                        AttributeType::Date | AttributeType::Timestamp
                    )
                });
                let attribute = if self.mistake() {
                    self.defined(model.attributes.keys())
                } else {
                    self.one_of(&dated)
                };
                Some(Dim::Calendar {
                    attribute: named(&attribute?),
                    unit: UNITS[self.rng.random_range(0..5)],
                })
            }
        }
    }

    fn one_of(&mut self, names: &[&str]) -> Option<String> {
        self.pick(names).map(str::to_owned)
    }

    fn bands(&mut self, model: &Model) -> Option<Dim> {
        let ordered = Self::attributes(model, is_ordered);
        let attribute = self.one_of(&ordered)?;
        let definition = &model.attributes[&attribute];
        let mut bounds: Vec<Value> = (0..self.count(4)).map(|_| self.bound(definition)).collect();
        // Mostly rising, as they must be.
        if !self.chance(0.05) {
            bounds.sort_by_key(|bound| {
                crate::model::value::ordered(&definition.kind, bound, model.now).expect("fits")
            });
            bounds.dedup();
        }
        Some(Dim::Bands {
            attribute: named(&attribute),
            bounds: bounds.into_iter().map(Spanned::synthetic).collect(),
        })
    }

    fn bound(&mut self, attribute: &Attribute) -> Value {
        match attribute.kind {
            AttributeType::Date | AttributeType::Timestamp => {
                Value::Date(crate::model::value::date_of(i64::from(self.day())))
            }
            AttributeType::Decimal(_) if self.chance(0.5) => Value::Decimal(Decimal {
                units: self.rng.random_range(-2_000..6_000),
                scale: 2,
            }),
            _ => Value::Integer(self.rng.random_range(-20..60)),
        }
    }

    fn measure(&mut self, model: &Model) -> Measure {
        let kind = self.rng.random_range(0..9);
        if kind < 2 {
            return if kind == 0 {
                Measure::Count
            } else {
                Measure::Share
            };
        }
        let numbers = Self::attributes(model, if kind < 5 { adds_up } else { is_ordered });
        let attribute = if self.mistake() {
            self.defined(model.attributes.keys())
        } else {
            self.one_of(&numbers)
        };
        let Some(attribute) = attribute else {
            return Measure::Count;
        };
        match kind {
            2..4 => Measure::Sum(named(&attribute)),
            4 => Measure::Average(named(&attribute)),
            5 => Measure::Min(named(&attribute)),
            6 => Measure::Max(named(&attribute)),
            _ => Measure::Percentile(self.rng.random_range(0..=100), named(&attribute)),
        }
    }

    fn having(&mut self, model: &Model, depth: u32) -> Having {
        match self.rng.random_range(0..6) {
            0 if depth > 0 => Having::Not(Box::new(self.having(model, depth - 1))),
            1 if depth > 0 => Having::And(vec![self.condition(model), self.condition(model)]),
            2 if depth > 0 => Having::Or(vec![self.condition(model), self.condition(model)]),
            _ => self.condition(model),
        }
    }

    fn condition(&mut self, model: &Model) -> Having {
        let comparisons = [
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Less,
            Comparison::LessOrEqual,
            Comparison::Greater,
            Comparison::GreaterOrEqual,
        ];
        let comparison = comparisons[self.rng.random_range(0..comparisons.len())];
        let measure = self.measure(model);
        let value = match &measure {
            Measure::Count => Value::Integer(self.rng.random_range(0..6)),
            // Off the grid of shares, so that no rounding decides.
            Measure::Share => Value::Decimal(Decimal {
                units: self.rng.random_range(0..100) * 1000 + 137,
                scale: 5,
            }),
            Measure::Users | Measure::Events(_) => panic!("the generator makes none"),
            Measure::Sum(_) | Measure::Average(_) => Value::Decimal(Decimal {
                units: self.rng.random_range(-2_000_000..2_000_000) * 10 + 3,
                scale: 4,
            }),
            Measure::Min(name) | Measure::Max(name) | Measure::Percentile(_, name) => {
                match model.attributes.get(name.node.as_str()) {
                    Some(attribute) if is_ordered(attribute) => self.bound(attribute),
                    Some(_) | None => Value::Integer(0),
                }
            }
        };
        Having::Compare(
            Spanned::synthetic(measure),
            comparison,
            Spanned::synthetic(value),
        )
    }

    fn group_order(&mut self, model: &Model, dims: &[Dim]) -> Vec<(DimensionOrder, Direction)> {
        if self.chance(0.6) {
            return Vec::new();
        }
        (0..self.count(2))
            .map(|_| {
                let direction = if self.chance(0.5) {
                    Direction::Ascending
                } else {
                    Direction::Descending
                };
                let by_dim = self.chance(0.5);
                let order = if by_dim {
                    let at = self.rng.random_range(0..dims.len());
                    DimensionOrder::Dim(dim_name(&dims[at]))
                } else {
                    DimensionOrder::Measure(Spanned::synthetic(self.measure(model)))
                };
                (order, direction)
            })
            .collect()
    }
}

fn dim_name(dim: &Dim) -> Spanned<tessera_query_lang::name::Name> {
    match dim {
        Dim::Attribute(name)
        | Dim::Bands {
            attribute: name, ..
        }
        | Dim::Calendar {
            attribute: name, ..
        } => name.clone(),
        Dim::Events { .. } => panic!("the generator makes none"),
        Dim::Tags(_) => named("tag"),
        Dim::Group(group) => named(&format!(
            "group:{}",
            crate::model::expr::name_of(&group.node)
        )),
    }
}

//! Random questions.

use rand::Rng;
use tessera_query_lang::{
    ast::{
        AttributeType, Decimal, Direction, ExplainMode, Field, Sample, Segment, Show, ShowList,
        Spanned, Statement, Value,
    },
    name::Glob,
};

use super::{Generator, name, named};
use crate::model::Model;

impl Generator {
    pub(super) fn query(&mut self, model: &Model) -> Statement {
        match self.rng.random_range(0..100) {
            0..40 => Statement::Count(self.expr(model, 3)),
            40..65 => Statement::Segment(self.segment(model)),
            65..88 => self.dimension(model).map_or_else(
                || Statement::Count(self.expr(model, 3)),
                Statement::Dimension,
            ),
            88..93 => Statement::Portrait(Spanned::synthetic(Value::Text(self.key()))),
            93..97 => Statement::Show(self.show(model)),
            _ => {
                let mode = if self.chance(0.5) {
                    ExplainMode::Plan
                } else {
                    ExplainMode::Analyze
                };
                Statement::Explain(mode, Box::new(Statement::Count(self.expr(model, 3))))
            }
        }
    }

    fn segment(&mut self, model: &Model) -> Segment {
        let returns = if self.chance(0.5) {
            self.fields(model)
        } else {
            Vec::new()
        };
        let order = if self.chance(0.5) {
            self.order(model)
        } else {
            Vec::new()
        };
        let sample = self.chance(0.15).then(|| Sample {
            percent: Decimal {
                units: self.rng.random_range(1..=1000),
                scale: 1,
            },
            seed: self.rng.random_range(0..3),
        });
        let limit = self
            .chance(0.4)
            .then(|| Spanned::synthetic(self.rng.random_range(1..8)));
        Segment {
            filter: self.expr(model, 3),
            returns,
            order,
            sample,
            limit,
        }
    }

    fn fields(&mut self, model: &Model) -> Vec<Spanned<Field>> {
        let mut fields = Vec::new();
        for _ in 0..self.count(4) {
            let field = match self.rng.random_range(0..8) {
                0 => Some(Field::Key),
                1 => Some(Field::Tags),
                _ => self
                    .defined(model.attributes.keys())
                    .map(|attribute| Field::Attribute(name(&attribute))),
            };
            fields.extend(field.map(Spanned::synthetic));
        }
        fields
    }

    fn order(&mut self, model: &Model) -> Vec<(Spanned<Field>, Direction)> {
        let single = Self::attributes(model, |attribute| {
            !matches!(attribute.kind, AttributeType::Multi(_))
        });
        let mut order = Vec::new();
        for _ in 0..self.count(2) {
            let field = if self.chance(0.2) {
                Some(Field::Key)
            } else if self.mistake() {
                self.defined(model.attributes.keys())
                    .map(|attribute| Field::Attribute(name(&attribute)))
            } else {
                self.pick(&single)
                    .map(|attribute| Field::Attribute(name(attribute)))
            };
            let direction = if self.chance(0.5) {
                Direction::Ascending
            } else {
                Direction::Descending
            };
            order.extend(field.map(|field| (Spanned::synthetic(field), direction)));
        }
        order
    }

    fn show(&mut self, model: &Model) -> Show {
        let like = self.chance(0.4).then(|| Glob::new("*o*").expect("a glob"));
        let limit = self.chance(0.3).then(|| self.rng.random_range(1..4));
        let list = ShowList { like, limit };
        match self.rng.random_range(0..7) {
            0 => Show::Groups(list),
            1 => Show::Attributes(list),
            2 => Show::Segments(list),
            3 => {
                let labelled = Self::attributes(model, |attribute| {
                    matches!(
                        attribute.kind,
                        AttributeType::Enum(_) | AttributeType::Multi(_)
                    )
                });
                match self.pick(&labelled) {
                    Some(attribute) => Show::Values(named(attribute), list),
                    None => Show::Status,
                }
            }
            4 => Show::Status,
            5 => Show::Events(list),
            _ => Show::Tags(list),
        }
    }
}

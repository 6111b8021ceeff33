//! Definitions of attributes, and lists of their values.
//!
//! Knows which types there are and which values a list can have. Does not know what users have of
//! them.

use tessera_query_lang::{
    ast::{AttributeType, INVITED_BY, Span, Spanned},
    name::Name,
};

use super::{
    coerce,
    schema_change::{Planned, Planner, refuse},
    schema_names::{Kind, check_notes, find},
};
use crate::{
    datum::Datum,
    error::Error,
    ids::{AttributeId, ValueCode},
    schema::{
        AttributeDefinition, AttributeKind, DECIMAL_SCALE_MAX, Mutability, Notes, Vocabulary,
    },
    storage::{SchemaKey, StoredDefinition},
    write::{LimitError, SchemaErrorKind, command::SchemaChange},
};

impl Planner<'_> {
    pub(super) fn define_attribute(
        &self,
        name: &Spanned<Name>,
        attribute_type: &AttributeType,
        mutability: Mutability,
        notes: &Notes,
    ) -> Result<Planned, Error> {
        let notes = check_notes(&Notes::default(), notes)?;
        let id = self.schema.next_attribute_id();
        let (mut kind, values) = kind_of(attribute_type, name.span)?;
        let mut mutability = mutability;
        if kind == AttributeKind::User && name.node.as_str() == INVITED_BY {
            (kind, mutability) = (AttributeKind::Inviter, Mutability::WriteOnce);
        }
        let values = values
            .map(|values| self.vocabulary(name, values))
            .transpose()?
            .unwrap_or_default();
        let attribute = AttributeDefinition {
            id,
            name: name.node.clone(),
            kind,
            mutability,
            notes,
        };
        let mut planned = Planned::put(
            SchemaKey::Attribute(id),
            StoredDefinition::of_attribute(&attribute),
        );
        planned.changes.extend(put_values(id, 0, values));
        Ok(planned)
    }

    /// `AS YEARS SINCE birthday`
    pub(super) fn define_years(
        &self,
        name: &Spanned<Name>,
        base: &Spanned<Name>,
        notes: &Notes,
    ) -> Result<Planned, Error> {
        let of = find(self.schema, Kind::Attribute, base, |schema, name| {
            schema.attribute(name)
        })?;
        if !matches!(of.kind, AttributeKind::Date | AttributeKind::Timestamp) {
            let kind = SchemaErrorKind::NoDay {
                name: of.name.to_string(),
                attribute_kind: of.kind.to_string(),
            };
            return Err(refuse(kind, base.span));
        }
        let attribute = AttributeDefinition {
            id: self.schema.next_attribute_id(),
            name: name.node.clone(),
            kind: AttributeKind::YearsSince(of.id),
            mutability: Mutability::Mutable,
            notes: check_notes(&Notes::default(), notes)?,
        };
        Ok(Planned::put(
            SchemaKey::Attribute(attribute.id),
            StoredDefinition::of_attribute(&attribute),
        ))
    }

    /// The values of a closed list.
    pub(super) fn vocabulary(
        &self,
        name: &Spanned<Name>,
        values: &[String],
    ) -> Result<Vec<String>, Error> {
        if values.is_empty() {
            return Err(refuse(SchemaErrorKind::EmptyVocabulary, name.span));
        }
        self.check_value_count(name, values.len())?;
        let mut texts: Vec<String> = Vec::with_capacity(values.len());
        for value in values {
            let text = listed_value(value, name.span)?;
            if texts.contains(&text) {
                return Err(refuse(SchemaErrorKind::RepeatedValue(text), name.span));
            }
            texts.push(text);
        }
        Ok(texts)
    }

    fn check_value_count(&self, name: &Spanned<Name>, count: usize) -> Result<(), LimitError> {
        let max = self.limits.attribute_values_max;
        if count <= max as usize {
            return Ok(());
        }
        Err(LimitError::AttributeValues {
            attribute: name.node.to_string(),
            max,
        })
    }

    pub(super) fn alter_attribute(
        &self,
        name: &Spanned<Name>,
        add_values: &[String],
        mutability: Option<Mutability>,
        notes: &Notes,
    ) -> Result<Planned, Error> {
        let mut attribute = find(self.schema, Kind::Attribute, name, |schema, name| {
            schema.attribute(name)
        })?
        .clone();
        attribute.notes = check_notes(&attribute.notes, notes)?;
        if let Some(mutability) = mutability {
            check_mutability(&attribute, mutability, name.span)?;
            attribute.mutability = mutability;
        }
        let values = self.new_values(&attribute, name, add_values)?;
        let code = self.schema.value_count(attribute.id);
        let key = SchemaKey::Attribute(attribute.id);
        let mut planned = Planned::put(key, StoredDefinition::of_attribute(&attribute));
        planned
            .changes
            .extend(put_values(attribute.id, code, values));
        Ok(planned)
    }

    /// Those of the values that the attribute does not have.
    fn new_values(
        &self,
        attribute: &AttributeDefinition,
        name: &Spanned<Name>,
        values: &[String],
    ) -> Result<Vec<String>, Error> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        if !matches!(
            attribute.kind,
            AttributeKind::Enum(_) | AttributeKind::Multi(_)
        ) {
            let attribute_kind = attribute.kind.to_string();
            return Err(refuse(
                SchemaErrorKind::NoVocabulary {
                    name: name.node.to_string(),
                    attribute_kind,
                },
                name.span,
            ));
        }
        let mut texts = self.vocabulary(name, values)?;
        texts.retain(|text| self.schema.value_code(attribute.id, text).is_none());
        self.check_value_count(
            name,
            self.schema.value_count(attribute.id) as usize + texts.len(),
        )?;
        Ok(texts)
    }
}

/// Refuses to let go of what is settled for an attribute.
fn check_mutability(
    attribute: &AttributeDefinition,
    mutability: Mutability,
    span: Span,
) -> Result<(), Error> {
    let reason = match (attribute.kind, mutability) {
        (AttributeKind::YearsSince(_), _) => "it is derived and never written",
        (AttributeKind::Inviter, Mutability::Mutable) => {
            "who invited a user is said once, so that nobody comes to be above themselves"
        }
        (AttributeKind::Inviter, Mutability::WriteOnce)
        | (
            AttributeKind::Enum(_)
            | AttributeKind::Multi(_)
            | AttributeKind::Integer
            | AttributeKind::Decimal { .. }
            | AttributeKind::Date
            | AttributeKind::Timestamp
            | AttributeKind::Boolean
            | AttributeKind::Text
            | AttributeKind::User,
            Mutability::Mutable | Mutability::WriteOnce,
        ) => return Ok(()),
    };
    let name = attribute.name.to_string();
    Err(refuse(SchemaErrorKind::Settled { name, reason }, span))
}

/// An attribute's type, and its values when the list is closed.
pub(super) fn kind_of(
    attribute_type: &AttributeType,
    span: Span,
) -> Result<(AttributeKind, Option<&[String]>), Error> {
    let vocabulary = |values: &Option<Vec<String>>| match values {
        Some(_) => Vocabulary::Closed,
        None => Vocabulary::Open,
    };
    Ok(match attribute_type {
        AttributeType::Enum(values) => (AttributeKind::Enum(vocabulary(values)), values.as_deref()),
        AttributeType::Multi(values) => {
            (AttributeKind::Multi(vocabulary(values)), values.as_deref())
        }
        AttributeType::Integer => (AttributeKind::Integer, None),
        AttributeType::Decimal(scale) if *scale > DECIMAL_SCALE_MAX => {
            return Err(refuse(SchemaErrorKind::Scale(*scale), span));
        }
        AttributeType::Decimal(scale) => (AttributeKind::Decimal { scale: *scale }, None),
        AttributeType::Date => (AttributeKind::Date, None),
        AttributeType::Timestamp => (AttributeKind::Timestamp, None),
        AttributeType::Boolean => (AttributeKind::Boolean, None),
        AttributeType::Text => (AttributeKind::Text, None),
        AttributeType::User => (AttributeKind::User, None),
    })
}

fn listed_value(value: &str, span: Span) -> Result<String, Error> {
    coerce::vocabulary_text(&Datum::Text(value.to_owned())).map_err(|reason| {
        refuse(
            SchemaErrorKind::InvalidValue {
                value: coerce::excerpt(value),
                reason,
            },
            span,
        )
    })
}

pub(super) fn put_values(
    attribute: AttributeId,
    first: u32,
    values: Vec<String>,
) -> impl Iterator<Item = SchemaChange> {
    (first..)
        .zip(values)
        .map(move |(code, text)| SchemaChange::Put {
            key: SchemaKey::Value(attribute, ValueCode(code)),
            definition: StoredDefinition::Value(text),
        })
}

//! Values of attributes, as they are stored. Values of open vocabularies are defined here.

use std::sync::Arc;

use tessera_query_lang::suggest::nearest;

use super::{OnUnknown, Resolver, SUGGESTION_CANDIDATES_MAX, valid_name};
use crate::{
    datum::Datum,
    error::Error,
    ids::{AttributeId, ValueCode},
    schema::{AttributeDefinition, AttributeKind, Vocabulary},
    storage::{SchemaKey, StoredDefinition, StoredValue},
    write::{LimitError, WriteError, coerce, command::SchemaChange},
};

impl Resolver<'_> {
    pub(in crate::write) fn attribute(
        &self,
        name: &str,
    ) -> Result<Arc<AttributeDefinition>, Error> {
        let schema = &self.staging.schema;
        if let Some(definition) = schema.shared_attribute(name) {
            return Ok(definition);
        }
        let normalised = valid_name(name)?;
        if let Some(definition) = schema.shared_attribute(normalised.as_str()) {
            return Ok(definition);
        }
        let known = schema
            .attributes_by_id()
            .map(|attribute| attribute.name.as_str());
        let nearest = nearest(normalised.as_str(), known);
        Err(WriteError::UnknownAttribute {
            name: normalised.to_string(),
            nearest,
        }
        .into())
    }

    pub(in crate::write) fn value(
        &mut self,
        user: &str,
        definition: &AttributeDefinition,
        datum: &Datum,
    ) -> Result<Option<StoredValue>, Error> {
        if let AttributeKind::YearsSince(base) = definition.kind {
            let base = self.staging.schema.attribute_by_id(base);
            return Err(WriteError::Derived {
                attribute: definition.name.to_string(),
                base: base.map_or_else(String::new, |base| base.name.to_string()),
            }
            .into());
        }
        if *datum == Datum::Null {
            return Ok(None);
        }
        let misfit = |reason: String| Error::from(wrong_type(user, definition, datum, reason));
        let number =
            |number: Result<i64, coerce::Misfit>| number.map(StoredValue::Number).map_err(misfit);
        Ok(Some(match definition.kind {
            AttributeKind::Integer | AttributeKind::YearsSince(_) => {
                number(coerce::number(datum, 0))?
            }
            AttributeKind::Decimal { scale } => number(coerce::number(datum, scale))?,
            AttributeKind::Date => number(coerce::date(datum))?,
            AttributeKind::Timestamp => number(coerce::timestamp(datum))?,
            AttributeKind::Boolean => StoredValue::Code(ValueCode(u32::from(
                coerce::boolean(datum).map_err(misfit)?,
            ))),
            AttributeKind::Text => StoredValue::Text(coerce::text(datum).map_err(misfit)?),
            AttributeKind::User | AttributeKind::Inviter => {
                StoredValue::Text(coerce::user_key(datum).map_err(misfit)?)
            }
            AttributeKind::Enum(_) => {
                match self.code(user, definition, datum, OnUnknown::Define)? {
                    Some(code) => StoredValue::Code(code),
                    None => return Ok(None),
                }
            }
            AttributeKind::Multi(_) => {
                let codes = match datum {
                    Datum::List(texts) => self.codes_of_texts(user, definition, texts)?,
                    Datum::Null
                    | Datum::Boolean(_)
                    | Datum::Integer(_)
                    | Datum::Decimal { .. }
                    | Datum::Real(_)
                    | Datum::Text(_)
                    | Datum::Date(_)
                    | Datum::Timestamp(_) => self
                        .code(user, definition, datum, OnUnknown::Define)?
                        .into_iter()
                        .collect(),
                };
                return Ok((!codes.is_empty()).then_some(StoredValue::Codes(codes)));
            }
        }))
    }

    fn codes_of_texts(
        &mut self,
        user: &str,
        definition: &AttributeDefinition,
        texts: &[String],
    ) -> Result<Vec<ValueCode>, Error> {
        let mut codes = Vec::with_capacity(texts.len());
        for text in texts {
            let found = match self.staging.schema.value_code(definition.id, text) {
                Some(code) => Some(code),
                None => self.code(
                    user,
                    definition,
                    &Datum::Text(text.clone()),
                    OnUnknown::Define,
                )?,
            };
            codes.extend(found);
        }
        codes.sort_unstable();
        codes.dedup();
        Ok(codes)
    }

    /// An attribute that has many values.
    pub(in crate::write) fn multi_attribute(
        &self,
        name: &str,
    ) -> Result<Arc<AttributeDefinition>, Error> {
        let definition = self.attribute(name)?;
        if !matches!(definition.kind, AttributeKind::Multi(_)) {
            let (attribute, kind) = (definition.name.to_string(), definition.kind.to_string());
            return Err(WriteError::NotMulti { attribute, kind }.into());
        }
        Ok(definition)
    }

    /// The code of a value that is added to a multi attribute.
    pub(in crate::write) fn added_code(
        &mut self,
        user: &str,
        definition: &AttributeDefinition,
        datum: &Datum,
    ) -> Result<Option<ValueCode>, Error> {
        self.code(user, definition, datum, OnUnknown::Define)
    }

    pub(super) fn multi(
        &mut self,
        user: &str,
        attribute: &str,
        values: &[Datum],
        on_unknown: OnUnknown,
    ) -> Result<(AttributeId, Vec<ValueCode>), Error> {
        let definition = self.multi_attribute(attribute)?;
        let mut codes = Vec::with_capacity(values.len());
        for value in values {
            codes.extend(self.code(user, &definition, value, on_unknown)?);
        }
        codes.sort_unstable();
        codes.dedup();
        Ok((definition.id, codes))
    }

    /// The code of one value of an enum or multi.
    fn code(
        &mut self,
        user: &str,
        definition: &AttributeDefinition,
        datum: &Datum,
        on_unknown: OnUnknown,
    ) -> Result<Option<ValueCode>, Error> {
        if let Datum::Text(text) = datum
            && let Some(code) = self.staging.schema.value_code(definition.id, text)
        {
            return Ok(Some(code));
        }
        let text = coerce::vocabulary_text(datum)
            .map_err(|reason| Error::from(wrong_type(user, definition, datum, reason)))?;
        if let Some(code) = self.staging.schema.value_code(definition.id, &text) {
            return Ok(Some(code));
        }
        match (definition.kind, on_unknown) {
            (
                AttributeKind::Enum(Vocabulary::Open) | AttributeKind::Multi(Vocabulary::Open),
                OnUnknown::Define,
            ) => self.define_value(definition, text).map(Some),
            (
                AttributeKind::Enum(Vocabulary::Open) | AttributeKind::Multi(Vocabulary::Open),
                OnUnknown::Ignore,
            ) => Ok(None),
            (_, OnUnknown::Define | OnUnknown::Ignore | OnUnknown::Refuse) => {
                let values = self
                    .staging
                    .schema
                    .values(definition.id)
                    .take(SUGGESTION_CANDIDATES_MAX);
                let known = values.map(|(_, text)| text);
                let nearest = nearest(&text, known);
                Err(WriteError::UnknownValue {
                    attribute: definition.name.to_string(),
                    value: text,
                    nearest,
                }
                .into())
            }
        }
    }

    fn define_value(
        &mut self,
        definition: &AttributeDefinition,
        text: String,
    ) -> Result<ValueCode, Error> {
        let code = self.staging.schema.value_count(definition.id);
        if code >= self.limits.attribute_values_max {
            let (attribute, max) = (
                definition.name.to_string(),
                self.limits.attribute_values_max,
            );
            return Err(LimitError::AttributeValues { attribute, max }.into());
        }
        let code = ValueCode(code);
        let key = SchemaKey::Value(definition.id, code);
        self.staging.change_definition(SchemaChange::Put {
            key,
            definition: StoredDefinition::Value(text),
        })?;
        Ok(code)
    }
}

fn wrong_type(
    user: &str,
    definition: &AttributeDefinition,
    datum: &Datum,
    reason: String,
) -> WriteError {
    WriteError::WrongType {
        user: coerce::excerpt(user),
        attribute: definition.name.to_string(),
        kind: definition.kind.to_string(),
        value: coerce::show(datum),
        reason,
    }
}

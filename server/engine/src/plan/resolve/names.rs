//! Looking up names, with suggestions where they are not defined.

use tessera_query_lang::{
    ast::{NameRef, Parameter, Span, Spanned, TagPattern},
    name::{Glob, Name},
    suggest::nearest,
};
use unicode_normalization::UnicodeNormalization;

use super::{NamedKind, ResolveError, Resolver};
use crate::{
    datum::Datum,
    ids::{AttributeId, TagId, ValueCode},
    schema::{AttributeDefinition, GroupDefinition, SegmentDefinition, TagDefinition},
};

impl<'a> Resolver<'a> {
    /// The tag with a name, or that had it before.
    pub(super) fn tag_named(
        &mut self,
        name: &Name,
        span: Span,
    ) -> Result<&'a TagDefinition, ResolveError> {
        let schema = self.schema;
        let candidates = || schema.tags().map(|tag| tag.name.as_str());
        let tag = schema
            .tag_called(name.as_str())
            .ok_or_else(|| unknown(NamedKind::Tag, name.as_str(), span, candidates()))?;
        self.notices.of_tag(name, tag);
        Ok(tag)
    }

    pub(super) fn attribute_named(
        &self,
        name: &Spanned<Name>,
    ) -> Result<&'a AttributeDefinition, ResolveError> {
        let candidates = || {
            self.schema
                .attributes()
                .map(|attribute| attribute.name.as_str())
        };
        self.schema.attribute(name.node.as_str()).ok_or_else(|| {
            unknown(
                NamedKind::Attribute,
                name.node.as_str(),
                name.span,
                candidates(),
            )
        })
    }

    pub(super) fn group_named(
        &mut self,
        name: &Spanned<NameRef>,
    ) -> Result<&'a GroupDefinition, ResolveError> {
        let text = self.name_ref(name)?;
        let candidates = || self.schema.groups().map(|group| group.name.as_str());
        self.schema
            .group(text.as_str())
            .ok_or_else(|| unknown(NamedKind::Group, text.as_str(), name.span, candidates()))
    }

    pub(super) fn segment_named(
        &mut self,
        name: &Spanned<NameRef>,
    ) -> Result<&'a SegmentDefinition, ResolveError> {
        let text = self.name_ref(name)?;
        let candidates = || self.schema.segments().map(|segment| segment.name.as_str());
        self.schema
            .segment(text.as_str())
            .ok_or_else(|| unknown(NamedKind::Segment, text.as_str(), name.span, candidates()))
    }

    pub(super) fn value_named(
        &self,
        attribute: &AttributeDefinition,
        value: &str,
        span: Span,
    ) -> Result<ValueCode, ResolveError> {
        let id: AttributeId = attribute.id;
        // Values are stored in NFC, and most texts are already.
        let normalised = || -> Option<ValueCode> {
            let text: String = value.nfc().collect();
            self.schema.value_code(id, &text)
        };
        let code = self.schema.value_code(id, value).or_else(normalised);
        code.ok_or_else(|| {
            let kind = NamedKind::ValueOf(attribute.name.as_str().to_owned());
            unknown(
                kind,
                value,
                span,
                self.schema.values(id).map(|(_, text)| text),
            )
        })
    }

    /// The tags a pattern stands for: one for a name, all that match for a glob.
    pub(super) fn tags_matching(
        &mut self,
        pattern: &Spanned<TagPattern>,
    ) -> Result<Vec<TagId>, ResolveError> {
        let tags: Vec<TagId> = match &pattern.node {
            TagPattern::Name(name) => vec![self.tag_named(name, pattern.span)?.id],
            TagPattern::Parameter(parameter) => {
                let names = self.parameter_names(parameter, pattern.span)?;
                names
                    .iter()
                    .map(|name| Ok(self.tag_named(name, pattern.span)?.id))
                    .collect::<Result<_, ResolveError>>()?
            }
            TagPattern::Glob(glob) => self.tags_of_glob(glob, pattern.span)?,
        };
        tags.iter().for_each(|tag| self.notices.of_asked(*tag));
        Ok(tags)
    }

    /// Those in sight: drafts and archived tags are found by their names only.
    fn tags_of_glob(&self, glob: &Glob, span: Span) -> Result<Vec<TagId>, ResolveError> {
        let matching = self
            .schema
            .tags()
            .filter(|tag| tag.lifecycle.is_in_sight() && glob.matches(tag.name.as_str()))
            .map(|tag| tag.id);
        let tags: Vec<TagId> = matching.collect();
        if tags.is_empty() {
            return Err(ResolveError::NoTagMatches {
                glob: glob.as_str().to_owned(),
                span,
            });
        }
        Ok(tags)
    }

    /// A name, written or sent.
    pub(super) fn name_ref(&mut self, name: &Spanned<NameRef>) -> Result<Name, ResolveError> {
        match &name.node {
            NameRef::Name(name) => Ok(name.clone()),
            NameRef::Parameter(parameter) => {
                let mut names = self.parameter_names(parameter, name.span)?;
                match (names.pop(), names.is_empty()) {
                    (Some(only), true) => Ok(only),
                    (Some(_), false) | (None, _) => Err(ResolveError::mismatch(
                        "a list stands where one name is expected",
                        name.span,
                    )),
                }
            }
        }
    }

    /// The names a parameter holds: one for a text, any number for a list.
    pub(super) fn parameter_names(
        &mut self,
        parameter: &Parameter,
        span: Span,
    ) -> Result<Vec<Name>, ResolveError> {
        let texts = match self.bindings.value(parameter, span)? {
            Datum::Text(text) => std::slice::from_ref(text),
            Datum::List(texts) => texts,
            Datum::Null
            | Datum::Boolean(_)
            | Datum::Integer(_)
            | Datum::Decimal { .. }
            | Datum::Real(_)
            | Datum::Date(_)
            | Datum::Timestamp(_) => {
                return Err(ResolveError::mismatch(
                    "this parameter must be a text: it stands for a name",
                    span,
                ));
            }
        };
        let name = |text: &String| {
            Name::new(text).map_err(|error| ResolveError::mismatch(error.to_string(), span))
        };
        texts.iter().map(name).collect()
    }
}

pub(super) fn unknown<'n>(
    kind: NamedKind,
    name: &str,
    span: Span,
    candidates: impl Iterator<Item = &'n str>,
) -> ResolveError {
    let suggestions = nearest(name, candidates);
    ResolveError::UnknownName {
        kind,
        name: name.to_owned(),
        span,
        suggestions,
    }
}

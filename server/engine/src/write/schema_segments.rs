//! Saved segments: defined, replaced and changed, as long as they mean something by themselves.

use tessera_query_lang::{
    Limits,
    ast::{Expr, SavedSegment, Spanned},
    name::Name,
    parse_expr,
};

use super::{
    schema_change::{Planned, Planner, refuse},
    schema_names::{Kind, check_notes, find, unless_too_many},
    schema_rename::with_present_names,
    schema_rules::meaningless,
    usage::{Names, cycle},
};
use crate::{
    datum::Datum,
    error::Error,
    ids::SegmentId,
    plan::{
        Resolver,
        rank::Unranked,
        resolve::{Expanding, ResolveLimits},
    },
    schema::{Notes, Schema, SegmentDefinition},
    storage::{SchemaKey, StoredDefinition},
    write::SchemaErrorKind,
};

impl Planner<'_> {
    pub(super) fn alter_segment(
        &self,
        name: &Spanned<Name>,
        notes: &Notes,
        filter: Option<&Expr>,
    ) -> Result<Planned, Error> {
        let segment = find(self.schema, Kind::Segment, name, |schema, name| {
            schema.segment(name)
        })?;
        if let Some(filter) = filter {
            let notes_before = &segment.notes;
            return self.put_filter(segment.id, name, notes_before, notes, filter);
        }
        let mut segment = segment.clone();
        segment.notes = check_notes(&segment.notes, notes)?;
        Ok(Planned::put(
            SchemaKey::Segment(segment.id),
            StoredDefinition::of_segment(&segment),
        ))
    }

    pub(super) fn save_segment(&self, saved: &SavedSegment) -> Result<Planned, Error> {
        let Some(segment) = self.schema.segment(saved.name.node.as_str()) else {
            unless_too_many(self.schema, Kind::Segment, self.limits)?;
            return self.put_segment(self.schema.next_segment_id(), saved, &Notes::default());
        };
        self.put_segment(segment.id, saved, &segment.notes)
    }

    pub(super) fn put_segment(
        &self,
        id: SegmentId,
        saved: &SavedSegment,
        notes_before: &Notes,
    ) -> Result<Planned, Error> {
        self.put_filter(id, &saved.name, notes_before, &saved.notes, &saved.filter)
    }

    fn put_filter(
        &self,
        id: SegmentId,
        name: &Spanned<Name>,
        notes_before: &Notes,
        notes: &Notes,
        filter: &Expr,
    ) -> Result<Planned, Error> {
        let notes = check_notes(notes_before, notes)?;
        self.check_filter(id, name, filter)?;
        let text = readable_text(name, &with_present_names(self.schema, filter))?;
        let segment = SegmentDefinition {
            id,
            name: name.node.clone(),
            text,
            notes,
        };
        let mut changed = Schema::clone(self.schema);
        changed.put_segment(segment.clone());
        self.check_dependents(&changed, Expanding::Segment(id), name.span)?;
        Ok(Planned::put(
            SchemaKey::Segment(id),
            StoredDefinition::of_segment(&segment),
        ))
    }

    /// An expression to be saved must mean something by itself.
    fn check_filter(
        &self,
        id: SegmentId,
        name: &Spanned<Name>,
        filter: &Expr,
    ) -> Result<(), Error> {
        let names = Names::of(filter);
        if names.parameters > 0 {
            return Err(refuse(SchemaErrorKind::Parameters, name.span));
        }
        if let Some(cycle) = cycle(self.schema, name.node.as_str(), &names) {
            return Err(refuse(SchemaErrorKind::Cycle(cycle), name.span));
        }
        let meaningless = |error| meaningless(error, name.span);
        let parameters: &[(String, Datum)] = &[];
        let resolver = Resolver::new(self.schema, parameters, self.now, saved_limits())
            .map_err(meaningless)?;
        let mut resolver = resolver
            .ranked_by(&Unranked)
            .defining(Expanding::Segment(id));
        resolver.expr(filter).map(drop).map_err(meaningless)
    }
}

/// What a saved segment may expand to, so that its name alone is a query within the limits.
pub(super) fn saved_limits() -> ResolveLimits {
    let limits = ResolveLimits::default();
    ResolveLimits {
        nodes_max: limits.nodes_max - 1,
        depth_max: limits.depth_max - 1,
        ..limits
    }
}

/// The printed expression, which must be within the limits of what can be read again.
pub(super) fn readable_text(name: &Spanned<Name>, filter: &Expr) -> Result<String, Error> {
    let text = filter.to_string();
    match parse_expr(&text, &Limits::default()) {
        Ok(_) => Ok(text),
        Err(error) => Err(refuse(
            SchemaErrorKind::Unreadable(Box::new(error)),
            name.span,
        )),
    }
}

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
    usage::{Names, cycle, dependents},
};
use crate::{
    datum::Datum,
    error::Error,
    ids::SegmentId,
    plan::{
        ResolveError, Resolver,
        rank::Unranked,
        resolve::{Expanding, ResolveErrorKind, ResolveLimits},
    },
    schema::{Notes, Schema, SegmentDefinition},
    storage::{SchemaKey, StoredDefinition},
    write::SchemaErrorKind,
};

/// How much is resolved at most to see what a new meaning does to the saved segments that
/// contain it; enough for any one of them, and for a few hundred ordinary ones. Those beyond
/// are told that they are too large when they are used.
const DEPENDENT_NODES_MAX: usize = 1_000_000;

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
        self.check_dependents(&segment, name)?;
        Ok(Planned::put(
            SchemaKey::Segment(id),
            StoredDefinition::of_segment(&segment),
        ))
    }

    /// Refuses a new meaning with which a saved segment that contains this one, and is within
    /// the limits now, would not be so any more.
    fn check_dependents(
        &self,
        segment: &SegmentDefinition,
        name: &Spanned<Name>,
    ) -> Result<(), Error> {
        if self.schema.segment_by_id(segment.id).is_none() {
            return Ok(());
        }
        let mut changed = Schema::clone(self.schema);
        changed.put_segment(segment.clone());
        let mut nodes = 0;
        for dependent in dependents(self.schema, segment.name.as_str()) {
            if let Some(error) = self.excess(&changed, dependent, &mut nodes)
                && self.excess(self.schema, dependent, &mut nodes).is_none()
            {
                let user = dependent.name.to_string();
                let error = Box::new(error);
                return Err(refuse(SchemaErrorKind::TooLarge { user, error }, name.span));
            }
            if nodes > DEPENDENT_NODES_MAX {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The limit that a saved segment exceeds, if it does. Adds to `nodes` what finding out took.
    fn excess(
        &self,
        schema: &Schema,
        segment: &SegmentDefinition,
        nodes: &mut usize,
    ) -> Option<ResolveError> {
        let filter = parse_expr(&segment.text, &Limits::default()).ok()?;
        let resolver = Resolver::new(schema, &[], self.now, saved_limits()).ok()?;
        let mut resolver = resolver.ranked_by(&Unranked);
        let error = resolver.expr(&filter).err();
        *nodes += resolver.nodes();
        error.filter(|error| error.kind() == ResolveErrorKind::LimitExceeded)
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
fn saved_limits() -> ResolveLimits {
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

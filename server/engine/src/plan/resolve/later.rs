//! What the language says and the engine does not answer yet, refused in one place.

use tessera_query_lang::ast::{
    Alter, AlterGroup, AlterTag, Define, DefineGroup, DefineTag, Span, Statement,
};

use super::ResolveError;

/// The refusal of a form that is not answered yet. The feature reads well before "are not
/// available yet".
pub(crate) fn not_yet(feature: &'static str, span: Span) -> ResolveError {
    ResolveError::NotAvailableYet { feature, span }
}

/// Refuses what the writer of definitions does not know yet.
pub(crate) fn check_define(define: &Define) -> Result<(), ResolveError> {
    match define {
        Define::Tag(tag) => check_tag(tag),
        Define::Group(group) => check_group(group),
        Define::Attribute { .. }
        | Define::Derived { .. }
        | Define::Segment(_)
        | Define::Event(_)
        | Define::Form(_) => Ok(()),
    }
}

fn check_tag(tag: &DefineTag) -> Result<(), ResolveError> {
    let span = tag.name.span;
    if tag.rule.is_some() {
        return Err(not_yet("rules", span));
    }
    Ok(())
}

fn check_group(group: &DefineGroup) -> Result<(), ResolveError> {
    if group.rule.is_some() {
        return Err(not_yet("rules", group.name.span));
    }
    Ok(())
}

/// Refuses what the writer of definitions does not know yet.
pub(crate) fn check_alter(alter: &Alter) -> Result<(), ResolveError> {
    match alter {
        Alter::Tag(tag) => check_tag_change(tag),
        Alter::Group(group) => check_group_change(group),
        Alter::Attribute { .. } | Alter::Segment { .. } | Alter::Event(_) => Ok(()),
    }
}

fn check_tag_change(tag: &AlterTag) -> Result<(), ResolveError> {
    let span = tag.name.span;
    if tag.rule.is_some() {
        return Err(not_yet("rules", span));
    }
    Ok(())
}

fn check_group_change(group: &AlterGroup) -> Result<(), ResolveError> {
    if group.rule.is_some() {
        return Err(not_yet("rules", group.name.span));
    }
    Ok(())
}

/// The refusal of a statement of which nothing is answered yet.
pub(crate) fn statement(statement: &Statement) -> Option<ResolveError> {
    let (feature, span) = match statement {
        Statement::ClearTag { tags, .. } => {
            let span = tags.first().map_or_else(Span::default, |tag| tag.span);
            ("CLEAR TAG statements", span)
        }
        Statement::Why { user, .. } => ("WHY statements", user.span),
        Statement::Count(_)
        | Statement::Segment(_)
        | Statement::Fetch { .. }
        | Statement::Close(_)
        | Statement::Dimension(_)
        | Statement::Portrait(_)
        | Statement::Explain(..)
        | Statement::Show(_)
        | Statement::Define(..)
        | Statement::Alter(_)
        | Statement::Drop(..)
        | Statement::SaveSegment(_)
        | Statement::Tag { .. }
        | Statement::Untag { .. }
        | Statement::Set { .. }
        | Statement::Track(_)
        | Statement::RenameTag { .. }
        | Statement::MergeTag { .. }
        | Statement::Usages(..)
        | Statement::Lint(_)
        | Statement::Trend(_)
        | Statement::Submit(_)
        | Statement::DeleteUser(_) => return None,
    };
    Some(not_yet(feature, span))
}

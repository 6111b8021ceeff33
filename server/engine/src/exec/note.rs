//! What there is to note of tags today: how large they are, and when they were asked for.

use super::{scan::Context, tag_size};
use crate::{
    budget::Budget,
    database::Database,
    error::Error,
    exec::dataset::Dataset,
    time::{day_of_micros, micros_of_timestamp},
    write::TagNotes,
};

/// The notes of today; `None` when they were made already.
///
/// # Errors
/// When the store fails, or the budget is used up.
pub(crate) fn notes_of_today(
    database: &Database,
    budget: &Budget,
) -> Result<Option<TagNotes>, Error> {
    let now = database.clock().now();
    let day = day_of_micros(micros_of_timestamp(now));
    let view = database.view();
    if view.has_noted(day)? {
        return Ok(None);
    }
    let context = Context {
        dataset: &*view,
        scheduler: Some(&**database.scheduler()),
        turn: None,
        budget,
        limits: &database.limits().queries,
        orders: Some(database.statements().orders(view.version())),
    };
    let rows = view.tag_row_sizes()?;
    let mut sizes = Vec::with_capacity(view.schema().tag_count() as usize);
    for tag in view.schema().tags_by_id() {
        let users = if tag_size::is_told_by_row(context, tag) {
            Ok(rows.get(&tag.id).copied().unwrap_or(0))
        } else {
            tag_size::users_of(context, tag, now)
        };
        match users {
            Ok(users) => sizes.push((tag.id, users)),
            // Its rule means nothing any more, or too much: nobody knows its size.
            Err(Error::Resolve(_) | Error::QueryLimit(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let mut asked: Vec<_> = database.asked().days().into_iter().collect();
    asked.sort_unstable();
    let kept = i32::try_from(database.limits().tag_sizes_days).unwrap_or(i32::MAX);
    Ok(Some(TagNotes {
        day,
        sizes,
        asked,
        forget_before: day.saturating_sub(kept),
    }))
}

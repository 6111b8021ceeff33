//! What has to be gathered of measured attributes, so that nothing else is.

use crate::{
    ids::AttributeId,
    plan::query::{DimensionQuery, GroupOrder, Having, MeasureKind, MeasuredOf, Statistic},
};

/// What is wanted of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WantedNumbers {
    /// Whose column has them; `None` when they are of events.
    pub(super) attribute: Option<AttributeId>,
    /// Their sum, for means too. How many there are always is.
    pub(super) sum: Gather,
    /// The least and the greatest.
    pub(super) extremes: Gather,
    /// How often each number occurs.
    pub(super) distribution: Gather,
}

/// Whether something is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gather {
    Yes,
    No,
}

/// What a statement wants of each of the measured numbers.
pub(super) fn wanted_numbers(query: &DimensionQuery) -> Vec<WantedNumbers> {
    let mut wanted: Vec<WantedNumbers> = query
        .measured
        .iter()
        .map(|measured| WantedNumbers {
            attribute: match measured.of {
                MeasuredOf::Attribute(attribute) => Some(attribute),
                MeasuredOf::Events(..) | MeasuredOf::Users => None,
            },
            sum: Gather::No,
            extremes: Gather::No,
            distribution: Gather::No,
        })
        .collect();
    for_each_measure(query, &mut |measure| {
        let MeasureKind::Of(statistic, index, _) = measure else {
            return;
        };
        let Some(wanted) = wanted.get_mut(index) else {
            return;
        };
        match statistic {
            Statistic::Min | Statistic::Max => wanted.extremes = Gather::Yes,
            Statistic::Percentile(_) | Statistic::Different => wanted.distribution = Gather::Yes,
            Statistic::Sum | Statistic::Total | Statistic::Average => wanted.sum = Gather::Yes,
            Statistic::Number => {}
        }
    });
    wanted
}

/// The percentiles that a statement wants of each of the measured numbers.
pub(super) fn wanted_percentiles(query: &DimensionQuery) -> Vec<Vec<u8>> {
    let mut wanted = vec![Vec::new(); query.measured.len()];
    for_each_measure(query, &mut |measure| {
        if let MeasureKind::Of(Statistic::Percentile(percent), index, _) = measure
            && let Some(wanted) = wanted.get_mut(index)
            && !wanted.contains(&percent)
        {
            wanted.push(percent);
        }
    });
    wanted
}

/// Visits all measures that are returned, compared or ordered by.
fn for_each_measure(query: &DimensionQuery, visit: &mut dyn FnMut(MeasureKind)) {
    query
        .measures
        .iter()
        .for_each(|measure| visit(measure.kind));
    for (order, _) in &query.order {
        match order {
            GroupOrder::Measure(measure) => visit(*measure),
            GroupOrder::Dim(_) => {}
        }
    }
    if let Some(having) = &query.having {
        for_each_compared(having, visit);
    }
}

fn for_each_compared(having: &Having, visit: &mut dyn FnMut(MeasureKind)) {
    match having {
        Having::Compare(measure, ..) => visit(*measure),
        Having::Not(inner) => for_each_compared(inner, visit),
        Having::And(of) | Having::Or(of) => {
            of.iter()
                .for_each(|having| for_each_compared(having, visit));
        }
    }
}

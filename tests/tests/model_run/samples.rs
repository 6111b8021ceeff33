//! What samples have said so far: a user who was in a sample of 5% is in every larger one of the
//! same seed, today and after a restart.

use std::collections::HashMap;

use tessera_protocol::message::Datum;
use tessera_query_lang::ast::Sample;
use tessera_tests::model::answer::SegmentRow;

/// Of each seed and key, the smallest percentage it was in and the largest it was not in.
#[derive(Debug, Default)]
pub(crate) struct Samples(HashMap<(u64, String), (f64, f64)>);

impl Samples {
    /// Notes who of a segment was in a sample of it.
    pub(crate) fn note(
        &mut self,
        sample: &Sample,
        segment: &[SegmentRow],
        sampled: &[Vec<Datum>],
        place: &str,
    ) {
        let percent = sample.percent.units as f64 / 10_f64.powi(i32::from(sample.percent.scale));
        for row in segment {
            let inside = sampled.iter().any(|sampled| sampled[0] == row.row[0]);
            let (least_inside, most_outside) = self
                .0
                .entry((sample.seed, row.key.clone()))
                .or_insert((f64::INFINITY, 0.0));
            if inside {
                *least_inside = least_inside.min(percent);
            } else {
                *most_outside = most_outside.max(percent);
            }
            assert!(
                *least_inside > *most_outside,
                "{place}: {} was in and out of the sample",
                row.key
            );
        }
        if percent >= 100.0 {
            assert_eq!(sampled.len(), segment.len(), "{place}: all of them");
        }
    }
}

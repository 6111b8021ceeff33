//! Segments that are fetched page by page, while the world goes on: what was expected when they
//! were first asked for is what they must give to the end.

use rand::{Rng, rngs::StdRng};
use tessera_protocol::message::{Datum, FailureCode};
use tessera_query_lang::ast::Segment;
use tessera_tests::model::answer::SegmentRow;

use super::engine::{Engine, Reply};

/// Whether there are more pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageEnd {
    More,
    Last,
}

/// A segment of which some pages may be missing.
pub(crate) struct HeldCursor {
    segment: Segment,
    expected: Vec<SegmentRow>,
    rows: Vec<Vec<Datum>>,
    cursor: Option<String>,
    place: String,
}

impl HeldCursor {
    pub(crate) fn new(segment: Segment, expected: Vec<SegmentRow>, place: String) -> Self {
        Self {
            segment,
            expected,
            rows: Vec::new(),
            cursor: None,
            place,
        }
    }

    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    pub(crate) fn expected(&self) -> &[SegmentRow] {
        &self.expected
    }

    pub(crate) fn rows(&self) -> &[Vec<Datum>] {
        &self.rows
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Takes a page of at most so many rows, or as many as the statement says.
    pub(crate) fn take_page(&mut self, page: Reply, limit: Option<u64>) -> PageEnd {
        let limit = limit.or(self.segment.limit.as_ref().map(|limit| limit.node));
        let length = page.rows.len() as u64;
        self.cursor = page.summary.cursor;
        match (limit, &self.cursor) {
            (None, Some(_)) => panic!("{}: a cursor without a limit", self.place),
            (Some(limit), Some(_)) => {
                assert_eq!(length, limit, "{}: a page before the last", self.place);
            }
            (Some(limit), None) => assert!(length <= limit, "{}: the last page", self.place),
            (None, None) => {}
        }
        self.rows.extend(page.rows);
        if self.cursor.is_some() {
            PageEnd::More
        } else {
            PageEnd::Last
        }
    }

    /// Fetches the next page, sometimes of another length, sometimes twice.
    pub(crate) fn fetch(&mut self, engine: &mut Engine, random: &mut StdRng) -> PageEnd {
        let cursor = self.cursor.clone().expect("more pages");
        let limit = random.random_bool(0.3).then(|| random.random_range(1..10));
        let clause = limit.map_or(String::new(), |limit| format!(" LIMIT {limit}"));
        let statement = format!("FETCH \"{cursor}\"{clause}");
        let page = engine
            .execute(&statement)
            .unwrap_or_else(|error| panic!("{}: {error:?}", self.place));
        if page.summary.cursor.is_some() && random.random_bool(0.2) {
            // An answer may be lost on its way; the last page may be had again.
            let again = engine
                .execute(&statement)
                .unwrap_or_else(|error| panic!("{}: {error:?}", self.place));
            assert_eq!(again.rows, page.rows, "{}: the same page again", self.place);
            return self.take_page(again, limit);
        }
        self.take_page(page, limit)
    }

    /// Gives the snapshot back.
    pub(crate) fn close(self, engine: &mut Engine) {
        let cursor = self.cursor.clone().expect("more pages");
        engine
            .execute(&format!("CLOSE \"{cursor}\""))
            .unwrap_or_else(|error| panic!("{}: {error:?}", self.place));
        self.check_unknown(engine);
    }

    /// Nobody knows the cursor any more.
    pub(crate) fn check_unknown(self, engine: &mut Engine) {
        let cursor = self.cursor.expect("more pages");
        let refused = engine.execute(&format!("FETCH \"{cursor}\""));
        assert_eq!(
            refused.unwrap_err().0,
            FailureCode::UnknownCursor,
            "{}",
            self.place
        );
    }
}

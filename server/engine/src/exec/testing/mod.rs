//! What tests of planning and execution share: a data set in memory and random inputs.

pub(crate) mod crowd;
pub(crate) mod memory;
pub(crate) mod random;

use std::sync::{Arc, LazyLock};

use memory::MemoryDataset;

use super::{limits::QueryLimits, scan::Context, scheduler::Scheduler};
use crate::{
    budget::Budget,
    datum::{Header, ResultSink, Row, Stopped},
    time::SystemClock,
};

/// The threads of all tests.
static SCHEDULER: LazyLock<Scheduler> =
    LazyLock::new(|| Scheduler::new(2, Arc::new(SystemClock::new())));

/// Everything a query works with, over a data set in memory.
pub(crate) struct Bench {
    pub(crate) dataset: Arc<MemoryDataset>,
    pub(crate) scheduler: &'static Scheduler,
    pub(crate) budget: Budget,
    pub(crate) limits: QueryLimits,
}

impl Bench {
    pub(crate) fn new(dataset: MemoryDataset) -> Self {
        Self {
            dataset: Arc::new(dataset),
            scheduler: &SCHEDULER,
            budget: Budget::unlimited(),
            limits: QueryLimits::default(),
        }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            dataset: &*self.dataset,
            scheduler: Some(self.scheduler),
            turn: None,
            budget: &self.budget,
            limits: &self.limits,
            orders: None,
        }
    }
}

/// Keeps everything.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) header: Option<Header>,
    pub(crate) rows: Vec<Row>,
}

impl ResultSink for Collected {
    fn header(&mut self, header: Header) -> Result<(), Stopped> {
        self.header = Some(header);
        Ok(())
    }

    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        self.rows.extend(rows);
        Ok(())
    }
}

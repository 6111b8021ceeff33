//! Many changes: batched, pipelined, safe to repeat, and with bad ones set aside.
//!
//! Changes are dealt to lanes by their user, and each lane sends one batch at a time: so the
//! changes of one user are applied in the order they were given, while as many batches as there
//! are lanes are under way. Every batch has an idempotency key, so that it can be sent again.
//! Changes given together are a unit: never parted, and applied or refused as a whole. When the
//! server refuses a batch for what is in it, the batch is halved until the refused units stand
//! alone; all others are applied. Rows that are given column by column are such units, one each,
//! and travel together.

pub(crate) mod blame;
mod events;
mod lane;
mod ledger;
mod options;
mod report;
mod rows;
mod size;

use std::{
    hash::{BuildHasher, RandomState},
    ops::Range,
    sync::Arc,
};

use tessera_protocol::{
    load::{EventRows, LoadRows},
    message::Mutation,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use self::{
    events::Events,
    ledger::Ledger,
    options::{bounded, memory_bytes_max},
    rows::Rows,
    size::estimated_bytes,
};
pub use self::{
    options::BulkOptions,
    report::{BatchFailure, BulkReport, BulkTotals, Refusal},
};
use crate::{client::Client, error::Error};

/// Takes refusals as they become known.
pub(crate) type OnRefusal = Box<dyn FnMut(Refusal) + Send>;

/// Writes many changes. Call [`Self::finish`] at the end: dropping the writer abandons what it has
/// not written yet.
///
/// ```no_run
/// # use tessera_client::{BulkOptions, Client, Error, Mutation};
/// # async fn example(client: Client) -> Result<(), Error> {
/// let mut bulk = client.bulk(&BulkOptions::default());
/// for number in 0..1_000_000 {
///     bulk.push(Mutation::Tag { user: format!("u{number}"), tags: vec!["new".to_owned()] }).await?;
/// }
/// let report = bulk.finish().await;
/// println!("{} applied, {} refused", report.totals.applied, report.totals.refused);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "call `finish` at the end"]
pub struct BulkWriter {
    lanes: Vec<mpsc::Sender<lane::Item>>,
    tasks: JoinSet<()>,
    ledger: Arc<Ledger>,
    memory: Arc<Semaphore>,
    memory_bytes_max: usize,
    batch_bytes_max: usize,
    hasher: RandomState,
    next_index: u64,
    /// The lane that the next events take.
    next_lane: usize,
}

impl BulkWriter {
    pub(crate) fn start(
        client: &Client,
        options: &BulkOptions,
        on_refusal: Option<OnRefusal>,
    ) -> Self {
        let options = bounded(options);
        let client = client.with_request_timeout(options.batch_timeout);
        let ledger = Arc::new(Ledger::new(on_refusal, options.refusals_kept_max));
        let mut tasks = JoinSet::new();
        let lanes = (0..options.lanes)
            .map(|_| {
                let (sender, items) = mpsc::channel(options.batch_mutations_max);
                let lane = lane::Lane::new(client.clone(), options.clone(), Arc::clone(&ledger));
                tasks.spawn(lane.run(items));
                sender
            })
            .collect();
        Self {
            lanes,
            tasks,
            ledger,
            memory: Arc::new(Semaphore::new(memory_bytes_max(&options))),
            memory_bytes_max: memory_bytes_max(&options),
            batch_bytes_max: options.batch_bytes_max,
            hasher: RandomState::new(),
            next_index: 0,
            next_lane: 0,
        }
    }

    /// Takes a change and says its place, from 0. Waits while too many are under way. Safe to
    /// drop: the change is then either taken or not, and the next place says which.
    ///
    /// # Errors
    /// [`Error::Stopped`] once a batch has failed; [`Self::finish`] tells everything.
    pub async fn push(&mut self, mutation: Mutation) -> Result<u64, Error> {
        let places = self.push_together(vec![mutation]).await?;
        Ok(places.start)
    }

    /// Takes changes that are applied all or none, and says their places. Waits while too many
    /// are under way, and is as safe to drop as [`Self::push`].
    ///
    /// Order is kept among changes of one user. A unit goes the way of its first change's user:
    /// towards other changes of its other users it has no order.
    ///
    /// # Errors
    /// [`Error::Stopped`] once a batch has failed; [`Self::finish`] tells everything.
    pub async fn push_together(&mut self, mutations: Vec<Mutation>) -> Result<Range<u64>, Error> {
        let Some(first) = mutations.first() else {
            return Ok(self.next_index..self.next_index);
        };
        let bytes = mutations
            .iter()
            .map(estimated_bytes)
            .fold(0, usize::saturating_add)
            .min(self.batch_bytes_max);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.memory);
        let memory = memory
            .acquire_many_owned(permits)
            .await
            .map_err(|_| self.ledger.stopped())?;
        let memory = Arc::new(memory);
        let lane = self.lane_of(user_of(first));
        let slot = lane.reserve().await.map_err(|_| self.ledger.stopped())?;
        if let Some(error) = self.ledger.stop_reason() {
            return Err(Error::Stopped(error));
        }
        let places = self.next_index..self.next_index + mutations.len() as u64;
        slot.send(lane::Item::Unit(Unit {
            indices: places.clone(),
            mutations,
            bytes,
            memory,
        }));
        self.next_index = places.end;
        Ok(places)
    }

    /// Takes many rows at once, column by column, and says their places: one for each row, of
    /// which all or nothing is applied. Waits while too much is under way, and is as safe to drop
    /// as [`Self::push`].
    ///
    /// It is by far the fastest way, as names and values that repeat are said once: give tens of
    /// thousands of rows at a time. What holds for changes holds for rows: those of one user are
    /// applied in their order and in that of changes given before and after, and a row that the
    /// server refuses is set aside with its [`Refusal`], the others are applied. A server that
    /// does not know rows is sent the same as changes.
    ///
    /// ```no_run
    /// # use tessera_client::{BulkOptions, Client, Error, LoadColumn, LoadRows, NumberForm, PackedTexts, presence};
    /// # async fn example(client: Client) -> Result<(), Error> {
    /// let mut keys = PackedTexts::default();
    /// let mut ages = Vec::new();
    /// for number in 0..50_000 {
    ///     keys.push(&format!("u{number}"))?;
    ///     ages.push(number % 90);
    /// }
    /// let ages = LoadColumn::Numbers {
    ///     attribute: "age".to_owned(),
    ///     form: NumberForm::Integer,
    ///     present: presence((0..50_000).map(|_| true)),
    ///     numbers: ages,
    /// };
    /// let mut bulk = client.bulk(&BulkOptions::default());
    /// bulk.push_rows(LoadRows { keys, columns: vec![ages] }).await?;
    /// let report = bulk.finish().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rows`] when the columns do not fit together; [`Error::Stopped`] once a batch has
    /// failed; [`Self::finish`] tells everything.
    pub async fn push_rows(&mut self, rows: LoadRows) -> Result<Range<u64>, Error> {
        rows.check()?;
        let places = self.next_index..self.next_index + rows.len() as u64;
        let by_lane = self.deal(&rows);
        let bytes = rows::estimated_bytes(&rows).min(self.memory_bytes_max);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.memory)
            .acquire_many_owned(permits)
            .await
            .map_err(|_| self.ledger.stopped())?;
        let memory = Arc::new(memory);
        let mut slots = Vec::with_capacity(by_lane.len());
        for (lane, offsets) in self.lanes.iter().zip(by_lane) {
            if !offsets.is_empty() {
                let slot = lane.reserve().await.map_err(|_| self.ledger.stopped())?;
                slots.push((slot, offsets));
            }
        }
        if let Some(error) = self.ledger.stop_reason() {
            return Err(Error::Stopped(error));
        }
        // From here on nothing waits: all parts are taken, or none.
        let mut whole = Some(rows);
        for (slot, offsets) in slots {
            let is_all = offsets.len() as u64 == places.end - places.start;
            let some = match &whole {
                Some(rows) if !is_all => rows.select(&offsets),
                Some(_) | None => whole.take().unwrap_or_default(),
            };
            let memory = Arc::clone(&memory);
            slot.send(lane::Item::Rows(Rows::new(
                some,
                places.start,
                offsets,
                memory,
            )));
        }
        self.next_index = places.end;
        Ok(places)
    }

    /// Takes many events of one kind at once, column by column, and says their places: one for each
    /// event, of which all or nothing is applied. Waits while too much is under way, and is as safe
    /// to drop as [`Self::push`].
    ///
    /// It is by far the fastest way: give tens of thousands of events at a time, best in about the
    /// order of time. An event that the server refuses is set aside with its [`Refusal`], the
    /// others are applied. Events have no order towards other changes: [`Self::flush`] between
    /// them gives one.
    ///
    /// ```no_run
    /// # use tessera_client::{BulkOptions, Client, Error, EventRows, PackedTexts};
    /// # async fn example(client: Client) -> Result<(), Error> {
    /// let mut users = PackedTexts::default();
    /// users.push("ada")?;
    /// users.push("bob")?;
    /// let logins = EventRows {
    ///     event: "login".to_owned(),
    ///     users,
    ///     of: vec![0, 1, 0],
    ///     times_us: vec![1_795_392_000_000_000, 1_795_392_060_000_000, 1_795_478_400_000_000],
    ///     ids: None,
    ///     columns: Vec::new(),
    /// };
    /// let mut bulk = client.bulk(&BulkOptions::default());
    /// bulk.push_events(logins).await?;
    /// let report = bulk.finish().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`Self::push_rows`].
    pub async fn push_events(&mut self, rows: EventRows) -> Result<Range<u64>, Error> {
        rows.check()?;
        let places = self.next_index..self.next_index + rows.len() as u64;
        let bytes = events::estimated_bytes(&rows).min(self.memory_bytes_max);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.memory)
            .acquire_many_owned(permits)
            .await
            .map_err(|_| self.ledger.stopped())?;
        let lane = &self.lanes[self.next_lane % self.lanes.len()];
        let slot = lane.reserve().await.map_err(|_| self.ledger.stopped())?;
        if let Some(error) = self.ledger.stop_reason() {
            return Err(Error::Stopped(error));
        }
        let events = Events::new(rows, places.start, Arc::new(memory));
        slot.send(lane::Item::Events(events));
        self.next_lane = self.next_lane.wrapping_add(1);
        self.next_index = places.end;
        Ok(places)
    }

    /// For each lane the rows of its users.
    fn deal(&self, rows: &LoadRows) -> Vec<Vec<u32>> {
        let lanes = self.lanes.len();
        let room = rows.len() / lanes + rows.len() / 16;
        let mut by_lane = vec![Vec::with_capacity(room); lanes];
        for (row, key) in rows.keys.iter().enumerate() {
            if let Some(offsets) = by_lane.get_mut(self.lane_number(key)) {
                offsets.push(row as u32);
            }
        }
        by_lane
    }

    /// Waits until everything given so far has been applied, refused or failed.
    ///
    /// # Errors
    /// [`Error::Stopped`] once a batch has failed.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.begin_flush().await.ended().await
    }

    /// Begins to wait for everything given so far, while more may be given.
    pub(crate) async fn begin_flush(&mut self) -> Flush {
        let mut acknowledgements = Vec::new();
        for lane in &self.lanes {
            let (done, acknowledgement) = oneshot::channel();
            if lane.send(lane::Item::Flush(done)).await.is_ok() {
                acknowledgements.push(acknowledgement);
            }
        }
        Flush {
            acknowledgements,
            ledger: Arc::clone(&self.ledger),
        }
    }

    /// What became of the changes so far; those under way are in `given` only.
    pub fn totals(&self) -> BulkTotals {
        BulkTotals {
            given: self.next_index,
            ..self.ledger.totals()
        }
    }

    /// Writes what is left and tells what became of everything: each change is applied, refused,
    /// or in one of the failures.
    pub async fn finish(mut self) -> BulkReport {
        self.lanes.clear();
        while let Some(ended) = self.tasks.join_next().await {
            // Only the program's own function for refusals can panic: let it.
            if let Err(error) = ended
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
        let mut report = self.ledger.take_report();
        report.totals.given = self.next_index;
        report
    }

    /// All changes of one user go through one lane.
    fn lane_of(&self, user: &str) -> &mpsc::Sender<lane::Item> {
        &self.lanes[self.lane_number(user)]
    }

    fn lane_number(&self, user: &str) -> usize {
        let lanes = self.lanes.len() as u64;
        (self.hasher.hash_one(user) % lanes) as usize
    }
}

/// Tells when all has been applied, refused or failed that was given before it was begun.
#[derive(Debug)]
pub(crate) struct Flush {
    acknowledgements: Vec<oneshot::Receiver<()>>,
    ledger: Arc<Ledger>,
}

impl Flush {
    /// Waits.
    ///
    /// # Errors
    /// [`Error::Stopped`] once a batch has failed.
    pub(crate) async fn ended(self) -> Result<(), Error> {
        for acknowledgement in self.acknowledgements {
            acknowledgement.await.map_err(|_| self.ledger.stopped())?;
        }
        self.ledger
            .stop_reason()
            .map_or(Ok(()), |error| Err(Error::Stopped(error)))
    }
}

/// Changes on their way that are applied all or none.
#[derive(Debug)]
struct Unit {
    /// The places of its changes among all.
    indices: Range<u64>,
    mutations: Vec<Mutation>,
    bytes: usize,
    /// Given back when the changes are done.
    memory: Arc<OwnedSemaphorePermit>,
}

fn user_of(mutation: &Mutation) -> &str {
    match mutation {
        Mutation::Ensure { user }
        | Mutation::Tag { user, .. }
        | Mutation::Hold { user, .. }
        | Mutation::Untag { user, .. }
        | Mutation::Set { user, .. }
        | Mutation::Add { user, .. }
        | Mutation::Remove { user, .. }
        | Mutation::DeleteUser { user } => user,
        Mutation::Track(track) => &track.user,
    }
}

#[cfg(test)]
mod tests;

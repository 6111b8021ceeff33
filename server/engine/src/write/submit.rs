//! How jobs get to the writer.
//!
//! Knows what the writer can be asked to do, what is refused before it waits, and the two ways to
//! ask: waiting for the answer, or being called with it. Does not know how anything is done.

use std::sync::{Arc, mpsc::sync_channel};

use crate::{
    datum::Summary,
    error::Error,
    ids::{PartitionId, UserId},
    limits::Limits,
    storage::View,
    write::{
        EventLoadRequest, LoadRequest, Mutation, SchemaStatement, TagNotes, WriteRequest,
        load::{check_event_load, check_load},
        queue::{NotPut, Queue},
        reply::Reply,
        size::check_size,
    },
};

/// Mutations made one by one: all at once, those of many users would take too much memory.
pub(crate) type Mutations = Box<dyn Iterator<Item = Mutation>>;

/// Finds out on the newest state, within the limits, what is to be done.
pub(crate) type Select = Box<dyn FnOnce(&Arc<View>) -> Result<Selected, Error> + Send>;

/// What is to be done.
pub(crate) enum Selected {
    /// These.
    Mutations(Mutations),
    /// The same to each of some users.
    Users(SelectedUsers),
}

/// What is to be done to the user with a key.
pub(crate) type ChangeOfUser = Box<dyn Fn(&str) -> Vec<Mutation>>;

/// Users of the state that was asked, and what is to be done to each. They are known by their
/// ids, so that nobody has to be looked for.
pub(crate) struct SelectedUsers {
    /// Rising in each partition.
    pub(crate) users: Vec<(PartitionId, Vec<UserId>)>,
    /// The mutations of a user with this key.
    pub(crate) change: ChangeOfUser,
}

/// What the writer can be asked to do.
pub(crate) enum Job {
    Write(WriteRequest),
    Load(LoadRequest),
    LoadEvents(EventLoadRequest),
    Schema(Box<SchemaStatement>),
    Where(Select),
    /// Forgets old events, and rolls up those of long ago.
    SweepEvents,
    /// Forget holdings that ended long ago.
    Sweep,
    /// Note how large tags are.
    NoteTags(Box<TagNotes>),
}

/// A job on its way to the writer.
pub(super) struct Submitted {
    pub(super) job: Job,
    /// What the job brings along, as far as it counts towards a commit.
    pub(super) bytes: u64,
    pub(super) reply: Reply,
}

/// Submits jobs; any number of threads may.
#[derive(Clone)]
pub(crate) struct WriterHandle {
    queue: Arc<Queue<Submitted>>,
    limits: Limits,
}

impl WriterHandle {
    pub(super) fn new(queue: Arc<Queue<Submitted>>, limits: Limits) -> Self {
        Self { queue, limits }
    }

    /// Submits a job and waits until what it did is durable.
    pub(crate) fn submit(&self, job: Job) -> Result<Summary, Error> {
        let bytes = self.check(&job)?;
        let (sender, answer) = sync_channel(1);
        let reply = Reply::new(move |answer| {
            // Who asked is waiting, below.
            let _ = sender.send(answer);
        });
        self.queue
            .push(Submitted { job, bytes, reply })
            .map_err(|_| Error::Closing)?;
        answer.recv().unwrap_or_else(|_| {
            Err(Error::Internal(
                "the writer ended before it answered".to_owned(),
            ))
        })
    }

    /// Submits a job and does not wait, neither for what it does nor for room: `done` is called
    /// once, here when the job is refused, else on the writer's thread or the syncer's, which it
    /// must not hold up.
    pub(crate) fn submit_with(
        &self,
        job: Job,
        done: impl FnOnce(Result<Summary, Error>) + Send + 'static,
    ) {
        let reply = Reply::new(done);
        let bytes = match self.check(&job) {
            Ok(bytes) => bytes,
            Err(error) => return reply.give(Err(error)),
        };
        match self.queue.try_push(Submitted { job, bytes, reply }) {
            Ok(()) => {}
            Err(NotPut::Full(refused)) => refused.reply.give(Err(Error::Overloaded)),
            Err(NotPut::Closed(refused)) => refused.reply.give(Err(Error::Closing)),
        }
    }

    /// Refuses what is too large, and says how large it is.
    fn check(&self, job: &Job) -> Result<u64, Error> {
        let Limits {
            mutations_max,
            request_bytes_max,
            ..
        } = self.limits;
        Ok(match job {
            Job::Write(request) => {
                check_size(&request.mutations, mutations_max, request_bytes_max)?
            }
            Job::Load(request) => check_load(request, mutations_max, request_bytes_max)?,
            Job::LoadEvents(request) => {
                check_event_load(request, mutations_max, request_bytes_max)?
            }
            Job::Schema(_) | Job::Where(_) | Job::SweepEvents | Job::Sweep | Job::NoteTags(_) => 0,
        })
    }
}

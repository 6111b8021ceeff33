//! Lets the engine forget holdings that ended long ago, tidy up events, and note how large tags are.
//!
//! Knows when. What is done is the engine's to say, by its own clock; no answer waits for it.

use std::{sync::Arc, time::Duration};

use tessera_engine::{budget::Budget, datum::Summary};
use tokio::time::sleep;

use crate::session::Context;

/// How long the sweeper rests.
const REST: Duration = Duration::from_secs(60 * 60);

/// Sweeps every now and then, until the server closes.
pub(crate) async fn sweep_now_and_then(context: Arc<Context>) {
    loop {
        tokio::select! {
            biased;
            () = context.closing.cancelled() => return,
            () = sleep(REST) => {
                sweep(&context, Sweep::Holdings).await;
                sweep(&context, Sweep::Events).await;
                note_tag_sizes(&context).await;
            }
        }
    }
}

/// Notes how large tags are, once a day.
async fn note_tag_sizes(context: &Context) {
    if context.closing.is_cancelled() {
        return;
    }
    let place = context.door.statement_place().await;
    let budget = Budget::unlimited();
    let noting = context.door.note_tag_sizes(place, budget.clone());
    let outcome = tokio::select! {
        biased;
        () = context.closing.cancelled() => return budget.cancel_flag().raise(),
        outcome = noting.outcome() => outcome,
    };
    match outcome {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the sizes of tags cannot be noted"),
        Err(panicked) => tracing::error!(%panicked, "noting the sizes of tags failed"),
    }
}

/// What is swept.
#[derive(Debug, Clone, Copy)]
enum Sweep {
    /// Holdings that ended long ago are forgotten.
    Holdings,
    /// Old events are forgotten, and those of long ago put together.
    Events,
}

impl Sweep {
    /// How much of it was done; none when there is nothing left to do.
    fn done(self, summary: &Summary) -> u64 {
        match self {
            Self::Holdings => summary.users_changed,
            Self::Events => summary.facts_changed,
        }
    }
}

/// Goes on until there is nothing left to do.
async fn sweep(context: &Context, what: Sweep) {
    while !context.closing.is_cancelled() {
        let place = context.door.write_place().await;
        let submitted = match what {
            Sweep::Holdings => context.door.sweep(place),
            Sweep::Events => context.door.sweep_events(place),
        };
        match submitted.outcome().await {
            Ok(Ok(summary)) if what.done(&summary) == 0 => return,
            Ok(Ok(summary)) => tracing::info!(?what, done = what.done(&summary), "swept"),
            Ok(Err(error)) => {
                tracing::warn!(?what, %error, "sweeping failed");
                return;
            }
            Err(panicked) => {
                tracing::error!(?what, %panicked, "sweeping failed");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use tessera_engine::{
        budget::Budget,
        datum::ResultSink,
        error::Error,
        parameters::Parameters,
        time::ManualClock,
        write::{EventLoadRequest, LoadRequest, WriteRequest},
    };

    use super::*;
    use crate::{
        config::Config,
        door::{CloseError, Done, Door, Engine},
    };

    /// What the engine was asked to do.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Asked {
        Holdings,
        Events,
        Sizes,
    }

    /// An engine that has so much of each to sweep.
    #[derive(Default)]
    struct Dusty {
        asked: Mutex<Vec<Asked>>,
    }

    impl Dusty {
        /// Notes what it is asked, and has swept the same twice before there is nothing left.
        fn note(&self, asked: Asked) -> u64 {
            let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(asked);
            let times = all.iter().filter(|before| **before == asked).count();
            u64::from(times < 3)
        }

        fn asked(&self) -> Vec<Asked> {
            let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.clone()
        }
    }

    impl Engine for Dusty {
        fn execute(
            &self,
            _statement: &str,
            _parameters: &Parameters,
            _budget: &Budget,
            _sink: &mut dyn ResultSink,
        ) -> Result<Summary, Error> {
            Err(Error::Closing)
        }

        fn submit_write(&self, _request: WriteRequest, done: Done) {
            done(Err(Error::Closing));
        }

        fn submit_load(&self, _request: LoadRequest, done: Done) {
            done(Err(Error::Closing));
        }

        fn submit_event_load(&self, _request: EventLoadRequest, done: Done) {
            done(Err(Error::Closing));
        }

        fn submit_sweep(&self, done: Done) {
            done(Ok(Summary {
                users_changed: self.note(Asked::Holdings),
                ..Summary::default()
            }));
        }

        fn submit_event_sweep(&self, done: Done) {
            done(Ok(Summary {
                facts_changed: self.note(Asked::Events),
                ..Summary::default()
            }));
        }

        fn note_tag_sizes(&self, _budget: &Budget) -> Result<Summary, Error> {
            self.note(Asked::Sizes);
            Ok(Summary::default())
        }

        fn close(&self) -> Result<(), CloseError> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn both_are_swept_until_nothing_is_left_again_and_again() {
        let engine = Arc::new(Dusty::default());
        let config = Config::new("unused");
        let door = Door::new(Arc::clone(&engine) as _, &config.limits);
        let context = Context::new(&config, door, Arc::new(ManualClock::default()));
        let context = Arc::new(context);
        let sweeper = tokio::spawn(sweep_now_and_then(Arc::clone(&context)));
        sleep(REST / 2).await;
        assert_eq!(engine.asked(), []);
        sleep(REST).await;
        let mut first = [[Asked::Holdings; 3], [Asked::Events; 3]].concat();
        first.push(Asked::Sizes);
        assert_eq!(engine.asked(), first);
        sleep(REST).await;
        let again = [Asked::Holdings, Asked::Events, Asked::Sizes];
        assert_eq!(engine.asked()[7..], again);
        context.closing.cancel();
        assert!(sweeper.await.is_ok());
    }
}

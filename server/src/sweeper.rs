//! Lets the engine forget holdings that ended long ago.
//!
//! Knows when. What is forgotten is the engine's to say, by its own clock; no answer waits for it.

use std::{sync::Arc, time::Duration};

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
            () = sleep(REST) => sweep(&context).await,
        }
    }
}

/// Goes on until there is nothing left to forget.
async fn sweep(context: &Context) {
    while !context.closing.is_cancelled() {
        let place = context.door.write_place().await;
        match context.door.sweep(place).outcome().await {
            Ok(Ok(summary)) if summary.users_changed == 0 => return,
            Ok(Ok(summary)) => {
                tracing::info!(
                    users = summary.users_changed,
                    "forgot holdings that ended long ago"
                );
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "holdings that ended long ago cannot be forgotten");
                return;
            }
            Err(panicked) => {
                tracing::error!(%panicked, "forgetting holdings that ended failed");
                return;
            }
        }
    }
}

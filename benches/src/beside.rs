//! Figures that are no question's: how long a count takes beside an export, and a dimension of very
//! many groups.
//!
//! Knows the client and the data's attributes. Does not judge what is found.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tessera_client::Client;

use crate::{
    ask::execute,
    everything::{EVERY_USER, count_keys},
    report::Spread,
    run::options,
};

/// About 20,000 groups: 200 devices, 34 regions and 3 genders.
const MANY_GROUPS: &str = "DIMENSION device, region, gender MEASURE count";
/// Counts beside an export, at least.
const COUNTS_MIN: usize = 100;

/// What was found.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Beside {
    /// Of a count, while another connection exports all users over and over.
    pub behind_export: Spread,
    /// How many exports ended meanwhile, or were under way.
    pub exports: u64,
    /// Of a dimension over all users.
    pub many_groups: Spread,
    /// How many groups it has.
    pub groups: usize,
}

/// Asks a count beside exports, and the dimension, each at least so often.
///
/// # Errors
/// When the server refuses something.
pub async fn measure(address: &str, count: &str, runs: usize) -> Result<Beside> {
    let client = Client::connect(address, options()).await?;
    let mut groups = execute(&client, MANY_GROUPS).await?.rows.len();
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        groups = execute(&client, MANY_GROUPS).await?.rows.len();
        times.push(start.elapsed());
    }
    let (behind_export, exports) = behind_export(address, &client, count, runs).await?;
    Ok(Beside {
        behind_export: Spread::of(&behind_export),
        exports,
        many_groups: Spread::of(&times),
        groups,
    })
}

/// The times of the counts, and how many exports there were.
async fn behind_export(
    address: &str,
    client: &Client,
    count: &str,
    runs: usize,
) -> Result<(Vec<Duration>, u64)> {
    let exporter = Client::connect(address, options()).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let exporting = tokio::spawn({
        let is_over = Arc::clone(&is_over);
        async move {
            let mut exports = 0_u64;
            while !is_over.load(Ordering::Acquire) {
                count_keys(&exporter, EVERY_USER).await?;
                exports += 1;
            }
            anyhow::Ok(exports)
        }
    });
    let mut times = Vec::new();
    while times.len() < runs.max(COUNTS_MIN) {
        let start = Instant::now();
        execute(client, count).await?;
        times.push(start.elapsed());
    }
    is_over.store(true, Ordering::Release);
    let exports = exporting.await.context("exporting beside the counts")??;
    Ok((times, exports))
}

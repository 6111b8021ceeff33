//! W1: one tag on one user, durable before it is acknowledged, and what the disk itself takes.
//!
//! Knows the client and the disk.

use std::{
    fs::OpenOptions,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tessera_client::{Client, ClientOptions};

use crate::{ask::execute, generate::user_key, random::Stream, report::Spread};

/// Numbers of connections that are measured.
pub const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// The tag that is given: one that no question mentions.
const TAG: &str = "w1";
/// How long each number of connections writes.
const WRITING: Duration = Duration::from_secs(5);
/// How often the disk is synced on its own.
const SYNCS: usize = 300;
/// Bytes appended before each sync: about what a log keeps of one tag.
const SYNCED_BYTES: usize = 128;

/// Acknowledged writes with so many connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WriteRate {
    /// Each with one write under way.
    pub connections: usize,
    /// All connections together.
    pub per_second: f64,
    /// Of one write; not every peer tells.
    #[serde(default)]
    pub latency: Option<Spread>,
}

/// Measures writing with each number of connections.
///
/// # Errors
/// When a write fails.
pub async fn measure(address: &str, users: u32) -> Result<Vec<WriteRate>> {
    let client = Client::connect(address, ClientOptions::default()).await?;
    execute(&client, &format!("DEFINE TAG {TAG}")).await?;
    let mut rates = Vec::new();
    for connections in CONNECTIONS {
        rates.push(rate(address, users, connections).await?);
    }
    Ok(rates)
}

async fn rate(address: &str, users: u32, connections: usize) -> Result<WriteRate> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Client::connect(address, ClientOptions::default()).await?);
    }
    let start = Instant::now();
    let writers: Vec<_> = (0..)
        .zip(clients)
        .map(|(number, client)| {
            let stream = Stream::new([5_000, connections as u64, number]);
            tokio::spawn(write_until(client, stream, users, start + WRITING))
        })
        .collect();
    let mut times = Vec::new();
    for writer in writers {
        times.extend(writer.await??);
    }
    Ok(WriteRate {
        connections,
        per_second: times.len() as f64 / start.elapsed().as_secs_f64(),
        latency: Some(Spread::of(&times)),
    })
}

async fn write_until(
    client: Client,
    mut stream: Stream,
    users: u32,
    end: Instant,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    while Instant::now() < end {
        let user = user_key(stream.below(u64::from(users)) as u32);
        let start = Instant::now();
        client.tag(user, [TAG]).await.context("tagging a user")?;
        times.push(start.elapsed());
    }
    Ok(times)
}

/// What one sync of a file in this directory takes, after a short append.
///
/// # Errors
/// When the file cannot be written.
pub fn sync_latency(directory: &Path) -> Result<Spread> {
    let path = directory.join("sync-probe");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .context("cannot write beside the server's data")?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; SYNCED_BYTES])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(Spread::of(&times))
}

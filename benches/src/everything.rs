//! Reading everything once, so that all of it is in the server's caches: then sizes are what
//! they can be at most, and an export is read from memory.
//!
//! Knows the data's columns. Does not judge what is found.

use std::{collections::HashMap, time::Instant};

use anyhow::{Context, Result, ensure};
use tessera_client::{Batch, Client, Datum, Params};

use crate::ask::execute;

const CODED: [&str; 5] = ["gender", "region", "industry", "source", "device"];
const NUMBERS: [&str; 4] = ["age", "signup_day", "last_seen_day", "spend_90d"];
const EVERY_TAG: &str = "DIMENSION tag MEASURE count";
pub(crate) const EVERY_USER: &str = "SEGMENT ALL";
/// Exports that are timed; the fastest counts, because the first fills the caches.
const EXPORTS: usize = 3;

/// Makes the server read every bitmap, every column and every key. Returns how many keys a
/// second the fastest of some exports of all users delivered.
///
/// # Errors
/// When the server refuses, or an export has not as many keys as there are users.
pub async fn read_all(client: &Client, users: u32) -> Result<f64> {
    execute(client, EVERY_TAG).await?;
    for attribute in CODED.iter().chain(&NUMBERS) {
        execute(client, &format!("COUNT {attribute} IS PRESENT")).await?;
    }
    for attribute in CODED {
        read_values(client, attribute).await?;
    }
    for attribute in NUMBERS {
        // The slices, and then the column.
        execute(client, &format!("COUNT {attribute}:20..40")).await?;
        let bands = format!("DIMENSION gender, {attribute}[20, 40] MEASURE count WHERE tag:t0");
        execute(client, &bands).await?;
    }
    let mut fastest = f64::INFINITY;
    for _ in 0..EXPORTS {
        let start = Instant::now();
        let keys = count_keys(client, EVERY_USER).await?;
        fastest = fastest.min(start.elapsed().as_secs_f64());
        ensure!(
            keys == u64::from(users),
            "an export has {keys} keys of {users} users"
        );
    }
    Ok(f64::from(users) / fastest)
}

/// The rows and the column of an attribute with names for its values.
async fn read_values(client: &Client, attribute: &str) -> Result<()> {
    execute(client, &format!("DIMENSION {attribute} MEASURE count")).await?;
    let answer = execute(client, &format!("SHOW VALUES OF {attribute}")).await?;
    for row in &answer.rows {
        if let Some(Datum::Text(value)) = row.first() {
            execute(client, &format!("COUNT {attribute}:\"{value}\"")).await?;
        }
    }
    Ok(())
}

/// Reads every key of an answer.
pub(crate) async fn count_keys(client: &Client, statement: &str) -> Result<u64> {
    let stream = client.stream(statement, Params::default()).await;
    let mut stream = stream.with_context(|| format!("asking {statement}"))?;
    let mut count = 0;
    while let Some(batch) = stream.next_batch().await {
        count += match batch? {
            // A program would read them, so they are read here.
            Batch::Keys(keys) => keys.iter().filter(|key| !key.is_empty()).count(),
            Batch::Rows(rows) => rows.len(),
        } as u64;
    }
    Ok(count)
}

/// What the server says of itself, as far as it is numbers.
///
/// # Errors
/// When it says nothing.
pub async fn status(client: &Client) -> Result<HashMap<String, u64>> {
    let answer = client.status().await?;
    let number = |row: &Vec<Datum>| match (row.first(), row.get(1)) {
        (Some(Datum::Text(name)), Some(Datum::Integer(number))) => {
            Some((name.clone(), u64::try_from(*number).ok()?))
        }
        _ => None,
    };
    Ok(answer.rows.iter().filter_map(number).collect())
}

/// Bitmaps and columns as they are stored, as far as they are in the caches; `None` when the
/// server does not tell.
pub fn stored_bytes(status: &HashMap<String, u64>) -> Option<u64> {
    Some(status.get("cached_bitmap_bytes")? + status.get("cached_column_bytes")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_bytes_are_bitmaps_and_columns() {
        let status = |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), 5)).collect();
        assert_eq!(
            stored_bytes(&status(&["cached_bitmap_bytes", "cached_column_bytes"])),
            Some(10)
        );
        assert_eq!(stored_bytes(&status(&["cached_bitmap_bytes"])), None);
    }
}

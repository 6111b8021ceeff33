//! Tracks what users do, one by one and many at once, and asks about it.
//!
//! Start a server, then: `cargo run --example track_events`

use std::time::{SystemTime, UNIX_EPOCH};

use tessera_client::{
    BulkOptions, Client, ClientOptions, Error, EventRows, PackedTexts, Track,
    expr::{Window, event},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:7700".to_owned());
    let client = Client::connect(address, ClientOptions::default()).await?;
    for define in [
        "DEFINE EVENT IF NOT EXISTS login",
        "DEFINE EVENT IF NOT EXISTS purchase (amount INTEGER, channel ENUM)",
    ] {
        client.execute(define, ()).await?;
    }

    // As things happen. With an id an event counts once, however often it is sent.
    let bought = Track::new("ada", "purchase")
        .id("order-77")
        .with("amount", 12)
        .with("channel", "ads");
    client.track(bought).await?;

    // Many at once, such as a log of yesterday's.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_us = now.map_or(0, |since| since.as_micros() as i64);
    let mut users = PackedTexts::default();
    for user in ["ada", "bob", "cleo"] {
        users.push(user)?;
    }
    let logins = EventRows {
        event: "login".to_owned(),
        users,
        of: (0..9_000).map(|number| number % 3).collect(),
        times_us: (0..9_000)
            .map(|number| now_us - number * 10_000_000)
            .collect(),
        ids: None,
        columns: Vec::new(),
    };
    let mut bulk = client.bulk(&BulkOptions::default());
    bulk.push_events(logins).await?;
    let report = bulk.finish().await;
    println!("{} logins tracked", report.totals.facts_changed);

    let often = event("login").within(Window::days(7)).count().from(100);
    println!("{} users came often", client.count(&often).await?);
    Ok(())
}

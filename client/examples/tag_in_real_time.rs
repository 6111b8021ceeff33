//! Tags users while things happen, from several tasks over one connection.
//!
//! Start a server, then: `cargo run --example tag_in_real_time`

use tessera_client::{Client, ClientOptions, Error, Write};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:7700".to_owned());
    let client = Client::connect(address, ClientOptions::default()).await?;
    client
        .execute("DEFINE GROUP lifecycle EXCLUSIVE IF NOT EXISTS", ())
        .await?;
    for tag in ["new", "active"] {
        let define = format!("DEFINE TAG {tag} IN GROUP lifecycle IF NOT EXISTS");
        client.execute(define, ()).await?;
    }

    // Each visit is a task of its own; they share the connection, and their answers overtake.
    let visits = ["ada", "bob", "cleo"].map(|user| {
        let client = client.clone();
        tokio::spawn(async move {
            let arrival = Write::new().tag(user, ["new"]);
            client.write(arrival).await?;
            // The group is exclusive: becoming active ends being new, at once.
            client.tag(user, ["active"]).await
        })
    });
    for visit in visits {
        match visit.await {
            Ok(outcome) => println!("{} facts changed", outcome?.facts_changed),
            Err(panic) => eprintln!("a visit went wrong: {panic}"),
        }
    }

    if let Some(portrait) = client.portrait("ada").await? {
        println!(
            "ada is active: {}, is new: {}",
            portrait.holds("active"),
            portrait.holds("new")
        );
    }
    Ok(())
}

//! The client crate against a real server: one connection shared by many tasks, streams, bulk
//! writing, and a server that goes away and comes back.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::{collections::BTreeSet, net::SocketAddr};

use futures_util::StreamExt;
use tessera_client::{
    BulkOptions, Client, ClientOptions, Datum, DimensionQuery, Error, FailureCode, Measure,
    Mutation, SegmentQuery, Submission, UnknownTags,
    expr::{all, attribute, not, tag},
};
use tessera_tests::server_process::{ServerProcess, bare_command};

const USERS: u32 = 20_000;

async fn connect(server: SocketAddr) -> Client {
    Client::connect(server.to_string(), ClientOptions::default())
        .await
        .unwrap()
}

async fn load(client: &Client) {
    client
        .execute("DEFINE ATTRIBUTE age INTEGER", ())
        .await
        .unwrap();
    let options = BulkOptions {
        unknown_tags: UnknownTags::Define,
        batch_mutations_max: 500,
        ..BulkOptions::default()
    };
    let mut bulk = client.bulk(&options);
    for number in 0..USERS {
        let user = format!("u{number}");
        // Two rows are bad; the others of their batches are not.
        let age = if number % 10_000 == 77 {
            Datum::Text("old".to_owned())
        } else {
            Datum::from(number % 100)
        };
        bulk.push(Mutation::Set {
            user: user.clone(),
            values: vec![("age".to_owned(), age)],
        })
        .await
        .unwrap();
        bulk.push(Mutation::Tag {
            user,
            tags: vec![format!("cohort-{}", number % 7)],
        })
        .await
        .unwrap();
    }
    let report = bulk.finish().await;
    assert_eq!(
        (report.totals.given, report.totals.applied),
        (u64::from(USERS) * 2, u64::from(USERS) * 2 - 2)
    );
    let refused: Vec<&Mutation> = report
        .refusals
        .iter()
        .map(|refusal| &refusal.mutation)
        .collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(report.failures.is_empty(), "{:?}", report.failures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_one_connection() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path());
    let client = connect(server.address()).await;
    load(&client).await;
    let tasks: Vec<_> = (0..200_u32)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move {
                let who = attribute("age")
                    .from(number % 100)
                    .and(not(tag("cohort-3")));
                client.count(&who).await.unwrap()
            })
        })
        .collect();
    for (number, task) in (0..200_u32).zip(tasks) {
        let expected = (0..USERS).filter(|user| {
            let has_age = user % 10_000 != 77;
            has_age && user % 100 >= number % 100 && user % 7 != 3
        });
        assert_eq!(task.await.unwrap(), expected.count() as u64, "{number}");
    }
    let groups = client
        .dimension(
            &DimensionQuery::new()
                .by_tags_like(["cohort-*"])
                .measure(Measure::Count),
        )
        .await;
    let counted: i64 = groups
        .unwrap()
        .rows
        .iter()
        .map(|row| {
            if let Datum::Integer(count) = row[1] {
                count
            } else {
                0
            }
        })
        .sum();
    assert_eq!(counted, i64::from(USERS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_is_a_stream_and_can_be_left() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path());
    let client = connect(server.address()).await;
    load(&client).await;
    let mut users = client
        .segment(&SegmentQuery::new(all()).returning(["age"]))
        .await
        .unwrap();
    let mut seen = BTreeSet::new();
    while let Some(user) = users.next().await {
        assert!(seen.insert(user.unwrap().key));
    }
    assert_eq!(seen.len(), USERS as usize);
    // Dropped after the first row: the connection goes on.
    let mut users = client.segment(&SegmentQuery::new(all())).await.unwrap();
    users.next().await.unwrap().unwrap();
    drop(users);
    assert_eq!(client.count(&tag("cohort-0")).await.unwrap(), 2_858);
    // Pages of one snapshot.
    let query = SegmentQuery::new(tag("cohort-1")).limit(1_000);
    let mut page = client.page(&query).await.unwrap();
    client.delete_user("u1").await.unwrap();
    let mut keys: BTreeSet<String> = BTreeSet::new();
    loop {
        keys.extend(page.users.iter().map(|user| user.key.clone()));
        let Some(cursor) = &page.cursor else { break };
        page = client.next_page(cursor, None).await.unwrap();
    }
    assert_eq!(keys.len(), 2_857, "the deleted user is in the snapshot");
    assert!(keys.contains("u1"));
    assert_eq!(client.count(&tag("cohort-1")).await.unwrap(), 2_856);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_name_and_no_value_breaks_out() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path());
    let client = connect(server.address()).await;
    client
        .execute("DEFINE ATTRIBUTE email TEXT", ())
        .await
        .unwrap();
    client.tag("someone", ["vip"]).await.unwrap_err();
    for sly in [
        "\" OR ALL OR tag:\"x",
        "x; DELETE USER someone",
        "$1",
        "*",
        "a\\",
        "tag:vip",
        "line\u{2028}",
    ] {
        client
            .execute("DEFINE TAG x IF NOT EXISTS", ())
            .await
            .unwrap();
        client.set("someone", [("email", sly)]).await.unwrap();
        assert_eq!(
            client.count(&attribute("email").is(sly)).await.unwrap(),
            1,
            "{sly}"
        );
        assert_eq!(
            client.count(&attribute("email").is("x")).await.unwrap(),
            0,
            "{sly}"
        );
        match client.count(&tag(sly)).await {
            Err(Error::Refused(failure)) => {
                assert_eq!(failure.code, FailureCode::UnknownName, "{sly}");
            }
            other => panic!("{sly}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_is_submitted_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path());
    let client = connect(server.address()).await;
    for statement in [
        "DEFINE ATTRIBUTE gender ENUM (f, m)",
        "DEFINE ATTRIBUTE birthday DATE",
        "DEFINE ATTRIBUTE age AS YEARS SINCE birthday",
        "DEFINE ATTRIBUTE invited_by USER",
        "DEFINE EVENT purchase (note TEXT)",
        "DEFINE TAG vip IF NOT EXISTS",
        "DEFINE FORM welcome (gender ENUM REQUIRED SETS ATTRIBUTE gender, \
         born DATE SETS ATTRIBUTE birthday, friend USER SETS ATTRIBUTE invited_by, \
         plan (pro, free) SETS TAG (pro: vip), bought TEXT SETS EVENT purchase.note)",
    ] {
        client.execute(statement, ()).await.unwrap();
    }
    let submission = Submission::new("welcome", "u 1")
        .answer("gender", "f")
        .answer("born", "1990-05-06")
        .answer("friend", "u2")
        .answer("plan", "pro")
        .answer("bought", "x; DELETE USER u1")
        .id("k");
    let first = client.submit_form(&submission).await.unwrap();
    assert_eq!(first.users_changed, 2);
    let again = client.submit_form(&submission).await.unwrap();
    assert_eq!(again.facts_changed, first.facts_changed);
    for found in [
        "tag:vip AND gender:f AND age >= 30 AND count(purchase) = 1",
        "referred_by(user:u2)",
        "inviter_of(tag:vip)",
    ] {
        let counted = client.execute(format!("COUNT {found}"), ()).await.unwrap();
        assert_eq!(counted.rows, [[Datum::Integer(1)]], "{found}");
    }
    match client.submit_form(&Submission::new("welcome", "u3")).await {
        Err(Error::Refused(failure)) => {
            assert!(
                failure.message.contains("gender must be answered"),
                "{failure:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_outlives_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path());
    let client = connect(server.address()).await;
    client.execute("DEFINE TAG vip", ()).await.unwrap();
    client.tag("a", ["vip"]).await.unwrap();
    let address = server.address();
    server.kill();
    let mut again = bare_command();
    again
        .arg("--data-dir")
        .arg(directory.path())
        .arg("--listen")
        .arg(address.to_string());
    let server = ServerProcess::spawn(again).unwrap();
    assert_eq!(
        client.count(&tag("vip")).await.unwrap(),
        1,
        "reading is repeated by itself"
    );
    client.tag("b", ["vip"]).await.unwrap();
    assert_eq!(client.count(&tag("vip")).await.unwrap(), 2);
    drop(server);
}

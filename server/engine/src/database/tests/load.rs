//! Many threads at once: readers see whole commits only, and never wait for writers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

const USERS: u64 = 64;

/// Readers look at two rows of which every user is in exactly one, while writers move users and the
/// store is compacted.
#[test]
fn readers_see_every_move_whole() {
    let fixture = Fixture::defined(&[
        "DEFINE GROUP side EXCLUSIVE",
        "DEFINE TAG left IN GROUP side",
        "DEFINE TAG right IN GROUP side",
    ]);
    fixture.changed(
        (0..USERS)
            .map(|n| tag(&format!("u{n}"), &["left"]))
            .collect(),
    );
    let schema = fixture.db().view().schema().clone();
    let rows = ["left", "right"].map(|name| RowId::Tag(schema.tag(name).unwrap().id));
    let (done, moves) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let (store, is_done) = (&fixture.db().store, &done);
        scope.spawn(move || {
            // Deltas are merged and files replaced all the while.
            while !is_done.load(Ordering::Acquire) {
                store.compact().unwrap();
            }
        });
        for reader in 0..2 {
            let (fixture, done) = (&fixture, &done);
            scope.spawn(move || {
                let mut kept = fixture.db().view();
                let first = rows.map(|row| count(&kept, row));
                let mut looks = 0;
                while !done.load(Ordering::Acquire) {
                    let view = fixture.db().view();
                    assert_eq!(rows.map(|row| count(&view, row)).iter().sum::<u64>(), USERS);
                    // An old view stays as it was, whatever the others put into the cache.
                    assert_eq!(rows.map(|row| count(&kept, row)), first);
                    looks += 1;
                    if looks % 50 == 0 && reader == 0 {
                        kept = fixture.db().view();
                        assert_eq!(rows.map(|row| count(&kept, row)).iter().sum::<u64>(), USERS);
                        break;
                    }
                }
            });
        }
        let writers: Vec<_> = (0..3u64)
            .map(|writer| {
                let (fixture, moves) = (&fixture, &moves);
                scope.spawn(move || {
                    for step in 0..150u64 {
                        let side = if (step + writer) % 2 == 0 {
                            "right"
                        } else {
                            "left"
                        };
                        let users = (0..8).map(|n| {
                            tag(
                                &format!("u{}", (step * 7 + n * 5 + writer) % USERS),
                                &[side],
                            )
                        });
                        fixture.write(users.collect()).unwrap();
                        moves.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Release);
    });
    assert_eq!(moves.into_inner(), 450);
    fixture.check_consistent();
}

/// Requests that share a commit are each whole: accepted ones are all there, refused ones not at
/// all, and each is told apart.
#[test]
fn requests_that_share_a_commit_stay_apart() {
    let fixture = Fixture::defined(&["DEFINE TAG vip", "DEFINE ATTRIBUTE age INTEGER"]);
    let (started, release) = (
        std::sync::mpsc::sync_channel(1),
        std::sync::mpsc::sync_channel::<()>(1),
    );
    std::thread::scope(|scope| {
        let fixture = &fixture;
        let (started_tx, release_rx) = (started.0, release.1);
        // Holds the writer, so that the others wait together.
        scope.spawn(move || {
            fixture.db().write_where(move |_| {
                started_tx.send(()).unwrap();
                release_rx.recv().unwrap();
                Ok(Vec::new())
            })
        });
        started.1.recv().unwrap();
        let requests: Vec<_> = (0..20)
            .map(|n: u64| {
                scope.spawn(move || {
                    let age = if n.is_multiple_of(2) {
                        Datum::Integer(1)
                    } else {
                        text("not a number")
                    };
                    fixture.write(vec![
                        tag(&format!("u{n}"), &["vip"]),
                        set(&format!("u{n}"), "age", age),
                    ])
                })
            })
            .collect();
        release.0.send(()).unwrap();
        for (n, request) in requests.into_iter().enumerate() {
            assert_eq!(request.join().unwrap().is_ok(), n % 2 == 0);
        }
    });
    assert_eq!(
        (fixture.holders("vip"), fixture.count(RowId::Users)),
        (10, 10)
    );
    fixture.check_consistent();
}

#[test]
fn a_request_that_panics_while_choosing_users_harms_nobody() {
    let fixture = Fixture::defined(&["DEFINE TAG vip"]);
    let result = fixture.db().write_where(|view| {
        // Beyond the end of an empty list.
        let keys: Vec<String> = Vec::new();
        Ok(vec![ensure(&keys[view.version() as usize])])
    });
    refused(result, ErrorCode::Internal, "panicked");
    assert_eq!(fixture.changed(vec![tag("u1", &["vip"])]), (1, 1));
}

/// A query is answered while a write is in the middle of its work, from the state before it.
#[test]
fn readers_do_not_wait_for_a_writer() {
    let fixture = Fixture::defined(&["DEFINE TAG vip"]);
    fixture.changed(vec![tag("u1", &["vip"])]);
    let (started, start) = std::sync::mpsc::sync_channel(1);
    let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::scope(|scope| {
        let fixture = &fixture;
        let writer = scope.spawn(move || {
            fixture.db().write_where(move |_| {
                started.send(()).unwrap();
                released.recv().unwrap();
                Ok(vec![tag("u2", &["vip"])])
            })
        });
        start.recv().unwrap();
        // The writer goes on only when this is answered.
        assert_eq!(fixture.holders("vip"), 1);
        release.send(()).unwrap();
        assert_eq!(writer.join().unwrap().unwrap().users_changed, 1);
    });
    assert_eq!(fixture.holders("vip"), 2);
}

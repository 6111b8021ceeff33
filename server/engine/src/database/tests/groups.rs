//! Writes that share a commit, and commits that go to disk while the next are staged.

use super::*;

/// A database where each write is a commit of its own, and all but the last of those that wait are
/// staged while others go to disk.
fn in_turn() -> Fixture {
    Fixture::with(|options| {
        options.limits.commit_bytes_max = 1;
        options.durability = Durability::Fsync;
    })
}

/// Holds the writer up until it is let go.
struct Held {
    release: std::sync::mpsc::Sender<()>,
    holder: std::thread::JoinHandle<Result<Summary, Error>>,
}

impl Held {
    fn hold(handle: &WriterHandle) -> Self {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let handle = handle.clone();
        let holder = std::thread::spawn(move || {
            handle.submit(Job::Where(Box::new(move |_| {
                begun.send(()).unwrap();
                let _gone = released.recv();
                Ok(Selected::Mutations(Box::new(std::iter::empty())))
            })))
        });
        has_begun.recv().unwrap();
        Self { release, holder }
    }

    fn let_go(self) {
        self.release.send(()).unwrap();
        self.holder.join().unwrap().unwrap();
    }
}

type Answers = std::sync::mpsc::Receiver<(u32, Result<Summary, Error>)>;

/// Submits a write for each number; says what became of it, under its number.
fn submit_all(db: &Database, writes: impl IntoIterator<Item = (u32, Mutation)>) -> Answers {
    let (sender, answers) = std::sync::mpsc::channel();
    for (number, mutation) in writes {
        let sender = sender.clone();
        let request = WriteRequest {
            mutations: vec![mutation],
            ..WriteRequest::default()
        };
        db.submit_write(request, move |answer| {
            sender.send((number, answer)).unwrap();
        });
    }
    answers
}

#[test]
fn writes_that_wait_together_are_each_answered_once() {
    let fixture = Fixture::defined(&["DEFINE TAG vip"]);
    fixture.changed((0..10).map(|user| ensure(&format!("u{user}"))).collect());
    let held = Held::hold(&fixture.db().handle);
    let too_long = "k".repeat(100_000);
    let writes = (0..40).map(|number| match number {
        7 => (number, tag("u1", &["unheard"])),
        9 => (number, ensure(&too_long)),
        // Each user three times, who is there already or not.
        _ => (number, tag(&format!("u{}", number % 13), &["vip"])),
    });
    let answers = submit_all(fixture.db(), writes);
    held.let_go();
    let mut changed = 0;
    let mut answered: Vec<u32> = Vec::new();
    // Ends when every completion is gone.
    for (number, answer) in answers {
        answered.push(number);
        match number {
            7 | 9 => assert!(answer.is_err(), "{answer:?}"),
            _ => changed += answer.unwrap().users_changed,
        }
    }
    // Those refused at once come first.
    answered.sort_unstable();
    assert_eq!(answered, (0..40).collect::<Vec<_>>());
    assert_eq!(changed, 13);
    fixture.check_consistent();
}

#[test]
fn groups_that_follow_each_other_are_seen_before_they_are_answered() {
    let fixture = in_turn();
    let held = Held::hold(&fixture.db().handle);
    let (sender, answers) = std::sync::mpsc::channel();
    for number in 0..200_u8 {
        let (sender, current) = (sender.clone(), fixture.db().current.clone());
        let request = WriteRequest {
            mutations: vec![ensure(&format!("u{number}"))],
            idempotency_key: Some([number / 2; 16]),
            ..WriteRequest::default()
        };
        fixture.db().submit_write(request, move |answer| {
            let seen = current.load().user_count().unwrap();
            sender.send((answer.unwrap().users_changed, seen)).unwrap();
        });
    }
    drop(sender);
    held.let_go();
    let told: Vec<(u64, u64)> = answers.iter().collect();
    assert_eq!(told.len(), 200);
    for (answered, (changed, seen)) in (0..).zip(told) {
        // Every second one repeats the one before and gets its answer.
        assert_eq!(changed, 1);
        assert!(seen > answered / 2, "{seen} users after {answered} answers");
    }
    fixture.check_consistent();
}

#[test]
fn nothing_is_acknowledged_after_a_sync_that_failed() {
    let mut fixture = in_turn();
    fixture.changed(vec![ensure("before")]);
    let held = Held::hold(&fixture.db().handle);
    let answers = submit_all(
        fixture.db(),
        (0..50).map(|number| (number, ensure(&format!("u{number}")))),
    );
    let failing = &fixture.db().store.is_sync_failing;
    failing.store(true, std::sync::atomic::Ordering::SeqCst);
    held.let_go();
    let mut count = 0;
    for (_, answer) in answers {
        count += 1;
        refused(answer, ErrorCode::Storage, "the disk is gone");
    }
    assert_eq!(count, 50);
    // The disk is back, but nobody knows what is on it.
    let failing = &fixture.db().store.is_sync_failing;
    failing.store(false, std::sync::atomic::Ordering::SeqCst);
    let late = fixture.write(vec![ensure("late")]);
    refused(late, ErrorCode::Storage, "the disk is gone");
    let schema = fixture.define("DEFINE TAG vip");
    refused(schema, ErrorCode::Storage, "the disk is gone");
    assert!(fixture.location("before").is_some());
    assert!(fixture.location("u0").is_none());
    fixture.restart();
    assert!(fixture.location("before").is_some());
    fixture.changed(vec![ensure("late")]);
    fixture.check_consistent();
}

#[test]
fn a_full_queue_refuses_who_does_not_wait() {
    let fixture = Fixture::with(|options| options.limits.queue_requests_max = 2);
    let held = Held::hold(&fixture.db().handle);
    let writes = (0..4).map(|number| (number, ensure(&format!("u{number}"))));
    let answers = submit_all(fixture.db(), writes);
    for expected in [2, 3] {
        let (number, answer) = answers.recv().unwrap();
        assert_eq!(number, expected);
        refused(answer, ErrorCode::Overloaded, "too many writes wait");
    }
    held.let_go();
    let rest: Vec<_> = answers.iter().map(|(number, _)| number).collect();
    assert_eq!(rest, [0, 1]);
    assert!(fixture.location("u1").is_some());
    assert!(fixture.location("u2").is_none());
}

#[test]
fn closing_answers_what_was_submitted() {
    let mut fixture = Fixture::new();
    let handle = fixture.db().handle.clone();
    let held = Held::hold(&handle);
    let answers = submit_all(
        fixture.db(),
        (0..20).map(|number| (number, ensure(&format!("u{number}")))),
    );
    let database = fixture.database.take().unwrap();
    let closing = std::thread::spawn(move || database.close());
    held.let_go();
    closing.join().unwrap().unwrap();
    assert!(answers.iter().all(|(_, answer)| answer.is_ok()));
    let (sender, late) = std::sync::mpsc::channel();
    handle.submit_with(Job::Write(WriteRequest::default()), move |answer| {
        sender.send(answer).unwrap();
    });
    assert!(matches!(late.recv(), Ok(Err(Error::Closing))));
    fixture.open().unwrap();
    assert!(fixture.location("u19").is_some());
}

#[test]
#[expect(clippy::panic, reason = "it is what is tested")]
fn a_completion_that_panics_stops_nobody() {
    let fixture = Fixture::new();
    let (sender, done) = std::sync::mpsc::channel::<()>();
    let request = WriteRequest {
        mutations: vec![ensure("u1")],
        ..WriteRequest::default()
    };
    fixture.db().submit_write(request, move |_| {
        drop(sender);
        panic!("as it was told");
    });
    assert!(done.recv().is_err());
    assert_eq!(fixture.changed(vec![ensure("u2")]), (1, 0));
}

fn track(user: &str, id: &str) -> Mutation {
    Mutation::Track {
        user: user.to_owned(),
        event: "login".to_owned(),
        at_us: None,
        id: Some(id.to_owned()),
        values: Vec::new(),
    }
}

/// How many events a user has.
fn events_of(fixture: &Fixture, user: &str) -> usize {
    let view = fixture.db().view();
    let Some(location) = view.locate(user).unwrap() else {
        return 0;
    };
    let login = view.schema().event("login").unwrap().id;
    let mut found = 0;
    view.for_each_event(location, login, |_, _| {
        found += 1;
        Ok(())
    })
    .unwrap();
    found
}

#[test]
fn an_event_counts_once_however_many_commits_tell_of_it() {
    let mut fixture = in_turn();
    fixture.define("DEFINE EVENT login").unwrap();
    let writes = || {
        (0..120).map(|number| {
            let mutation = track(&format!("u{}", number % 3), &format!("e{}", number % 2));
            (number, mutation)
        })
    };
    let held = Held::hold(&fixture.db().handle);
    let answers = submit_all(fixture.db(), writes());
    held.let_go();
    let noted: u64 = answers
        .iter()
        .map(|(_, answer)| answer.unwrap().facts_changed)
        .sum();
    assert_eq!(noted, 6);
    // Whoever comes after somebody was deleted is another, with events of its own.
    let held = Held::hold(&fixture.db().handle);
    let again = [
        track("u0", "e0"),
        delete("u0"),
        track("u0", "e0"),
        track("u0", "e0"),
    ];
    let answers = submit_all(fixture.db(), (0..).zip(again));
    held.let_go();
    let facts: Vec<u64> = answers
        .iter()
        .map(|(_, answer)| answer.unwrap().facts_changed)
        .collect();
    assert_eq!(facts, [0, 0, 1, 0]);
    fixture.restart();
    assert_eq!(
        fixture.changed(writes().map(|(_, write)| write).collect()),
        (1, 1)
    );
    for user in ["u0", "u1", "u2"] {
        assert_eq!(events_of(&fixture, user), 2);
    }
    fixture.check_consistent();
}

#[test]
fn an_event_that_was_not_acknowledged_is_there_once_or_not_at_all() {
    let mut fixture = in_turn();
    fixture.define("DEFINE EVENT login").unwrap();
    fixture.changed(vec![ensure("u1")]);
    let held = Held::hold(&fixture.db().handle);
    let answers = submit_all(
        fixture.db(),
        (0..20).map(|number| (number, track("u1", "e1"))),
    );
    let failing = &fixture.db().store.is_sync_failing;
    failing.store(true, std::sync::atomic::Ordering::SeqCst);
    held.let_go();
    // Those too that would change nothing: what they rest on may be lost.
    for (_, answer) in answers {
        refused(answer, ErrorCode::Storage, "the disk is gone");
    }
    assert_eq!(events_of(&fixture, "u1"), 0);
    fixture.restart();
    fixture.write(vec![track("u1", "e1")]).unwrap();
    assert_eq!(events_of(&fixture, "u1"), 1);
    fixture.check_consistent();
}

#[test]
fn who_is_told_that_nothing_changes_sees_what_was_there_before() {
    let fixture = in_turn();
    fixture.define("DEFINE TAG short DYNAMIC FOR 2d").unwrap();
    fixture.changed(vec![ensure("u1")]);
    let tag_id = fixture.db().view().schema().tag("short").unwrap().id;
    let held = Held::hold(&fixture.db().handle);
    let (sender, answers) = std::sync::mpsc::channel();
    for _ in 0..100 {
        let (sender, current) = (sender.clone(), fixture.db().current.clone());
        let request = WriteRequest {
            mutations: vec![tag("u1", &["short"])],
            ..WriteRequest::default()
        };
        fixture.db().submit_write(request, move |answer| {
            let view = current.load();
            let location = view.locate("u1").unwrap().unwrap();
            let record = view.record(location).unwrap().unwrap();
            let changed = answer.unwrap().facts_changed;
            sender
                .send((changed, count(&view, RowId::Tag(tag_id)), record.tags.len()))
                .unwrap();
        });
    }
    drop(sender);
    held.let_go();
    let told: Vec<(u64, u64, usize)> = answers.iter().collect();
    assert_eq!(told.len(), 100);
    assert_eq!(told.iter().map(|(changed, ..)| changed).sum::<u64>(), 1);
    assert!(
        told.iter()
            .all(|(_, holders, held)| (*holders, *held) == (1, 1))
    );
    fixture.check_consistent();
}

//! Forms: checked when they are defined, and submitted all or nothing.

use super::*;
use crate::exec::testing::Collected;

const WELCOME: &str = "DEFINE FORM welcome (gender ENUM REQUIRED SETS ATTRIBUTE gender, \
     plan (pro, free, none) SETS TAG (pro: vip, free: basic), \
     hobbies MULTI SETS ATTRIBUTE interests, \
     mail BOOLEAN SETS TAG (true: reachable), \
     bought TEXT SETS EVENT purchase.note, \
     price DECIMAL(2) SETS EVENT purchase.amount) OWNER crm DESCRIPTION \"asked first\"";

fn fixture() -> Fixture {
    Fixture::defined(&[
        "DEFINE ATTRIBUTE gender ENUM (f, m, x)",
        "DEFINE ATTRIBUTE interests MULTI",
        "DEFINE ATTRIBUTE born DATE WRITE ONCE",
        "DEFINE GROUP plan EXCLUSIVE",
        "DEFINE TAG vip IN GROUP plan",
        "DEFINE TAG basic IN GROUP plan",
        "DEFINE TAG reachable",
        "DEFINE EVENT purchase (amount DECIMAL(2), note TEXT)",
        WELCOME,
    ])
}

fn run(fixture: &Fixture, text: &str) -> Result<(Summary, Vec<Vec<Datum>>), Error> {
    let mut sink = Collected::default();
    let parameters = Parameters::default();
    let summary = fixture
        .db()
        .execute(text, &parameters, &Budget::unlimited(), &mut sink)?;
    Ok((summary, sink.rows))
}

fn count_of(fixture: &Fixture, expr: &str) -> Datum {
    let (_, rows) = run(fixture, &format!("COUNT {expr}")).unwrap();
    rows[0][0].clone()
}

#[track_caller]
fn check_refused(fixture: &Fixture, text: &str, message: &str) {
    let refusal = run(fixture, text).unwrap_err().to_string();
    assert!(refusal.contains(message), "{refusal}");
}

#[test]
fn answers_set_what_they_say() {
    let mut fixture = fixture();
    let submitted = "SUBMIT FORM welcome FOR u1 WITH gender = f, plan = pro, hobbies = (golf, art), \
         mail = true, bought = shoes, price = 12.5";
    let (summary, _) = run(&fixture, submitted).unwrap();
    assert_eq!(
        (summary.users_changed, summary.facts_changed),
        (1, 1 + 2 + 2 + 1)
    );
    let check = |fixture: &Fixture| {
        assert_eq!(fixture.value("u1", "gender"), Some(text("f")));
        assert_eq!(
            fixture.value("u1", "interests"),
            Some(list(&["art", "golf"]))
        );
        assert_eq!(fixture.tags("u1"), ["reachable", "vip"]);
        let bought = "sum(purchase.amount) = 12.5 AND count(purchase) = 1";
        assert_eq!(count_of(fixture, bought), Datum::Integer(1));
        fixture.check_consistent();
    };
    check(&fixture);
    fixture.restart();
    check(&fixture);
    // Only what is answered is set; an answer without a tag gives none.
    run(
        &fixture,
        "SUBMIT FORM welcome FOR u1 WITH gender = m, plan = free, mail = false",
    )
    .unwrap();
    assert_eq!(fixture.tags("u1"), ["basic", "reachable"]);
    assert_eq!(fixture.value("u1", "gender"), Some(text("m")));
    assert_eq!(count_of(&fixture, "count(purchase) = 1"), Datum::Integer(1));
    run(
        &fixture,
        "SUBMIT FORM welcome FOR u2 WITH gender = x, plan = none",
    )
    .unwrap();
    assert_eq!(fixture.tags("u2"), Vec::<String>::new());
    let (_, shown) = run(&fixture, "SHOW FORMS LIKE \"w*\"").unwrap();
    let fields = format!("{:?}", shown[0][1]);
    assert!(
        fields.contains("gender ENUM REQUIRED SETS ATTRIBUTE gender"),
        "{fields}"
    );
    assert_eq!(shown[0][2..], [text("asked first"), text("crm")]);
}

#[test]
fn the_same_id_again_changes_nothing() {
    let mut fixture = fixture();
    let submitted = "SUBMIT FORM welcome FOR u1 WITH gender = f, bought = shoes ID \"k\"";
    let (first, _) = run(&fixture, submitted).unwrap();
    let (again, _) = run(&fixture, submitted).unwrap();
    assert_eq!(first, again);
    fixture.restart();
    let (again, _) = run(&fixture, submitted).unwrap();
    assert_eq!(first, again);
    assert_eq!(count_of(&fixture, "count(purchase) = 1"), Datum::Integer(1));
    // Of another user, and another id.
    run(&fixture, &submitted.replace("u1", "u2")).unwrap();
    run(&fixture, &submitted.replace("\"k\"", "\"l\"")).unwrap();
    assert_eq!(count_of(&fixture, "count(purchase) = 2"), Datum::Integer(1));
    assert_eq!(count_of(&fixture, "did:purchase"), Datum::Integer(2));
    let long = format!(
        "SUBMIT FORM welcome FOR u1 WITH gender = f ID {:?}",
        "k".repeat(257)
    );
    check_refused(&fixture, &long, "cannot be the id of a submission");
    check_refused(
        &fixture,
        "SUBMIT FORM welcome FOR u1 ID \"\"",
        "cannot be the id",
    );
}

#[test]
fn the_same_submission_from_many_at_once_is_taken_once() {
    let fixture = fixture();
    let submitted = "SUBMIT FORM welcome FOR u1 WITH gender = f, bought = shoes ID \"k\"";
    let (started, start) = std::sync::mpsc::sync_channel(1);
    let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::scope(|scope| {
        let fixture = &fixture;
        // Holds the writer, so that the others wait together.
        scope.spawn(move || {
            fixture.db().write_where(move |_| {
                started.send(()).unwrap();
                released.recv().unwrap();
                Ok(Vec::new())
            })
        });
        start.recv().unwrap();
        let submitting = [(); 6].map(|()| scope.spawn(move || run(fixture, submitted)));
        release.send(()).unwrap();
        for submission in submitting {
            let (summary, _) = submission.join().unwrap().unwrap();
            assert_eq!((summary.users_changed, summary.facts_changed), (1, 2));
        }
    });
    assert_eq!(count_of(&fixture, "count(purchase) = 1"), Datum::Integer(1));
    fixture.check_consistent();
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let fixture = fixture();
    let wrong =
        "SUBMIT FORM welcome FOR u1 WITH plan = gold, mail = perhaps, price = cheap, plans = pro";
    let error = run(&fixture, wrong).unwrap_err();
    assert_eq!(error.code(), ErrorCode::TypeMismatch);
    let message = error.to_string();
    for problem in [
        "the form welcome cannot be submitted",
        "gender must be answered",
        "plan: \"gold\" is not one of \"pro\", \"free\", \"none\"",
        "mail: it is neither true nor false",
        "price: it is not a number",
        "there is no field \"plans\" (did you mean plan",
    ] {
        assert!(message.contains(problem), "{problem}: {message}");
    }
    // What the attribute refuses, and what only the user's record can tell.
    check_refused(
        &fixture,
        "SUBMIT FORM welcome FOR u1 WITH gender = q",
        "gender: \"q\" is not one of the values",
    );
    check_refused(
        &fixture,
        "SUBMIT FORM wellcome FOR u1 WITH gender = f",
        "there is no form named",
    );
    check_refused(
        &fixture,
        "SUBMIT FORM welcome FOR \"\" WITH gender = f",
        "cannot be a user key",
    );
    fixture
        .define("DEFINE FORM birth (born DATE SETS ATTRIBUTE born, bought TEXT SETS EVENT purchase.note)")
        .unwrap();
    run(&fixture, "SUBMIT FORM birth FOR u1 WITH born = 2000-01-02").unwrap();
    check_refused(
        &fixture,
        "SUBMIT FORM birth FOR u1 WITH bought = x, born = 2000-01-03",
        "write-once",
    );
    assert_eq!(count_of(&fixture, "did:purchase"), Datum::Integer(0));
    // On the way past the parser, a field may come twice.
    let gender = || ("gender".to_owned(), text("f"));
    let twice = Mutation::Submit {
        user: "u1".to_owned(),
        form: "welcome".to_owned(),
        answers: vec![gender(), gender()],
    };
    refused(
        fixture.write(vec![twice]),
        ErrorCode::TypeMismatch,
        "answered twice",
    );
    let many = (0..30).map(|n| (format!("f{n}"), text("x")));
    let many = Mutation::Submit {
        user: "u1".to_owned(),
        form: "welcome".to_owned(),
        answers: many.collect(),
    };
    refused(
        fixture.write(vec![many]),
        ErrorCode::TypeMismatch,
        "and 11 more",
    );
    fixture.check_consistent();
}

#[test]
fn nothing_of_a_list_is_no_answer_where_one_is_required() {
    let fixture = Fixture::defined(&[
        "DEFINE ATTRIBUTE interests MULTI",
        "DEFINE FORM must (hobbies MULTI REQUIRED SETS ATTRIBUTE interests)",
        "DEFINE FORM may (hobbies MULTI SETS ATTRIBUTE interests)",
    ]);
    let submit = |form: &str, answer: Datum| {
        let answers = vec![("hobbies".to_owned(), answer)];
        fixture.write(vec![Mutation::Submit {
            user: "u1".to_owned(),
            form: form.to_owned(),
            answers,
        }])
    };
    for nothing in [Datum::Null, list(&[])] {
        refused(
            submit("must", nothing),
            ErrorCode::TypeMismatch,
            "hobbies must be answered",
        );
    }
    assert!(fixture.record("u1").is_none());
    submit("must", list(&["golf"])).unwrap();
    submit("may", Datum::Null).unwrap();
    assert_eq!(fixture.value("u1", "interests"), Some(list(&["golf"])));
    submit("may", list(&[])).unwrap();
    assert_eq!(fixture.value("u1", "interests"), None);
    fixture.check_consistent();
}

#[test]
fn a_submission_is_taken_whole_or_not_at_all() {
    let mut fixture = fixture();
    fixture
        .define("DEFINE TAG old")
        .and_then(|_| {
            fixture.define(
                "DEFINE FORM late (bought TEXT SETS EVENT purchase.note, \
                 hobby ENUM SETS ATTRIBUTE interests, mail BOOLEAN SETS TAG (true: old))",
            )
        })
        .unwrap();
    fixture.define("ALTER TAG old DEPRECATED").unwrap();
    // What the last of the changes meets keeps all of them from being made: the new value of an
    // open list is not defined either, and the id may be used again.
    let late = "SUBMIT FORM late FOR u1 WITH bought = shoes, hobby = chess, mail = true ID \"k\"";
    check_refused(&fixture, late, "takes no new holdings");
    assert!(fixture.record("u1").is_none());
    assert_eq!(count_of(&fixture, "did:purchase"), Datum::Integer(0));
    let values = |fixture: &Fixture| {
        let view = fixture.db().view();
        let interests = view.schema().attribute("interests").unwrap().id;
        view.schema().value_count(interests)
    };
    assert_eq!(values(&fixture), 0);
    fixture.define("ALTER TAG old ACTIVE").unwrap();
    let (summary, _) = run(&fixture, late).unwrap();
    assert_eq!((summary.users_changed, summary.facts_changed), (1, 3));
    // So it is with all others of its request.
    let submit = |user: &str, gender: &str| Mutation::Submit {
        user: user.to_owned(),
        form: "welcome".to_owned(),
        answers: vec![("gender".to_owned(), text(gender))],
    };
    let both = fixture.write(vec![submit("u2", "f"), submit("u3", "q")]);
    refused(both, ErrorCode::TypeMismatch, "gender: \"q\"");
    assert!(fixture.record("u2").is_none());
    // By the wire a request's key stands for the id.
    let request = || WriteRequest {
        mutations: vec![submit("u2", "f"), submit("u3", "m")],
        idempotency_key: Some([9; 16]),
        ..WriteRequest::default()
    };
    let first = fixture.db().write(request()).unwrap();
    assert_eq!((first.users_changed, first.facts_changed), (2, 2));
    fixture.changed(vec![delete("u2")]);
    fixture.restart();
    let again = fixture.db().write(request()).unwrap();
    assert_eq!((again.users_changed, again.facts_changed), (2, 2));
    assert!(fixture.record("u2").is_none());
    fixture.check_consistent();
}

#[test]
fn forms_follow_their_tags_to_other_names() {
    let mut fixture = Fixture::defined(&[
        "DEFINE TAG a",
        "DEFINE TAG b",
        "DEFINE TAG c",
        "DEFINE FORM f (x MULTI (p, q, r) SETS TAG (p: a, q: b, r: c)) OWNER \"crm\"",
    ]);
    let rows = |fixture: &Fixture, text: &str| run(fixture, text).unwrap().1;
    let used = |name: &str| vec![text("form"), text(name), text("field")];
    assert_eq!(rows(&fixture, "USAGES TAG a"), [used("f")]);
    fixture.define("RENAME TAG a TO \"new name\"").unwrap();
    fixture.define("MERGE TAG b INTO c").unwrap();
    fixture.restart();
    assert_eq!(rows(&fixture, "USAGES TAG a"), [used("f")]);
    assert_eq!(rows(&fixture, "USAGES TAG c"), [used("f")]);
    let shown = format!("{:?}", rows(&fixture, "SHOW FORMS"));
    assert!(shown.contains("\\\"new name\\\""), "{shown}");
    assert!(shown.contains("q: c, r: c"), "{shown}");
    run(&fixture, "SUBMIT FORM f FOR u1 WITH x = (p, q, r)").unwrap();
    assert_eq!(fixture.tags("u1"), ["c", "new name"]);
    refused(
        fixture.define("DROP TAG \"new name\""),
        ErrorCode::Conflict,
        "used by form:f",
    );
    // A form is defined with the names that tags have now.
    let former = fixture.define("DEFINE FORM g (x BOOLEAN SETS TAG (true: a))");
    refused(
        former,
        ErrorCode::UnknownName,
        "there is no tag named \"a\"",
    );
    fixture.check_consistent();
}

#[test]
fn a_form_is_checked_when_it_is_defined() {
    let fixture = fixture();
    let check = |fields: &str, message: &str| {
        let refusal = fixture.define(&format!("DEFINE FORM f ({fields})"));
        let error = refusal.unwrap_err().to_string();
        assert!(error.contains(message), "{fields}: {error}");
    };
    check(
        "a TEXT SETS ATTRIBUTE nothing",
        "there is no attribute named \"nothing\"",
    );
    check(
        "a TEXT SETS ATTRIBUTE gender",
        "its answers are text, and gender is enum",
    );
    check(
        "a (f, q) SETS ATTRIBUTE gender",
        "\"q\" is not one of the values of gender",
    );
    check(
        "a TIMESTAMP SETS ATTRIBUTE born",
        "its answers are timestamp, and born is date",
    );
    check(
        "a DECIMAL(3) SETS EVENT purchase.amount",
        "its answers are decimal(3)",
    );
    check(
        "a TEXT SETS EVENT purchase.nothing",
        "no property named \"nothing\"",
    );
    check(
        "a TEXT SETS EVENT nothing.note",
        "there is no event named \"nothing\"",
    );
    check(
        "a TEXT SETS TAG (x: vip)",
        "only those of ENUM, MULTI and BOOLEAN give tags",
    );
    check("a (x, y) SETS TAG (z: vip)", "z cannot be answered");
    check(
        "a BOOLEAN SETS TAG (perhaps: vip)",
        "perhaps cannot be answered",
    );
    check(
        "a (x, y) SETS TAG (x: vip, x: basic)",
        "the answer \"x\" is listed twice",
    );
    check(
        "a (x, y) SETS TAG (x: nothing)",
        "there is no tag named \"nothing\"",
    );
    check(
        "a ENUM SETS ATTRIBUTE gender, b ENUM SETS ATTRIBUTE gender",
        "another one sets the same",
    );
    check(
        "a TEXT SETS EVENT purchase.note, b ENUM SETS EVENT purchase.note",
        "sets the same",
    );
    fixture
        .define("DEFINE FORM f (a INTEGER SETS EVENT purchase.amount)")
        .unwrap();
    let again = fixture.define(WELCOME);
    assert!(
        again
            .unwrap_err()
            .to_string()
            .contains("is defined already")
    );
    for (statement, user) in [
        ("DROP TAG vip", "used by form:welcome"),
        ("DROP ATTRIBUTE gender", "used by form:welcome"),
        ("DROP EVENT purchase", "used by form:f, form:welcome"),
    ] {
        let refusal = fixture.define(statement).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::Conflict);
        assert!(refusal.to_string().contains(user), "{refusal}");
    }
    fixture.define("DROP FORM welcome").unwrap();
    fixture.define("DROP FORM IF EXISTS welcome").unwrap();
    fixture.define("DROP TAG vip").unwrap();
    check_refused(
        &fixture,
        "SUBMIT FORM welcome FOR u1 WITH gender = f",
        "there is no form",
    );
}

#[test]
fn there_are_only_so_many_forms() {
    let fixture = Fixture::with(|options| options.limits.forms_max = 1);
    fixture.define("DEFINE ATTRIBUTE a TEXT").unwrap();
    fixture
        .define("DEFINE FORM f (a TEXT SETS ATTRIBUTE a)")
        .unwrap();
    let refusal = fixture.define("DEFINE FORM g (a TEXT SETS ATTRIBUTE a)");
    refused(refusal, ErrorCode::LimitExceeded, "at most 1 forms");
}

#[test]
fn inviters_come_with_forms_too() {
    let fixture = Fixture::defined(&[
        "DEFINE ATTRIBUTE invited_by USER",
        "DEFINE FORM join (friend USER SETS ATTRIBUTE invited_by)",
    ]);
    run(&fixture, "SUBMIT FORM join FOR b WITH friend = a").unwrap();
    check_refused(
        &fixture,
        "SUBMIT FORM join FOR a WITH friend = b",
        "a → b → a",
    );
    assert_eq!(count_of(&fixture, "referred_by(user:a)"), Datum::Integer(1));
    fixture.check_consistent();
}

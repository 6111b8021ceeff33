//! Saved segments and what one statement may expand to.

use super::*;

#[test]
fn expansion_is_limited() {
    let limited = |text: &str, leaves_max: usize, depth_max: usize| {
        let limits = ResolveLimits {
            leaves_max,
            depth_max,
            ..ResolveLimits::default()
        };
        resolve_with(text, &[], limits).map_err(|error| error.kind())
    };
    let exceeded = Err(ResolveErrorKind::LimitExceeded);
    assert_eq!(limited("tag:*", 4, 10), exceeded);
    assert!(limited("tag:*", 5, 10).is_ok());
    assert_eq!(limited("segment:nested OR tag:vip", 3, 10), exceeded);
    assert!(limited("segment:nested OR tag:vip", 4, 10).is_ok());
    assert_eq!(limited("NOT NOT NOT tag:vip", 9, 3), exceeded);
    assert!(limited("NOT NOT NOT tag:vip", 9, 4).is_ok());
}

/// `e0` with this text, and each `e{n}` with `next` of the one before.
fn chained(first: &str, count: u32, next: impl Fn(u32) -> String) -> Schema {
    let mut schema = random::schema();
    for number in 0..count {
        let text = match number.checked_sub(1) {
            Some(inner) => next(inner),
            None => first.to_owned(),
        };
        schema.put_segment(crate::schema::SegmentDefinition {
            id: SegmentId(1000 + number),
            name: Name::new(&format!("e{number}")).expect("a name"),
            text,
            notes: crate::schema::Notes::default(),
        });
    }
    schema
}

fn resolve_in(schema: &Schema, text: &str) -> Result<Expr, ResolveError> {
    let parsed = parse_expr(text, &Limits::default()).expect("an expression");
    Resolver::new(schema, &[], Timestamp::UNIX_EPOCH, ResolveLimits::default())?.expr(&parsed)
}

#[test]
fn every_node_counts() {
    let check = |text: &str, nodes: usize| {
        let limited = |nodes_max: usize| {
            let limits = ResolveLimits {
                nodes_max,
                ..ResolveLimits::default()
            };
            resolve_with(text, &[], limits)
        };
        assert!(limited(nodes).is_ok(), "{text}");
        let error = limited(nodes - 1).expect_err(text);
        assert_eq!(error.kind(), ResolveErrorKind::LimitExceeded, "{text}");
        let message = format!("more than {} nodes after expansion", nodes - 1);
        assert!(error.to_string().contains(&message), "{text}: {error}");
    };
    check("ALL", 1);
    check("NOT ALL", 2);
    check("ALL OR NOT ALL", 4);
    check("tag:vip", 2);
    check("group:empty IS PRESENT", 1);
    check("age:34..18", 2);
    check("age != 3", 5);
    // The reference, the AND, and two leaves as written and as resolved.
    check("segment:loyal", 6);
    // What a statement sends itself is linear in its length.
    check("user:(\"a\", \"b\")", 2);
}

#[test]
fn expansion_cannot_explode() {
    let keys: Vec<String> = (0..1000).map(|n| format!("\"{n}\"")).collect();
    let firsts = [
        "ALL".to_owned(),
        "group:empty IS PRESENT".to_owned(),
        "age:34..18".to_owned(),
        "tag:vip".to_owned(),
        format!("user:({})", keys.join(", ")),
        format!("note = \"{}\"", "x".repeat(100_000)),
    ];
    for first in &firsts {
        let twice = |inner| format!("segment:e{inner} OR NOT segment:e{inner}");
        let schema = chained(first, 60, twice);
        let error = resolve_in(&schema, "segment:e59").expect_err("too large");
        assert_eq!(error.kind(), ResolveErrorKind::LimitExceeded);
        let message = error.to_string();
        assert!(
            message.starts_with("in the saved segment \"e59\": in"),
            "{message}"
        );
        assert!(message.len() < 200, "{message}");
    }
}

#[test]
fn the_depth_limit_fits_a_small_stack() {
    let test = || {
        let nested = format!("{}tag:vip{}", "(".repeat(99), ")".repeat(99));
        // Two levels for each: the negation and the name.
        let schema = chained(&nested, 200, |inner| format!("NOT segment:e{inner}"));
        let deepest = resolve_in(&schema, "AT LEAST 1 OF (segment:e123, ALL)").expect("in limits");
        assert!(deepest.depth() > 100);
        let sizes = crate::plan::estimate::tests::ByTag;
        drop(crate::plan::passes::simplify(deepest, &sizes));
        let error = resolve_in(&schema, "NOT segment:e124").expect_err("too deep");
        assert!(error.to_string().contains("250 levels"), "{error}");
        let long = chained("ALL", 20_000, |inner| format!("segment:e{inner}"));
        let error = resolve_in(&long, "segment:e19999").expect_err("too deep");
        assert_eq!(error.kind(), ResolveErrorKind::LimitExceeded);
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let running = thread.spawn(test).expect("a thread");
    running.join().expect("no panic");
}

#[test]
fn values_are_named_in_any_normal_form() {
    let mut schema = random::schema();
    let code = schema.add_value(GENDER, "caf\u{e9}");
    let leaf = || Expr::from(Leaf::Value(GENDER, code));
    assert_eq!(resolve_in(&schema, "gender:\"caf\u{e9}\""), Ok(leaf()));
    assert_eq!(resolve_in(&schema, "gender:\"cafe\u{301}\""), Ok(leaf()));
    let sent = [("1".to_owned(), Datum::Text("cafe\u{301}".to_owned()))];
    let parsed = parse_expr("gender = $1", &Limits::default()).expect("an expression");
    let mut resolver = Resolver::new(
        &schema,
        &sent,
        Timestamp::UNIX_EPOCH,
        ResolveLimits::default(),
    )
    .expect("a resolver");
    assert_eq!(resolver.expr(&parsed), Ok(leaf()));
}

#[test]
fn a_segment_cannot_contain_itself() {
    let mut schema = random::schema();
    let mut loyal = schema.segment("loyal").expect("it is defined").clone();
    let now = Timestamp::UNIX_EPOCH;
    let parsed = parse_expr("segment:nested", &Limits::default()).expect("an expression");
    let defining =
        Resolver::new(&schema, &[], now, ResolveLimits::default()).expect("no parameters");
    let error = defining
        .defining(Expanding::Segment(loyal.id))
        .expr(&parsed)
        .expect_err("a cycle");
    assert_eq!(error.kind(), ResolveErrorKind::Conflict);
    loyal.text = "segment:nested".to_owned();
    schema.put_segment(loyal);
    let mut resolver =
        Resolver::new(&schema, &[], now, ResolveLimits::default()).expect("no parameters");
    let error = resolver.expr(&parsed).expect_err("a cycle");
    assert!(
        error
            .to_string()
            .contains("segment:nested -> segment:loyal -> segment:nested"),
        "{error}"
    );
}

#[test]
fn a_broken_segment_is_named() {
    let mut schema = random::schema();
    schema.remove_tag(TagId(0));
    let mut resolver = Resolver::new(
        &schema,
        &[],
        Timestamp::UNIX_EPOCH,
        ResolveLimits::default(),
    )
    .expect("no parameters");
    let parsed = parse_expr("segment:loyal", &Limits::default()).expect("an expression");
    let error = resolver.expr(&parsed).expect_err("the tag is gone");
    let message = "in the saved segment \"loyal\": there is no tag named \"vip\"";
    assert_eq!(
        (error.to_string().as_str(), error.kind()),
        (message, ResolveErrorKind::UnknownName)
    );
}

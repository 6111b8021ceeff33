#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use super::*;

const WHOLE: &str = r#"
    key = "customer_id"
    missing = ["", "NA"]
    delimiter = "\t"
    [[attribute]]
    column = "gender"
    name = "sex"
    type = "enum"
    values = ["f", "m"]
    write_once = true
    map = { "1" = "m", "2" = "f" }
    [[attribute]]
    column = "spend"
    type = "decimal"
    scale = 2
    on_missing = "clear"
    [[attribute]]
    column = "modules"
    type = "multi"
    separator = "|"
    mode = "replace"
    [[tag]]
    column = "plan"
    prefix = "plan-"
    by = "value"
    group = "plan"
    exclusive = true
    [[tag]]
    column = "default_next_month"
    name = "defaulter"
    by = "non-zero"
    clear = true
    [[tag]]
    name = "imported-2026"
    by = "always"
    [[tag]]
    column = "tags"
    by = "list"
    separator = " "
"#;

#[test]
fn a_whole_mapping_is_read() {
    let mapping = Mapping::parse(WHOLE).unwrap();
    assert_eq!(mapping.key, "customer_id");
    assert_eq!(mapping.delimiter_byte(), Some(b'\t'));
    assert_eq!(mapping.attributes.len(), 3);
    assert_eq!(mapping.attributes[0].target(), "sex");
    assert_eq!(mapping.attributes[1].target(), "spend");
    assert_eq!(mapping.attributes[1].on_missing, OnMissing::Clear);
    assert_eq!(mapping.attributes[2].mode, Some(MultiMode::Replace));
    assert_eq!(
        mapping.tags.iter().map(|tag| tag.by).collect::<Vec<_>>(),
        [TagBy::Value, TagBy::NonZero, TagBy::Always, TagBy::List]
    );
}

#[test]
fn a_mapping_that_makes_no_sense_says_why() {
    let check = |text: &str, expected: &str| match Mapping::parse(&format!("key = \"id\"\n{text}"))
    {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => assert!(error.to_string().contains(expected), "{text}\n{error}"),
    };
    let attribute = |rest: &str| format!("[[attribute]]\ncolumn = \"a\"\n{rest}");
    let tag = |rest: &str| format!("[[tag]]\n{rest}");
    check("keys = 1", "unknown field `keys`");
    check(
        "delimiter = \"ab\"",
        "delimiter: must be one ASCII character",
    );
    check(
        "delimiter = \"\\\"\"",
        "delimiter: must be one ASCII character",
    );
    check(&attribute("type = \"number\""), "unknown variant `number`");
    check(
        &attribute("type = \"text\"\ncolour = 1"),
        "unknown field `colour`",
    );
    check(&attribute("type = \"decimal\""), "needs scale");
    check(&attribute("type = \"decimal\"\nscale = 19"), "at most 18");
    check(&attribute("type = \"integer\"\nscale = 2"), "scale is for");
    check(
        &attribute("type = \"text\"\nvalues = [\"a\"]"),
        "values is for",
    );
    check(
        &attribute("type = \"enum\"\nvalues = []"),
        "values cannot be empty",
    );
    check(
        &attribute("type = \"text\"\nformat = \"%Y\""),
        "format is for",
    );
    check(
        &attribute("type = \"text\"\nseparator = \",\""),
        "separator is for",
    );
    check(
        &attribute("type = \"multi\"\nseparator = \"\""),
        "separator cannot be empty",
    );
    check(&attribute("type = \"enum\"\nmode = \"add\""), "mode is for");
    check(
        &(attribute("type = \"text\"\n") + &attribute("type = \"enum\"")),
        "a second rule",
    );
    check(&tag("by = \"value\""), "needs a column");
    check(&tag("by = \"always\""), "need a name");
    check(
        &tag("by = \"always\"\nname = \"x\"\ncolumn = \"c\""),
        "has no column",
    );
    check(
        &tag("by = \"value\"\ncolumn = \"c\"\nname = \"x\""),
        "use prefix",
    );
    check(&tag("by = \"non-zero\"\ncolumn = \"c\""), "need a name");
    check(
        &tag("by = \"non-zero\"\ncolumn = \"c\"\nname = \"x\"\nprefix = \"p\""),
        "prefix is for",
    );
    check(
        &tag("by = \"value\"\ncolumn = \"c\"\nclear = true"),
        "clear is for",
    );
    check(
        &tag("by = \"value\"\ncolumn = \"c\"\nexclusive = true"),
        "exclusive needs a group",
    );
    check(
        &tag("by = \"value\"\ncolumn = \"c\"\nseparator = \" \""),
        "separator is for",
    );
    check(&tag("by = \"never\""), "unknown variant `never`");
}

#[test]
fn a_mapping_needs_a_key() {
    assert!(
        Mapping::parse("")
            .unwrap_err()
            .to_string()
            .contains("missing field `key`")
    );
    assert!(
        Mapping::parse("key = \"\"")
            .unwrap_err()
            .to_string()
            .contains("names no column")
    );
}

//! Loads of users and of events.

use std::error::Error;

use tessera_protocol::{
    load::{EventColumn, EventRows, LoadColumn, LoadRows, NumberForm, PackedTexts, presence},
    message::*,
};

use crate::{
    client::thirty_days,
    said::{Said, request},
};

fn load(name: &str, columns: Vec<LoadColumn>) -> Result<(String, Said), Box<dyn Error>> {
    let mut keys = PackedTexts::default();
    for key in ["u1", "u22", "ü3"] {
        keys.push(key)?;
    }
    let body = RequestBody::Load {
        idempotency_key: None,
        unknown_tags: UnknownTags::Define,
        rows: LoadRows { keys, columns },
    };
    Ok((format!("load-{name}"), request(4, body)))
}

pub(crate) fn loads() -> Result<Vec<(String, Said)>, Box<dyn Error>> {
    let text = str::to_owned;
    let coded = LoadColumn::Coded {
        attribute: text("city"),
        dictionary: vec![Datum::from("Bern"), Datum::Null],
        codes: vec![1, 0, 2],
    };
    let numbers = |form, rows: [Option<i64>; 3]| LoadColumn::Numbers {
        attribute: text("age"),
        form,
        present: presence(rows.map(|number| number.is_some())),
        numbers: rows.into_iter().flatten().collect(),
    };
    let tags = LoadColumn::Tags {
        names: vec![text("vip"), text("gold")],
        ends: vec![2, 2, 3],
        codes: vec![1, 0, 0],
    };
    let for_days = HoldTerms {
        end: thirty_days(),
        ..Source::Import.into()
    };
    let holdings = LoadColumn::Holdings {
        names: vec![text("vip")],
        ends: vec![1, 1, 2],
        codes: vec![0, 0],
        terms: vec![Source::Import.into(), for_days],
        of: vec![1, 0],
    };
    let added = LoadColumn::Added {
        attribute: text("interests"),
        dictionary: vec![Datum::from("golf"), Datum::from("chess")],
        ends: vec![2, 2, 3],
        codes: vec![0, 1, 1],
    };
    let taken = LoadColumn::Taken {
        names: vec![text("vip")],
        ends: vec![0, 1, 1],
        codes: vec![0],
    };
    let integers = numbers(NumberForm::Integer, [Some(30), Some(-1), Some(300)]);
    let decimals = numbers(NumberForm::Decimal { scale: 2 }, [Some(1999), None, None]);
    let dates = numbers(NumberForm::Date, [None, Some(20_780), None]);
    let moments = [None, None, Some(1_795_392_000_000_000)];
    let moments = numbers(NumberForm::Timestamp, moments);
    Ok(vec![
        load("keys", vec![])?,
        load("coded", vec![coded])?,
        load("integers", vec![integers])?,
        load("decimals", vec![decimals])?,
        load("dates", vec![dates])?,
        load("timestamps", vec![moments])?,
        load("tags", vec![tags])?,
        load("holdings", vec![holdings])?,
        load("added", vec![added])?,
        load("taken", vec![taken])?,
    ])
}

fn load_events(
    name: &str,
    unknown_users: UnknownUsers,
    ids: Option<PackedTexts>,
    columns: Vec<EventColumn>,
) -> Result<(String, Said), Box<dyn Error>> {
    let mut users = PackedTexts::default();
    for key in ["u1", "u22"] {
        users.push(key)?;
    }
    let body = RequestBody::LoadEvents {
        idempotency_key: None,
        unknown_users,
        rows: EventRows {
            event: "purchase".to_owned(),
            users,
            of: vec![0, 1, 0],
            times_us: vec![-1, 0, 1],
            ids,
            columns,
        },
    };
    Ok((format!("load-events-{name}"), request(5, body)))
}

pub(crate) fn event_loads() -> Result<Vec<(String, Said)>, Box<dyn Error>> {
    let mut ids = PackedTexts::default();
    for id in ["e-1", "", "e-2"] {
        ids.push(id)?;
    }
    let coded = EventColumn::Coded {
        property: "channel".to_owned(),
        dictionary: vec![Datum::from("ads")],
        codes: vec![1, 0, 1],
    };
    let numbers = EventColumn::Numbers {
        property: "amount".to_owned(),
        form: NumberForm::Decimal { scale: 2 },
        present: presence([true, false, false]),
        numbers: vec![1250],
    };
    Ok(vec![
        load_events("times", UnknownUsers::Create, None, vec![])?,
        load_events("ids", UnknownUsers::Refuse, Some(ids), vec![])?,
        load_events("coded", UnknownUsers::Create, None, vec![coded])?,
        load_events("numbers", UnknownUsers::Create, None, vec![numbers])?,
    ])
}

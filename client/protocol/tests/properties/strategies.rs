//! Any messages of either side.

use proptest::prelude::*;
use tessera_protocol::{
    load::{EventColumn, EventRows, LoadColumn, LoadRows, NumberForm, PackedTexts, presence},
    message::*,
};

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(".{0,12}", 0..5)
}

fn datum() -> impl Strategy<Value = Datum> {
    prop_oneof![
        Just(Datum::Null),
        any::<bool>().prop_map(Datum::Boolean),
        any::<i64>().prop_map(Datum::Integer),
        (any::<i128>(), any::<u8>()).prop_map(|(units, scale)| Datum::Decimal { units, scale }),
        any::<f64>().prop_map(Datum::Real),
        ".{0,20}".prop_map(Datum::Text),
        any::<i32>().prop_map(Datum::Date),
        any::<i64>().prop_map(Datum::Timestamp),
        texts().prop_map(Datum::List),
    ]
}

fn values() -> impl Strategy<Value = Vec<Datum>> {
    prop::collection::vec(datum(), 0..6)
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let user = || ".{0,12}";
    let set = prop::collection::vec((".{0,8}", datum()), 0..4);
    prop_oneof![
        user().prop_map(|user| Mutation::Ensure { user }),
        (user(), texts()).prop_map(|(user, tags)| Mutation::Tag { user, tags }),
        (user(), texts()).prop_map(|(user, tags)| Mutation::Untag { user, tags }),
        (user(), set).prop_map(|(user, values)| Mutation::Set { user, values }),
        (user(), ".{0,8}", values()).prop_map(|(user, attribute, values)| Mutation::Add {
            user,
            attribute,
            values
        }),
        (user(), ".{0,8}", values()).prop_map(|(user, attribute, values)| Mutation::Remove {
            user,
            attribute,
            values
        }),
        user().prop_map(|user| Mutation::DeleteUser { user }),
        (user(), texts(), terms()).prop_map(|(user, tags, terms)| Mutation::Hold {
            user,
            tags,
            terms
        }),
        track().prop_map(|track| Mutation::Track(Box::new(track))),
    ]
}

fn track() -> impl Strategy<Value = Track> {
    let values = prop::collection::vec((".{0,8}", datum()), 0..4);
    let id = prop::option::of(".{0,8}");
    (".{0,12}", ".{0,8}", any::<Option<i64>>(), id, values).prop_map(
        |(user, event, time_us, id, values)| Track {
            user,
            event,
            time_us,
            id,
            values,
        },
    )
}

/// Events with two properties.
fn event_rows() -> impl Strategy<Value = EventRows> {
    let row = (".{0,6}", any::<u32>(), any::<(bool, i64, u8)>(), ".{0,3}");
    let dictionary = prop::collection::vec(datum(), 1..4);
    (prop::collection::vec(row, 0..20), dictionary, any::<bool>()).prop_map(
        |(rows, dictionary, has_ids)| {
            let (mut users, mut ids) = (PackedTexts::default(), PackedTexts::default());
            let (mut codes, mut present, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
            let (mut of, mut times_us) = (Vec::new(), Vec::new());
            for (user, code, (is_present, number, shift), id) in rows {
                users.push(&user).expect("short");
                ids.push(&id).expect("short");
                of.push(code % users.len() as u32);
                times_us.push(number >> (shift % 64));
                codes.push(code % (dictionary.len() as u32 + 1));
                present.push(is_present);
                numbers.extend(is_present.then_some(number));
            }
            let coded = EventColumn::Coded {
                property: "coded".to_owned(),
                dictionary,
                codes,
            };
            let numbers = EventColumn::Numbers {
                property: "numbers".to_owned(),
                form: NumberForm::Decimal { scale: 2 },
                present: presence(present),
                numbers,
            };
            EventRows {
                event: "event".to_owned(),
                users,
                of,
                times_us,
                ids: has_ids.then_some(ids),
                columns: vec![coded, numbers],
            }
        },
    )
}

fn terms() -> impl Strategy<Value = HoldTerms> {
    let units = [TimeUnit::Second, TimeUnit::Month, TimeUnit::Year];
    let end = prop_oneof![
        Just(HoldEnd::OfTag),
        any::<i64>().prop_map(HoldEnd::At),
        (any::<u32>(), prop::sample::select(units.to_vec()))
            .prop_map(|(amount, unit)| HoldEnd::After { amount, unit }),
    ];
    let source = prop::sample::select(&[Source::Manual, Source::Model]);
    (any::<Option<i64>>(), end, source).prop_map(|(since_us, end, source)| HoldTerms {
        since_us,
        end,
        source,
    })
}

/// The keys and a column of each kind of as many rows as there are elements.
pub(crate) fn load_rows() -> impl Strategy<Value = LoadRows> {
    let row = (".{0,6}", any::<u32>(), any::<(bool, i64, u8)>(), texts());
    let dictionary = prop::collection::vec(datum(), 1..4);
    let terms = prop::collection::vec(terms(), 1..3);
    (prop::collection::vec(row, 0..20), dictionary, terms).prop_map(|(rows, dictionary, terms)| {
        let mut keys = PackedTexts::default();
        let (mut codes, mut present, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut names, mut ends, mut tags) = (Vec::new(), Vec::new(), Vec::new());
        for (key, code, (is_present, number, shift), row_tags) in rows {
            keys.push(&key).expect("short");
            codes.push(code % (dictionary.len() as u32 + 1));
            present.push(is_present);
            numbers.extend(is_present.then_some(number >> (shift % 64)));
            tags.extend((0..row_tags.len()).map(|tag| (names.len() + tag) as u32));
            names.extend(row_tags);
            ends.push(tags.len() as u32);
        }
        let added = LoadColumn::Added {
            attribute: "added".to_owned(),
            codes: tags
                .iter()
                .map(|tag| tag % dictionary.len() as u32)
                .collect(),
            dictionary: dictionary.clone(),
            ends: ends.clone(),
        };
        let taken = LoadColumn::Taken {
            names: names.clone(),
            ends: ends.clone(),
            codes: tags.clone(),
        };
        let coded = LoadColumn::Coded {
            attribute: "coded".to_owned(),
            dictionary,
            codes,
        };
        let integers = LoadColumn::Numbers {
            attribute: "integers".to_owned(),
            form: NumberForm::Integer,
            present: presence(present),
            numbers,
        };
        let holdings = LoadColumn::Holdings {
            names: names.clone(),
            ends: ends.clone(),
            codes: tags.clone(),
            of: tags.iter().map(|tag| tag % terms.len() as u32).collect(),
            terms,
        };
        let tags = LoadColumn::Tags {
            names,
            ends,
            codes: tags,
        };
        LoadRows {
            keys,
            columns: vec![coded, integers, tags, holdings, added, taken],
        }
    })
}

fn body() -> impl Strategy<Value = RequestBody> {
    let parameter = (".{0,5}", datum()).prop_map(|(name, value)| Parameter { name, value });
    let unknown_tags = || prop_oneof![Just(UnknownTags::Refuse), Just(UnknownTags::Define)].boxed();
    let load = (any::<Option<[u8; 16]>>(), unknown_tags(), load_rows());
    prop_oneof![
        Just(RequestBody::Ping),
        load.prop_map(|(idempotency_key, unknown_tags, rows)| RequestBody::Load {
            idempotency_key,
            unknown_tags,
            rows,
        }),
        (any::<Option<[u8; 16]>>(), any::<bool>(), event_rows()).prop_map(
            |(idempotency_key, refuse, rows)| RequestBody::LoadEvents {
                idempotency_key,
                unknown_users: match refuse {
                    true => UnknownUsers::Refuse,
                    false => UnknownUsers::Create,
                },
                rows,
            }
        ),
        (".{0,40}", prop::collection::vec(parameter, 0..4)).prop_map(|(statement, parameters)| {
            RequestBody::Execute {
                statement,
                parameters,
            }
        }),
        (
            any::<Option<[u8; 16]>>(),
            unknown_tags(),
            prop::collection::vec(mutation(), 0..5)
        )
            .prop_map(
                |(idempotency_key, unknown_tags, mutations)| RequestBody::Write {
                    idempotency_key,
                    unknown_tags,
                    mutations,
                }
            ),
    ]
}

pub(crate) fn client_message() -> impl Strategy<Value = ClientMessage> {
    let id = || any::<u64>().prop_map(RequestId);
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>(), any::<u16>(), ".{0,20}").prop_map(
            |(magic, version_min, version_max, agent)| ClientMessage::Hello(Hello {
                magic,
                version_min,
                version_max,
                agent,
            })
        ),
        (id(), any::<u32>(), any::<u32>(), body()).prop_map(
            |(id, deadline_ms, rows_messages_credit, body)| ClientMessage::Request(Request {
                id,
                deadline_ms,
                rows_messages_credit,
                body,
            })
        ),
        (id(), any::<u32>())
            .prop_map(|(id, rows_messages)| ClientMessage::Credit { id, rows_messages }),
        id().prop_map(|id| ClientMessage::Cancel { id }),
        Just(ClientMessage::Goodbye),
    ]
}

fn failure() -> impl Strategy<Value = Failure> {
    let code = prop::sample::select(vec![
        FailureCode::Syntax,
        FailureCode::LimitExceeded,
        FailureCode::Overloaded,
        FailureCode::Internal,
    ]);
    (
        code,
        ".{0,20}",
        any::<Option<(u32, u32)>>(),
        prop::option::of(".{0,9}"),
    )
        .prop_map(|(code, message, span, hint)| Failure {
            code,
            message,
            span,
            hint,
        })
}

fn summary() -> impl Strategy<Value = Summary> {
    (any::<[u64; 4]>(), prop::option::of(".{0,9}"), texts()).prop_map(
        |([elapsed_us, rows, users_changed, facts_changed], cursor, warnings)| Summary {
            elapsed_us,
            rows,
            users_changed,
            facts_changed,
            cursor,
            warnings,
        },
    )
}

pub(crate) fn server_message() -> impl Strategy<Value = ServerMessage> {
    let id = || any::<u64>().prop_map(RequestId);
    let role = prop::sample::select(vec![ColumnRole::Value, ColumnRole::Share]);
    let column = (".{0,9}", role).prop_map(|(name, role)| Column { name, role });
    let kind = prop::sample::select(vec![ResultKind::Count, ResultKind::Definitions]);
    prop_oneof![
        (any::<u16>(), ".{0,20}", any::<[u32; 3]>()).prop_map(|(version, agent, limits)| {
            ServerMessage::Welcome(Welcome {
                version,
                agent,
                frame_bytes_max: limits[0],
                requests_in_flight_max: limits[1],
                mutations_max: limits[2],
            })
        }),
        failure().prop_map(ServerMessage::Refused),
        (id(), kind, prop::collection::vec(column, 0..4))
            .prop_map(|(id, kind, columns)| ServerMessage::Header { id, kind, columns }),
        (id(), prop::collection::vec(values(), 0..6))
            .prop_map(|(id, rows)| ServerMessage::Rows { id, rows }),
        (id(), summary()).prop_map(|(id, summary)| ServerMessage::End { id, summary }),
        (id(), failure()).prop_map(|(id, failure)| ServerMessage::Failed { id, failure }),
        Just(ServerMessage::Closing),
    ]
}

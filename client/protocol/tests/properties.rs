//! What holds for any message and any bytes.

#![expect(clippy::expect_used, reason = "a test may stop at the first surprise")]

use bytes::BytesMut;
use proptest::prelude::*;
use tessera_protocol::{
    codec,
    frame::{self, FrameDecoder},
    load::{EventColumn, EventRows, LoadColumn, LoadRows, NumberForm, PackedTexts, presence},
    message::*,
    weight::weigh_client,
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
fn load_rows() -> impl Strategy<Value = LoadRows> {
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

fn client_message() -> impl Strategy<Value = ClientMessage> {
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

fn server_message() -> impl Strategy<Value = ServerMessage> {
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

/// NaN is not equal to itself, but its bytes are.
fn client_bytes(message: &ClientMessage) -> Result<BytesMut, codec::EncodeError> {
    let mut out = BytesMut::new();
    codec::encode_client(message, &mut out).map(|()| out)
}

fn server_bytes(message: &ServerMessage) -> Result<BytesMut, codec::EncodeError> {
    let mut out = BytesMut::new();
    codec::encode_server(message, &mut out).map(|()| out)
}

fn texts_bytes(texts: &[String]) -> usize {
    let bytes = texts.iter().map(|text| size_of::<String>() + text.len());
    bytes.sum()
}

fn datum_bytes(datum: &Datum) -> usize {
    match datum {
        Datum::Text(text) => text.len(),
        Datum::List(texts) => texts_bytes(texts),
        Datum::Null
        | Datum::Boolean(_)
        | Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Date(_)
        | Datum::Timestamp(_) => 0,
    }
}

fn mutation_bytes(mutation: &Mutation) -> usize {
    match mutation {
        Mutation::Ensure { user } | Mutation::DeleteUser { user } => user.len(),
        Mutation::Tag { user, tags }
        | Mutation::Hold { user, tags, .. }
        | Mutation::Untag { user, tags } => user.len() + texts_bytes(tags),
        Mutation::Set { user, values } => {
            let value = |(name, value): &(String, Datum)| {
                size_of::<(String, Datum)>() + name.len() + datum_bytes(value)
            };
            user.len() + values.iter().map(value).sum::<usize>()
        }
        Mutation::Add {
            user,
            attribute,
            values,
        }
        | Mutation::Remove {
            user,
            attribute,
            values,
        } => {
            let value = |value: &Datum| size_of::<Datum>() + datum_bytes(value);
            user.len() + attribute.len() + values.iter().map(value).sum::<usize>()
        }
        Mutation::Track(track) => {
            let value = |(name, value): &(String, Datum)| {
                size_of::<(String, Datum)>() + name.len() + datum_bytes(value)
            };
            let id = track.id.as_ref().map_or(0, String::len);
            let values: usize = track.values.iter().map(value).sum();
            size_of::<Track>() + track.user.len() + track.event.len() + id + values
        }
    }
}

/// What a request's lists and texts take.
fn body_bytes(body: &RequestBody) -> usize {
    match body {
        RequestBody::Ping => 0,
        RequestBody::Execute {
            statement,
            parameters,
        } => {
            let parameter = |parameter: &Parameter| {
                size_of::<Parameter>() + parameter.name.len() + datum_bytes(&parameter.value)
            };
            statement.len() + parameters.iter().map(parameter).sum::<usize>()
        }
        RequestBody::Write { mutations, .. } => {
            let mutation = |mutation: &Mutation| size_of::<Mutation>() + mutation_bytes(mutation);
            mutations.iter().map(mutation).sum()
        }
        RequestBody::Load { rows, .. } => {
            let column = |column: &LoadColumn| size_of::<LoadColumn>() + column_bytes(column);
            let columns: usize = rows.columns.iter().map(column).sum();
            rows.keys.text_bytes() + rows.len() * size_of::<u32>() + columns
        }
        RequestBody::LoadEvents { rows, .. } => {
            let texts = |texts: &PackedTexts| texts.text_bytes() + texts.len() * size_of::<u32>();
            let column = |column: &EventColumn| {
                size_of::<EventColumn>()
                    + match column {
                        EventColumn::Coded {
                            property,
                            dictionary,
                            codes,
                        } => {
                            let entry = |value: &Datum| size_of::<Datum>() + datum_bytes(value);
                            let entries: usize = dictionary.iter().map(entry).sum();
                            property.len() + entries + size_of_val(codes.as_slice())
                        }
                        EventColumn::Numbers {
                            property,
                            form: _,
                            present,
                            numbers,
                        } => property.len() + present.len() + size_of_val(numbers.as_slice()),
                    }
            };
            let columns: usize = rows.columns.iter().map(column).sum();
            let each = rows.len() * (size_of::<u32>() + size_of::<i64>());
            let ids = rows.ids.as_ref().map_or(0, texts);
            rows.event.len() + texts(&rows.users) + each + ids + columns
        }
    }
}

fn column_bytes(column: &LoadColumn) -> usize {
    match column {
        LoadColumn::Coded {
            attribute,
            dictionary,
            codes,
        } => {
            let entry = |value: &Datum| size_of::<Datum>() + datum_bytes(value);
            let entries: usize = dictionary.iter().map(entry).sum();
            attribute.len() + entries + size_of_val(codes.as_slice())
        }
        LoadColumn::Numbers {
            attribute,
            form: _,
            present,
            numbers,
        } => attribute.len() + present.len() + size_of_val(numbers.as_slice()),
        LoadColumn::Tags { names, ends, codes } | LoadColumn::Taken { names, ends, codes } => {
            texts_bytes(names) + size_of_val(ends.as_slice()) + size_of_val(codes.as_slice())
        }
        LoadColumn::Added {
            attribute,
            dictionary,
            ends,
            codes,
        } => {
            let entry = |value: &Datum| size_of::<Datum>() + datum_bytes(value);
            let entries: usize = dictionary.iter().map(entry).sum();
            let lists = size_of_val(ends.as_slice()) + size_of_val(codes.as_slice());
            attribute.len() + entries + lists
        }
        LoadColumn::Holdings {
            names,
            ends,
            codes,
            terms,
            of,
        } => {
            let codes = size_of_val(codes.as_slice()) + size_of_val(of.as_slice());
            let terms = size_of_val(terms.as_slice());
            texts_bytes(names) + size_of_val(ends.as_slice()) + codes + terms
        }
    }
}

proptest! {
    #[test]
    fn a_request_weighs_what_it_takes(message in client_message()) {
        let bytes = client_bytes(&message)?;
        let weight = weigh_client(&bytes);
        match &message {
            ClientMessage::Request(request) => {
                prop_assert_eq!(weight.request, Some(request.id));
                prop_assert_eq!(weight.decoded_bytes, body_bytes(&request.body));
            }
            ClientMessage::Hello(_)
            | ClientMessage::Credit { .. }
            | ClientMessage::Cancel { .. }
            | ClientMessage::Goodbye => {
                prop_assert_eq!((weight.request, weight.decoded_bytes), (None, 0));
            }
        }
    }

    #[test]
    fn the_beginning_of_a_message_weighs_no_more_than_all(
        message in client_message(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = client_bytes(&message)?;
        let part = weigh_client(&bytes[..cut.index(bytes.len())]);
        prop_assert!(part.decoded_bytes <= weigh_client(&bytes).decoded_bytes);
    }

    #[test]
    fn client_messages_come_back(message in client_message()) {
        let bytes = client_bytes(&message)?;
        let read = codec::decode_client(&bytes)?;
        prop_assert_eq!(client_bytes(&read)?, bytes);
    }

    #[test]
    fn rows_that_are_parted_say_the_same(
        rows in load_rows(),
        places in prop::collection::vec(0..20_u32, 0..30),
    ) {
        let there: Vec<u32> = places.into_iter().filter(|place| (*place as usize) < rows.len()).collect();
        let some = rows.select(&there);
        prop_assert_eq!(some.check(), Ok(()));
        for (place, row) in there.iter().enumerate() {
            let (parted, whole) = (some.reader().mutations(place), rows.reader().mutations(*row as usize));
            prop_assert_eq!(format!("{parted:?}"), format!("{whole:?}"));
        }
    }

    #[test]
    fn server_messages_come_back(message in server_message()) {
        let bytes = server_bytes(&message)?;
        let read = codec::decode_server(&bytes)?;
        prop_assert_eq!(server_bytes(&read)?, bytes);
    }

    #[test]
    fn reals_keep_their_bits(bits in any::<u64>()) {
        let rows = vec![vec![Datum::Real(f64::from_bits(bits))]];
        let bytes = server_bytes(&ServerMessage::Rows { id: RequestId(0), rows })?;
        prop_assert_eq!(&bytes[bytes.len() - 8..], &bits.to_le_bytes());
        prop_assert_eq!(server_bytes(&codec::decode_server(&bytes)?)?, bytes);
    }

    #[test]
    fn a_message_cut_short_or_followed_by_more_is_refused(
        message in server_message(),
        cut in any::<prop::sample::Index>(),
        more in any::<u8>(),
    ) {
        let mut bytes = server_bytes(&message)?;
        let cut = cut.index(bytes.len());
        prop_assert!(codec::decode_server(&bytes[..cut]).is_err());
        bytes.extend_from_slice(&[more]);
        prop_assert_eq!(codec::decode_server(&bytes), Err(codec::DecodeError::Trailing(1)));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = codec::decode_client(&bytes);
        let _ = codec::decode_server(&bytes);
    }

    #[test]
    fn damaged_messages_are_messages_or_errors(
        client in client_message(),
        server in server_message(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = client_bytes(&client)?;
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let _ = codec::decode_client(&bytes);
        let mut bytes = server_bytes(&server)?;
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let _ = codec::decode_server(&bytes);
    }

    #[test]
    fn frames_are_the_same_however_they_arrive(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..8),
        sizes in prop::collection::vec(1..20_usize, 1..50),
    ) {
        let mut stream = BytesMut::new();
        for body in &bodies {
            frame::encode_frame(body, 50, &mut stream)?;
        }
        let mut decoder = FrameDecoder::new(50);
        let mut seen = Vec::new();
        let mut rest = &stream[..];
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(1).min(rest.len());
            let (chunk, after) = rest.split_at(size);
            decoder.feed(chunk);
            rest = after;
            while let Some(frame) = decoder.next_frame()? {
                seen.push(frame.to_vec());
            }
        }
        decoder.finish()?;
        prop_assert_eq!(seen, bodies);
    }

    #[test]
    fn any_bytes_are_frames_or_an_error_that_stays(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        frame_bytes_max in 0..100_u32,
    ) {
        let mut decoder = FrameDecoder::new(frame_bytes_max);
        let mut fed = 0;
        for chunk in &chunks {
            decoder.feed(chunk);
            fed += chunk.len();
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => prop_assert!(frame.len() <= frame_bytes_max as usize),
                    Ok(None) => break,
                    Err(error) => {
                        prop_assert_eq!(decoder.next_frame(), Err(error));
                        prop_assert_eq!(decoder.finish(), Err(error));
                        return Ok(());
                    }
                }
            }
            prop_assert!(decoder.buffer_mut().len() <= fed);
        }
    }
}

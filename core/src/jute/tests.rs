use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::*;
use crate::identity::Bytes;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    flag: bool,
    int: i32,
    long: i64,
    text: Option<String>,
    #[serde(with = "buffer")]
    data: Option<Bytes>,
    list: Option<Vec<String>>,
}

fn record() -> Record {
    Record {
        flag: true,
        int: -2,
        long: 1 << 40,
        text: Some("é".into()),
        data: Some(Bytes::from(&b"\0\xff"[..])),
        list: Some(vec!["a".into(), String::new()]),
    }
}

#[test]
fn a_record_is_its_fields_in_order() {
    let expected = [
        &[1][..],
        &[0xff, 0xff, 0xff, 0xfe],
        &[0, 0, 1, 0, 0, 0, 0, 0],
        &[0, 0, 0, 2, 0xc3, 0xa9],
        &[0, 0, 0, 2, 0, 0xff],
        &[0, 0, 0, 2, 0, 0, 0, 1, b'a', 0, 0, 0, 0],
    ];
    assert_eq!(encode(&record()), expected.concat());
    assert_eq!(decode(&expected.concat()), Ok(record()));
}

#[test]
fn null_and_empty_are_different() {
    let null = Record { text: None, data: None, list: None, ..record() };
    let empty = Record {
        text: Some(String::new()),
        data: Some(Bytes::default()),
        list: Some(Vec::new()),
        ..record()
    };
    let bytes = encode(&null);
    assert_eq!(bytes[13..], [0xff; 12]);
    assert_eq!(decode(&bytes), Ok(null));
    assert_eq!(encode(&empty)[13..], [0; 12]);
    assert_eq!(decode(&encode(&empty)), Ok(empty));
}

#[test]
fn impossible_lengths_are_refused_without_room_being_made_for_them() {
    assert_eq!(decode::<String>(&[0x7f, 0xff, 0xff, 0xff]), Err(Error::Length));
    assert_eq!(decode::<Vec<String>>(&[0x7f, 0xff, 0xff, 0xff]), Err(Error::End));
    assert_eq!(decode::<String>(&[0xff, 0xff, 0xff, 0xfe]), Err(Error::Length));
    assert_eq!(decode::<Vec<String>>(&[0xff, 0xff, 0xff, 0xfe]), Ok(Vec::new()));
    assert_eq!(decode::<String>(&[0xff; 4]), Err(Error::Null));
    assert_eq!(decode::<i64>(&[0; 7]), Err(Error::End));
}

#[test]
fn what_follows_a_record_is_ignored_and_any_byte_but_zero_is_true() {
    assert_eq!(decode(&[7, 8, 9]), Ok(true));
}

//! Unsigned numbers in as few bytes as they need: LEB128, seven bits a byte, lowest first.

/// Appends a number.
pub(crate) fn write(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number from the front of `bytes`. `None` when they end inside it, when it does not
/// fit 64 bits, or when it is not in its shortest form.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            let shortest = *byte != 0 || shift == 0;
            return shortest.then_some(number);
        }
    }
    None
}

/// A signed number as an unsigned one that is small where it is: 0, -1, 1, -2 … become 0, 1, 2,
/// 3 ….
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// What [`zigzag`] was given.
pub(crate) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{read, write};

    #[test]
    fn reads_what_is_well_formed() {
        let check = |mut bytes: &[u8], expected: Option<u64>| {
            assert_eq!(read(&mut bytes), expected, "{bytes:?}");
        };
        check(&[0], Some(0));
        check(&[0x7f], Some(127));
        check(&[0x80, 1], Some(128));
        check(
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            Some(u64::MAX),
        );
        check(&[], None);
        check(&[0x80], None);
        check(&[0x80, 0], None);
        check(
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
            None,
        );
        check(
            &[
                0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1,
            ],
            None,
        );
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(number: u64, shift in 0u32..64, after: u8) {
            let number = number >> shift;
            let mut bytes = Vec::new();
            write(&mut bytes, number);
            bytes.push(after);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(read(&mut rest), Some(number));
            prop_assert_eq!(rest, &[after]);
        }
    }
}

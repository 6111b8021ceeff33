//! What a client's message will take in memory, read off its bytes before it is decoded.
//!
//! Knows the format well enough to count elements without making them. Judges nothing: of bytes
//! that are no message it weighs those that decoding would get to.

use crate::{
    load::{EventColumn, LoadColumn},
    message::{Datum, HoldTerms, Mutation, Parameter, RequestId, Track},
};

/// What a request on the wire is, before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// The request's id; `None` when the bytes are another message, or end before the id.
    pub request: Option<RequestId>,
    /// Bytes that the lists and texts of the decoded request take. 0 for other messages.
    pub decoded_bytes: usize,
}

/// Weighs what a client said, or the beginning of it.
pub fn weigh_client(bytes: &[u8]) -> Weight {
    let mut scale = Scale {
        left: bytes,
        decoded_bytes: 0,
    };
    let mut request = None;
    // Bytes that end early have been weighed as far as they go.
    let _whole = scale.message(&mut request);
    Weight {
        request,
        decoded_bytes: scale.decoded_bytes,
    }
}

struct Scale<'a> {
    left: &'a [u8],
    decoded_bytes: usize,
}

impl Scale<'_> {
    fn message(&mut self, request: &mut Option<RequestId>) -> Option<()> {
        const REQUEST: u64 = 1;
        if self.number()? != REQUEST {
            return None;
        }
        *request = Some(RequestId(self.number()?));
        let (_deadline_ms, _credit) = (self.number()?, self.number()?);
        match self.number()? {
            1 => {
                self.text()?;
                self.list(size_of::<Parameter>(), Self::named_value)
            }
            2 => {
                if self.byte()? == 1 {
                    self.skip(16)?;
                }
                let _unknown_tags = self.number()?;
                self.list(size_of::<Mutation>(), Self::mutation)
            }
            3 => {
                if self.byte()? == 1 {
                    self.skip(16)?;
                }
                let _unknown_tags = self.number()?;
                self.text()?;
                self.numbers(size_of::<u32>())?;
                self.list(size_of::<LoadColumn>(), Self::column)
            }
            4 => {
                if self.byte()? == 1 {
                    self.skip(16)?;
                }
                let _unknown_users = self.number()?;
                self.events()
            }
            _ => None,
        }
    }

    fn events(&mut self) -> Option<()> {
        self.text()?;
        self.text()?;
        self.numbers(size_of::<u32>())?;
        self.numbers(size_of::<u32>())?;
        self.numbers(size_of::<i64>())?;
        if self.byte()? == 1 {
            self.text()?;
            self.numbers(size_of::<u32>())?;
        }
        self.list(size_of::<EventColumn>(), |scale| {
            let variant = scale.number()?;
            scale.values_of(variant)
        })
    }

    /// A column of values or numbers.
    fn values_of(&mut self, variant: u64) -> Option<()> {
        const DECIMAL: u64 = 1;
        match variant {
            0 => {
                self.text()?;
                self.list(size_of::<Datum>(), Self::value)?;
                self.numbers(size_of::<u32>())
            }
            1 => {
                self.text()?;
                let form = self.number()?;
                if form == DECIMAL {
                    self.skip(1)?;
                }
                self.text()?;
                self.numbers(size_of::<i64>())
            }
            _ => None,
        }
    }

    fn column(&mut self) -> Option<()> {
        match self.number()? {
            variant @ (0 | 1) => self.values_of(variant),
            2 => {
                self.list(size_of::<String>(), Self::text)?;
                self.numbers(size_of::<u32>())?;
                self.numbers(size_of::<u32>())
            }
            3 => {
                self.list(size_of::<String>(), Self::text)?;
                self.numbers(size_of::<u32>())?;
                self.numbers(size_of::<u32>())?;
                self.list(size_of::<HoldTerms>(), Self::terms)?;
                self.numbers(size_of::<u32>())
            }
            4 => {
                self.text()?;
                self.list(size_of::<Datum>(), Self::value)?;
                self.numbers(size_of::<u32>())?;
                self.numbers(size_of::<u32>())
            }
            5 => {
                self.list(size_of::<String>(), Self::text)?;
                self.numbers(size_of::<u32>())?;
                self.numbers(size_of::<u32>())
            }
            _ => None,
        }
    }

    /// Numbers of one width each, which count when all are there.
    fn numbers(&mut self, number_bytes: usize) -> Option<()> {
        let width = usize::from(self.byte()?);
        let count = usize::try_from(self.number()?).ok()?;
        self.skip(count.checked_mul(width)?)?;
        // A width of none is no number, and decoding stops there.
        let bytes = count.checked_mul(number_bytes).filter(|_| width > 0)?;
        self.decoded_bytes = self.decoded_bytes.saturating_add(bytes);
        Some(())
    }

    fn mutation(&mut self) -> Option<()> {
        let variant = self.number()?;
        self.text()?;
        match variant {
            0 | 6 => Some(()),
            1 | 2 => self.list(size_of::<String>(), Self::text),
            7 => {
                self.list(size_of::<String>(), Self::text)?;
                self.terms()
            }
            3 => self.list(size_of::<(String, Datum)>(), Self::named_value),
            8 => self.track(),
            4 | 5 => {
                self.text()?;
                self.list(size_of::<Datum>(), Self::value)
            }
            _ => None,
        }
    }

    /// What follows the user of a tracked event.
    fn track(&mut self) -> Option<()> {
        self.decoded_bytes = self.decoded_bytes.saturating_add(size_of::<Track>());
        self.text()?;
        if self.byte()? == 1 {
            self.number()?;
        }
        if self.byte()? == 1 {
            self.text()?;
        }
        self.list(size_of::<(String, Datum)>(), Self::named_value)
    }

    fn terms(&mut self) -> Option<()> {
        if self.byte()? == 1 {
            self.number()?;
        }
        match self.number()? {
            0 => {}
            1 => drop(self.number()?),
            2 => drop((self.number()?, self.number()?)),
            _ => return None,
        }
        self.number().map(|_| ())
    }

    fn named_value(&mut self) -> Option<()> {
        self.text()?;
        self.value()
    }

    fn value(&mut self) -> Option<()> {
        match self.number()? {
            0 => Some(()),
            1 => self.skip(1),
            2 | 6 | 7 => self.number().map(|_| ()),
            3 => {
                self.number()?;
                self.skip(1)
            }
            4 => self.skip(8),
            5 => self.text(),
            8 => self.list(size_of::<String>(), Self::text),
            _ => None,
        }
    }

    /// Counts elements as they come: a length alone is only a claim.
    fn list(&mut self, element_bytes: usize, element: fn(&mut Self) -> Option<()>) -> Option<()> {
        for _ in 0..self.number()? {
            self.decoded_bytes = self.decoded_bytes.saturating_add(element_bytes);
            element(self)?;
        }
        Some(())
    }

    fn text(&mut self) -> Option<()> {
        let text_bytes = usize::try_from(self.number()?).ok()?;
        self.skip(text_bytes)?;
        self.decoded_bytes = self.decoded_bytes.saturating_add(text_bytes);
        Some(())
    }

    /// An integer of variable length; of 16 bytes, which only a decimal has, the lower half.
    fn number(&mut self) -> Option<u64> {
        let rest_bytes = match self.byte()? {
            small @ 0..=250 => return Some(small.into()),
            251 => 2,
            252 => 4,
            253 => 8,
            254 => 16,
            255 => return None,
        };
        let (rest, left) = self.left.split_at_checked(rest_bytes)?;
        self.left = left;
        let low = rest.iter().take(8).rev();
        Some(low.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, left) = self.left.split_first()?;
        self.left = left;
        Some(*byte)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.left = self.left.get(count..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_request_weighs_nothing() {
        let check = |bytes: &[u8]| {
            let weight = weigh_client(bytes);
            assert_eq!((weight.request, weight.decoded_bytes), (None, 0));
        };
        check(&[]);
        check(&[1]);
        check(&[1, 253, 0]);
        check(&[3, 7]);
        check(&[4]);
        check(&[255; 20]);
    }

    #[test]
    fn elements_count_when_they_are_there() {
        let check = |bytes: &[u8], decoded_bytes: usize| {
            let request = Some(RequestId(9));
            let expected = Weight {
                request,
                decoded_bytes,
            };
            assert_eq!(weigh_client(bytes), expected, "{bytes:x?}");
        };
        let parameter = size_of::<Parameter>();
        // Request 9, Execute "a", three parameters without name and value.
        check(
            &[1, 9, 0, 0, 1, 1, b'a', 3, 0, 0, 0, 0, 0, 0],
            1 + 3 * parameter,
        );
        // The same with 2^56 claimed and one there; the second is looked for.
        let claim = [1, 9, 0, 0, 1, 1, b'a', 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
        check(&claim, 1 + 2 * parameter);
        // A text longer than the bytes.
        check(&[1, 9, 0, 0, 1, 200, b'a'], 0);
    }
}

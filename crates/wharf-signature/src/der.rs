//! The little of DER that signatures need: one value after the other, within bounds. A value's length is always checked
//! against what is there, and nothing is read into.

/// A context-specific constructed tag: `[n]` around other values.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// A value: its tag, its content, and the whole of it.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// What is left to be read.
#[derive(Clone)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value, whatever it is.
    pub(crate) fn next(&mut self) -> Option<Value<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of more than one byte occur in nothing that is read here.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, mut rest) = rest.split_first()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let (digits, behind) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = behind;
                let length = digits.iter().try_fold(0_usize, |length, digit| {
                    Some(length.checked_mul(256)? | usize::from(*digit))
                })?;
                // DER has one way to write a length.
                if length < 128 || digits.first() == Some(&0) {
                    return None;
                }
                length
            }
            _ => return None,
        };
        let (content, behind) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len().checked_sub(behind.len())?)?;
        self.0 = behind;
        Some(Value { tag, content, whole })
    }

    /// The next value, which has to have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<Value<'a>> {
        self.next().filter(|value| value.tag == tag)
    }

    /// The next value if it has this tag; otherwise nothing is read.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Value<'a>> {
        (self.0.first() == Some(&tag)).then(|| self.next()).flatten()
    }

    /// Nothing, if nothing is left.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

impl<'a> Value<'a> {
    /// What is within it.
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader::new(self.content)
    }

    /// The one value that some bytes are, with nothing behind it.
    pub(crate) fn only(bytes: &'a [u8], tag: u8) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let value = reader.expect(tag)?;
        reader.end()?;
        Some(value)
    }

    /// The bytes of a bit string of whole bytes.
    pub(crate) fn bits(&self) -> Option<&'a [u8]> {
        match self.content.split_first() {
            Some((0, bytes)) => Some(bytes),
            _ => None,
        }
    }
}

/// A value with this tag and content.
pub(crate) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut whole = vec![tag];
    if length < 128 {
        whole.push(u8::try_from(length).expect("it is below 128"));
    } else {
        let digits: Vec<u8> = length
            .to_be_bytes()
            .into_iter()
            .skip_while(|digit| *digit == 0)
            .collect();
        whole.push(0x80 | u8::try_from(digits.len()).expect("a length has at most eight bytes"));
        whole.extend(digits);
    }
    whole.extend_from_slice(content);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let whole = encode(OCTET_STRING, &content);
            let value = Value::only(&whole, OCTET_STRING).unwrap();
            assert_eq!(
                (value.content, value.whole),
                (content.as_slice(), whole.as_slice())
            );
            assert!(Value::only(whole.get(..whole.len() - 1).unwrap(), OCTET_STRING).is_none());
            assert!(Value::only(&whole, SEQUENCE).is_none());
        }
    }

    #[test]
    fn what_is_no_der_is_refused() {
        for bytes in [
            &[][..],
            &[0x04],
            &[0x04, 0x80, 0, 0],
            &[0x04, 0x81, 0x01, 0],
            &[0x04, 0x82, 0x00, 0x80],
            &[0x04, 0x85, 1, 1, 1, 1, 1],
            &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x1f, 0x01, 0],
            &[0x04, 2, 0],
        ] {
            assert!(Reader::new(bytes).next().is_none(), "{bytes:?}");
        }
    }
}

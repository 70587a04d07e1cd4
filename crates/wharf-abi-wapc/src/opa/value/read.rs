//! Values out of text that anybody may have written.

use super::{Number, Object, Set, Value};

/// How deep values may be nested.
pub(crate) const DEEPEST: usize = 300;

/// Why some text is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAValue {
    /// The byte at which it goes wrong.
    pub(crate) at: usize,
    pub(crate) reason: &'static str,
    /// Whether all that is wrong is that it is nested more than [`DEEPEST`] deep.
    pub(crate) too_deep: bool,
}

/// The value that a policy wrote with `opa_value_dump` or `opa_json_dump`.
pub(crate) fn read_term(text: &[u8]) -> Result<Value, NotAValue> {
    read(text, true)
}

/// The value of a JSON text. Of two fields with one name the last counts.
pub(crate) fn read_json(text: &str) -> Result<Value, NotAValue> {
    read(text.as_bytes(), false)
}

fn read(text: &[u8], terms: bool) -> Result<Value, NotAValue> {
    let text = std::str::from_utf8(text).map_err(|error| NotAValue {
        at: error.valid_up_to(),
        reason: "is not UTF-8",
        too_deep: false,
    })?;
    let mut reader = Reader { text, at: 0, terms };
    let value = reader.value(DEEPEST)?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.wrong("comes after the value"));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Sets, and keys that are no strings.
    terms: bool,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, NotAValue> {
        self.space();
        let Some(depth) = depth.checked_sub(1) else {
            return Err(NotAValue {
                too_deep: true,
                ..self.wrong("is nested too deeply")
            });
        };
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'[') => self.array(depth),
            Some(b'{') => self.braces(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take("null") => Ok(Value::Null),
            _ if self.take("true") => Ok(Value::Bool(true)),
            _ if self.take("false") => Ok(Value::Bool(false)),
            _ if self.terms && self.take("set()") => Ok(Value::Set(Set::new())),
            _ => Err(self.wrong("is no value")),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, NotAValue> {
        self.at += 1;
        let mut elements = Vec::new();
        self.space();
        if self.take("]") {
            return Ok(Value::Array(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            self.space();
            if self.take("]") {
                return Ok(Value::Array(elements));
            }
            self.expect(",")?;
        }
    }

    /// An object, or a set: what comes behind the first element tells.
    fn braces(&mut self, depth: usize) -> Result<Value, NotAValue> {
        self.at += 1;
        self.space();
        if self.take("}") {
            return Ok(Value::Object(Object::new()));
        }
        let first = self.key(depth)?;
        self.space();
        if self.terms && !self.text[self.at..].starts_with(':') {
            return self.set(first, depth);
        }
        let mut fields = Vec::new();
        let mut key = first;
        loop {
            self.space();
            self.expect(":")?;
            fields.push((key, self.value(depth)?));
            self.space();
            if self.take("}") {
                return Ok(Value::Object(fields.into_iter().collect()));
            }
            self.expect(",")?;
            key = self.key(depth)?;
        }
    }

    fn key(&mut self, depth: usize) -> Result<Value, NotAValue> {
        self.space();
        if !self.terms && self.peek() != Some(b'"') {
            return Err(self.wrong("is no name of a field"));
        }
        self.value(depth)
    }

    fn set(&mut self, first: Value, depth: usize) -> Result<Value, NotAValue> {
        let mut elements = vec![first];
        loop {
            self.space();
            if self.take("}") {
                return Ok(Value::Set(elements.into_iter().collect()));
            }
            self.expect(",")?;
            elements.push(self.value(depth)?);
        }
    }

    fn number(&mut self) -> Result<Value, NotAValue> {
        let rest = &self.text[self.at..];
        let inside = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.as_bytes().iter().take_while(|byte| inside(byte)).count();
        let number = Number::parse(&rest[..length]).ok_or(self.wrong("is no number"))?;
        self.at += length;
        Ok(Value::Number(number))
    }

    fn string(&mut self) -> Result<String, NotAValue> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .bytes()
                .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20))
                .count();
            string.push_str(&rest[..plain]);
            self.at += plain;
            match rest.as_bytes().get(plain) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                Some(_) => return Err(self.wrong("is a control character in a string")),
                None => return Err(self.wrong("ends inside a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, NotAValue> {
        let escaped = self.text.as_bytes().get(self.at + 1).copied();
        let simple = match escaped {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.wrong("is an unknown escape")),
        };
        self.at += 2;
        Ok(simple)
    }

    /// `\u00e9`, or two of them for a character beyond the first plane. Half a pair is the replacement character.
    fn unicode_escape(&mut self) -> Result<char, NotAValue> {
        let first = self
            .code_unit(self.at)
            .ok_or(self.wrong("is an unknown escape"))?;
        self.at += 6;
        if let Some(second) = self.code_unit(self.at)
            && let Some(Ok(c)) = char::decode_utf16([first, second]).next()
            && c > '\u{ffff}'
        {
            self.at += 6;
            return Ok(c);
        }
        Ok(char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn code_unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        all.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.text[self.at..].starts_with(word);
        if there {
            self.at += word.len();
        }
        there
    }

    fn expect(&mut self, word: &'static str) -> Result<(), NotAValue> {
        if self.take(word) {
            return Ok(());
        }
        Err(self.wrong(match word {
            ":" => "is not the colon that is due here",
            _ => "is not the comma that is due here",
        }))
    }

    fn space(&mut self) {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.text.as_bytes()[self.at..]
            .iter()
            .take_while(|byte| blank(byte))
            .count();
    }

    fn wrong(&self, reason: &'static str) -> NotAValue {
        NotAValue {
            at: self.at,
            reason,
            too_deep: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(text: &str) -> Result<String, NotAValue> {
        read_term(text.as_bytes()).map(|value| value.to_term())
    }

    #[test]
    fn what_a_policy_writes_is_read() {
        for (text, expected) in [
            (" null ", "null"),
            ("[true, false]", "[true,false]"),
            ("{}", "{}"),
            ("set()", "set()"),
            ("{2, 1, 1.0}", "{1,2}"),
            ("{\"b\": 1, \"a\": {3}}", "{\"a\":{3},\"b\":1}"),
            ("{[1]: {set(): {}}, 5: 6}", "{5:6,[1]:{set():{}}}"),
            ("-1.50E+3", "-1.50E+3"),
            (r#""a\"\\\/\b\f\n\r\té""#, r#""a\"\\/\b\f\n\r\té""#),
            (r#""\u00e9\ud83d\ude00\ud83d-\ude00""#, "\"é😀\u{fffd}-\u{fffd}\""),
        ] {
            assert_eq!(term(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_place() {
        for (text, at) in [
            ("", 0),
            ("[1", 2),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("{1:}", 3),
            ("{1,2", 4),
            ("{1,2:3}", 4),
            ("{\"a\":1 \"b\":2}", 7),
            ("01", 0),
            ("1 1", 2),
            ("set(", 0),
            ("set(1)", 0),
            ("nul", 0),
            ("\"a", 2),
            ("\"\\x\"", 1),
            ("\"\\u12\"", 1),
            ("\"a\nb\"", 2),
            ("x", 0),
        ] {
            assert_eq!(term(text).map_err(|error| error.at), Err(at), "{text:?}");
        }
        assert_eq!(read_term(b"\"a\xff\"").map_err(|error| error.at), Err(2));
    }

    #[test]
    fn json_has_no_sets_and_no_other_keys() {
        for text in ["set()", "{1}", "{1:2}", "[{\"a\",\"b\"}]"] {
            assert!(read_json(text).is_err(), "{text}");
        }
        let twice = read_json("{\"a\": 1, \"a\": [2]}").unwrap();
        assert_eq!(twice.to_term(), "{\"a\":[2]}");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read_json(&nested(DEEPEST)).is_ok());
        let error = read_json(&nested(1_000_000)).unwrap_err();
        assert_eq!(
            (error.at, error.reason, error.too_deep),
            (DEEPEST, "is nested too deeply", true)
        );
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let good = "{\"a\": [1, -2.5e3, \"\\u00e9\\ud83d\\ude00é😀\"], 7: {set(), null}}".as_bytes();
        for at in 0..good.len() {
            let _ = read_term(&good[..at]);
            for byte in [0, b'"', b'\\', b'{', b'u', 0xff, 0x80] {
                let mut damaged = good.to_vec();
                damaged[at] = byte;
                let _ = read_term(&damaged);
            }
        }
    }
}

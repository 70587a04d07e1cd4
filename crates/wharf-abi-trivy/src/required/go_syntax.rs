//! From the syntax of Go's package regexp to that of the crate `regex-syntax`.
//!
//! They are near. What differs, and is translated or refused here:
//!
//! | Go | here |
//! |---|---|
//! | `\d`, `\s`, `\w`, `\b` are about ASCII | written out |
//! | `{` where no repetition follows is a character | escaped |
//! | `[`, `&&`, `--`, `~~` in brackets are characters | escaped |
//! | `\Q…\E` takes what is between literally | escaped |
//! | `\<`, `\>` and every other escaped sign are characters | written as such |
//! | `\012` is an octal number | written in hexadecimal |
//! | `\p{^Greek}` | `\P{Greek}` |
//! | a repetition of a repetition, more than 1000 repetitions | refused |
//! | `\C`, `\Z`, `\u0041`, `(?x)`, `(?R)`, `(?u)` and look-around are not there | refused |
//!
//! What is left: Go knows properties of Unicode by their short names and scripts only, and here more names are known; Go refuses
//! a repetition of repetitions that together are more than 1000, and here the size of the automaton is the bound.

/// The most repetitions of `{n}`.
const MOST_REPETITIONS: u32 = 1_000;

const DIGITS: &str = "0-9";
const SPACES: &str = r"\t\n\f\r ";
const WORDS: &str = "0-9A-Za-z_";

/// Translates a pattern.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translation = Translation {
        rest: pattern,
        out: String::with_capacity(pattern.len() + 16),
    };
    let mut may_repeat = true;
    while let Some(c) = translation.rest.chars().next() {
        let repeated = translation.token(c, may_repeat)?;
        may_repeat = !repeated;
    }
    Ok(translation.out)
}

struct Translation<'a> {
    rest: &'a str,
    out: String,
}

impl Translation<'_> {
    /// Translates one token; says whether it was a repetition.
    fn token(&mut self, c: char, may_repeat: bool) -> Result<bool, String> {
        let repetition = match c {
            '*' | '+' | '?' => Some(1),
            '{' => counted(self.rest)?,
            _ => None,
        };
        if let Some(length) = repetition {
            if !may_repeat {
                return Err("a repetition is repeated".into());
            }
            self.take(length);
            if self.rest.starts_with('?') {
                self.take(1);
            }
            return Ok(true);
        }
        match c {
            '\\' => self.escape(false)?,
            '[' => self.bracket()?,
            '(' => self.open()?,
            '{' => self.literal(c),
            _ => self.take(c.len_utf8()),
        }
        Ok(false)
    }

    /// Takes over what stands there.
    fn take(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        self.out.push_str(taken);
        self.rest = rest;
    }

    fn skip(&mut self, length: usize) {
        self.rest = &self.rest[length..];
    }

    /// Takes a character over as itself.
    fn literal(&mut self, c: char) {
        self.skip(c.len_utf8());
        self.push_literal(c);
    }

    fn push_literal(&mut self, c: char) {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            self.out.push_str(&format!("\\x{:02x}", u32::from(c)));
        } else {
            self.out.push(c);
        }
    }

    fn open(&mut self) -> Result<(), String> {
        let Some(behind) = self.rest.strip_prefix("(?") else {
            self.take(1);
            return Ok(());
        };
        let names = ["P<", "<"].iter().any(|start| {
            behind
                .strip_prefix(start)
                .is_some_and(|name| !name.starts_with(['=', '!']))
        });
        if !names {
            let flags = behind.split([':', ')']).next().unwrap_or_default();
            if !flags
                .chars()
                .all(|flag| matches!(flag, 'i' | 'm' | 's' | 'U' | '-'))
            {
                return Err(format!("Go does not have the group (?{}", flags.escape_debug()));
            }
        }
        self.take(2);
        Ok(())
    }

    fn bracket(&mut self) -> Result<(), String> {
        self.take(1);
        if self.rest.starts_with('^') {
            self.take(1);
        }
        let mut first = true;
        loop {
            let c = self.rest.chars().next().ok_or("a bracket is not closed")?;
            match c {
                ']' if !first => {
                    self.take(1);
                    return Ok(());
                }
                '[' if self.rest.starts_with("[:") && self.rest.contains(":]") => {
                    let end = self.rest.find(":]").map_or(2, |end| end + 2);
                    self.take(end);
                }
                '\\' => self.escape(true)?,
                // Between two characters it makes a range; at the edges and doubled it is a character.
                '-' if !first && !self.rest.starts_with("-]") && !self.out.ends_with('-') => self.take(1),
                c => self.literal(c),
            }
            first = false;
        }
    }

    fn escape(&mut self, in_bracket: bool) -> Result<(), String> {
        let c = self.rest[1..]
            .chars()
            .next()
            .ok_or("a backslash stands at the end")?;
        match c {
            'd' | 's' | 'w' | 'D' | 'S' | 'W' => {
                self.skip(2);
                let set = match c.to_ascii_lowercase() {
                    'd' => DIGITS,
                    's' => SPACES,
                    _ => WORDS,
                };
                let negation = if c.is_ascii_uppercase() { "^" } else { "" };
                self.out.push_str(&format!("[{negation}{set}]"));
            }
            'b' | 'B' if !in_bracket => {
                self.skip(2);
                self.out.push_str(&format!("(?-u:\\{c})"));
            }
            'A' | 'z' if !in_bracket => self.take(2),
            'Q' if !in_bracket => {
                let behind = &self.rest[2..];
                let (text, rest) = behind.split_once("\\E").unwrap_or((behind, ""));
                text.chars().for_each(|c| self.push_literal(c));
                self.rest = rest;
            }
            'p' | 'P' => self.property(c)?,
            'a' | 'f' | 'n' | 'r' | 't' | 'v' => self.take(2),
            'x' => self.hexadecimal()?,
            '0'..='7' => self.octal()?,
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
                self.skip(1);
                self.literal(c);
            }
            c => return Err(format!("Go does not have the escape \\{c}")),
        }
        Ok(())
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`.
    fn property(&mut self, c: char) -> Result<(), String> {
        let behind = &self.rest[2..];
        let Some(braced) = behind.strip_prefix('{') else {
            let length = behind.chars().next().ok_or("a property has no name")?.len_utf8();
            self.take(2 + length);
            return Ok(());
        };
        let (name, rest) = braced
            .split_once('}')
            .ok_or("the name of a property is not closed")?;
        let bare = name.strip_prefix('^').unwrap_or(name);
        let is_negated = (c == 'P') != (bare.len() < name.len());
        if bare.contains(['=', '!', ':']) {
            return Err(format!("Go does not have the property {}", bare.escape_debug()));
        }
        let letter = if is_negated { 'P' } else { 'p' };
        self.out.push_str(&format!("\\{letter}{{{bare}}}"));
        self.rest = rest;
        Ok(())
    }

    fn hexadecimal(&mut self) -> Result<(), String> {
        let behind = &self.rest[2..];
        let (digits, rest) = match behind.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or("a number is not closed")?,
            None => behind.split_at_checked(2).ok_or("a number is cut")?,
        };
        self.number(digits, 16)?;
        self.rest = rest;
        Ok(())
    }

    fn octal(&mut self) -> Result<(), String> {
        let behind = &self.rest[1..];
        let digits = behind
            .bytes()
            .take(3)
            .take_while(|digit| matches!(digit, b'0'..=b'7'))
            .count();
        if digits == 1 && !behind.starts_with('0') {
            return Err("Go does not have references to groups".into());
        }
        self.number(&behind[..digits], 8)?;
        self.rest = &behind[digits..];
        Ok(())
    }

    fn number(&mut self, digits: &str, radix: u32) -> Result<(), String> {
        let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        let code = is_number
            .then(|| u32::from_str_radix(digits, radix).ok())
            .flatten();
        let code = code
            .filter(|code| *code <= 0x10_ffff)
            .ok_or("a number is no character's")?;
        self.out.push_str(&format!("\\x{{{code:x}}}"));
        Ok(())
    }
}

/// The length of `{2}`, `{2,}` or `{2,5}` at the beginning of a text, where one is there.
fn counted(text: &str) -> Result<Option<usize>, String> {
    let Some((counts, _)) = text[1..].split_once('}') else {
        return Ok(None);
    };
    let (min, max) = counts.split_once(',').unwrap_or((counts, counts));
    let is_count = |count: &str| {
        !count.is_empty()
            && count.bytes().all(|digit| digit.is_ascii_digit())
            && (count.len() == 1 || !count.starts_with('0'))
    };
    if !is_count(min) || !(max.is_empty() || is_count(max)) {
        return Ok(None);
    }
    let too_many = |count: &str| {
        !count.is_empty()
            && count
                .parse::<u32>()
                .map_or(true, |count| count > MOST_REPETITIONS)
    };
    if too_many(min) || too_many(max) {
        return Err(format!("more than {MOST_REPETITIONS} repetitions are not taken"));
    }
    Ok(Some(counts.len() + 2))
}

//! Expressions of licenses, as SPDX has them: `MIT OR Apache-2.0`.

use std::fmt;

/// An expression of licenses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    /// One license, and whether later versions count as well.
    License { name: String, or_later: bool },
    /// Two, with what is between them.
    Both(Box<Expression>, Operator, Box<Expression>),
}

/// What stands between two licenses; the later ones bind tighter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operator {
    Or,
    And,
    With,
}

/// The depth to which expressions may be nested.
const MAX_DEPTH: usize = 64;
/// The most words of an expression.
const MAX_WORDS: usize = 4096;

impl Expression {
    /// Reads one. None where the text is not made like one. Words that follow each other are one name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let words = words(text)?;
        let mut reader = Reader { words: &words, at: 0 };
        let expression = reader.expression(Operator::Or, 0)?;
        (reader.at == words.len()).then_some(expression)
    }

    pub(crate) fn license(name: impl Into<String>) -> Self {
        Self::License {
            name: name.into(),
            or_later: false,
        }
    }

    /// Changes all licenses, and those with an exception as a whole, from the outside to the inside.
    pub(crate) fn map(self, change: &mut impl FnMut(Self) -> Self) -> Self {
        match change(self) {
            Self::Both(left, operator, right) => {
                Self::Both(Box::new(left.map(change)), operator, Box::new(right.map(change)))
            }
            license @ Self::License { .. } => license,
        }
    }

    /// Whether all of it is on SPDX's lists.
    pub(crate) fn is_listed(&self) -> bool {
        match self {
            Self::License { .. } => {
                listed_license(&self.to_string()).is_some_and(|id| id == self.to_string())
            }
            Self::Both(left, Operator::With, right) => {
                left.is_listed() && listed_exception(&right.to_string()).is_some()
            }
            Self::Both(left, _, right) => left.is_listed() && right.is_listed(),
        }
    }

    fn operator(&self) -> Option<Operator> {
        match self {
            Self::License { .. } => None,
            Self::Both(_, operator, _) => Some(*operator),
        }
    }

    /// With the ids of SPDX for those that are known, and without characters that ids cannot have.
    pub(crate) fn normalised(self) -> Self {
        self.map(&mut normalised_name).map(&mut |part| match part {
            Self::License { name, or_later } => Self::License {
                name: name.chars().map(id_character).collect(),
                or_later,
            },
            Self::Both(left, Operator::With, right) => {
                let exception = listed_exception(&right.to_string());
                let right = exception.map_or(right, |id| Box::new(Self::license(id)));
                Self::Both(left, Operator::With, right)
            }
            both @ Self::Both(..) => both,
        })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::License { name, or_later } => {
                let suffix = match (is_gnu(name), or_later) {
                    (true, true) => "-or-later",
                    (true, false) => "-only",
                    (false, true) => "+",
                    (false, false) => "",
                };
                write!(f, "{name}{suffix}")
            }
            Self::Both(left, operator, right) => {
                let word = match operator {
                    Operator::Or => "OR",
                    Operator::And => "AND",
                    Operator::With => "WITH",
                };
                let side = |side: &Self, f: &mut fmt::Formatter<'_>| {
                    if side.operator().is_some_and(|inner| inner < *operator) {
                        write!(f, "({side})")
                    } else {
                        write!(f, "{side}")
                    }
                };
                side(left, f)?;
                write!(f, " {word} ")?;
                side(right, f)
            }
        }
    }
}

/// The name of a license as Trivy normalises it in packages of applications: the id of SPDX where it is known.
pub(crate) fn normalised_license(name: &str) -> String {
    normalised_name(Expression::license(name)).to_string()
}

/// The licenses of an expression with the ids of SPDX, where all of them have one. An exception is no license, so that
/// there are no parts of an expression with one.
pub(crate) fn license_parts(text: &str) -> Option<Vec<String>> {
    let expression = Expression::parse(text)?.map(&mut normalised_name);
    let mut parts = Vec::new();
    let mut waiting = vec![&expression];
    while let Some(part) = waiting.pop() {
        match part {
            Expression::License { .. } => parts.push(part),
            Expression::Both(_, Operator::With, _) => return None,
            Expression::Both(left, _, right) => waiting.extend([&**left, &**right]),
        }
    }
    let listed = parts.iter().all(|part| part.is_listed());
    listed.then(|| parts.iter().map(ToString::to_string).collect())
}

fn normalised_name(part: Expression) -> Expression {
    let (text, or_later) = match &part {
        Expression::License { name, or_later } => (name.trim().to_owned(), *or_later),
        Expression::Both(_, Operator::With, _) => {
            let (key, later) = key_of(&part.to_string());
            return match alias(&key) {
                Some((id, always_later)) => Expression::License {
                    name: id.to_owned(),
                    or_later: later || always_later,
                },
                None => part,
            };
        }
        Expression::Both(..) => return part,
    };
    let (key, later) = key_of(&text);
    if let Some((id, always_later)) = alias(&key) {
        return Expression::License {
            name: id.to_owned(),
            or_later: or_later || later || always_later,
        };
    }
    match listed_license(&key) {
        Some(id) => Expression::License {
            name: id.to_owned(),
            or_later: or_later || later,
        },
        None => Expression::License { name: text, or_later },
    }
}

/// The name in capital letters without what says nothing, and whether later versions count as well.
fn key_of(name: &str) -> (String, bool) {
    let mut key = name
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_uppercase();
    if key.starts_with("HTTP") {
        return (key, false);
    }
    key = key.replace("LICENCE", "LICENSE");
    if let Some(rest) = key.strip_prefix("THE ") {
        key = rest.to_owned();
    }
    for suffix in [" LICENSE", " LICENSED", "-LICENSE", "-LICENSED"] {
        cut_suffix(&mut key, suffix);
    }
    if key != "UNLICENSE" {
        cut_suffix(&mut key, "LICENSE");
    }
    if key != "UNLICENSED" {
        cut_suffix(&mut key, "LICENSED");
    }
    let mut or_later = false;
    for suffix in ["+", "-OR-LATER", " OR LATER"] {
        or_later |= cut_suffix(&mut key, suffix);
    }
    for suffix in ["-ONLY", " ONLY"] {
        cut_suffix(&mut key, suffix);
    }
    (with_plain_version(key), or_later)
}

fn cut_suffix(text: &mut String, suffix: &str) -> bool {
    let rest = text.strip_suffix(suffix).map(str::len);
    if let Some(length) = rest {
        text.truncate(length);
    }
    rest.is_some()
}

/// `APACHE LICENSE, VERSION 2.0` is `APACHE-2.0`.
fn with_plain_version(key: String) -> String {
    let body = key.strip_suffix(')').unwrap_or(&key);
    let start = body
        .rfind(|character: char| !character.is_ascii_digit() && character != '.')
        .map_or(0, |at| at + 1);
    let (before, number) = body.split_at_checked(start).unwrap_or((body, ""));
    let well_made = number
        .split('.')
        .enumerate()
        .all(|(index, part)| part.len() == 1 && (index > 0 || part != "0"));
    if !well_made {
        return key;
    }
    let mut name = before.trim_end();
    for word in ["VERSION-", "VERSION", "VER.", "VER", "V.", "V"] {
        if let Some(rest) = name.strip_suffix(word) {
            name = rest;
            break;
        }
    }
    let name = name.strip_suffix('-').unwrap_or(name).trim_end();
    let name = name.strip_suffix([',', '(', '-']).unwrap_or(name).trim_end();
    let name = name.strip_suffix(" LICENSE").unwrap_or(name);
    match name.chars().last() {
        Some(last) if last.is_ascii_uppercase() && last != 'V' || last == ')' => format!("{name}-{number}"),
        _ => key,
    }
}

/// The ids of names that are used for licenses and are none, and whether these mean later versions as well.
fn alias(key: &str) -> Option<(&'static str, bool)> {
    let id = match key {
        "APACHE"
        | "APACHE-2"
        | "ASL-2"
        | "ASL-2.0"
        | "APACHE SOFTWARE"
        | "APACHE SOFTWARE-2"
        | "APACHE SOFTWARE-2.0"
        | "ASL"
        | "APACHE-STYLE" => "Apache-2.0",
        "ARTISTIC" => "Artistic-2.0",
        "BOOST" | "BOOST-1.0" | "BSL" => "BSL-1.0",
        "BSD" | "BSD-3" | "NEW BSD" | "BSD NEW" | "3-CLAUSE BSD" | "BSD 3-CLAUSE" | "BSD 3 CLAUSE"
        | "BSD-STYLE" | "BSD-LIKE" | "MODIFIED BSD" | "REVISED BSD" => "BSD-3-Clause",
        "BSD-2" | "2-CLAUSE BSD" | "BSD 2-CLAUSE" | "BSD 2 CLAUSE" | "SIMPLIFIED BSD" | "FREEBSD" => {
            "BSD-2-Clause"
        }
        "BSD-4" => "BSD-4-Clause",
        "CC0" => "CC0-1.0",
        "EXPAT" | "MIT-LIKE" | "MIT-STYLE" => "MIT",
        "MPL" | "MPL-2" | "MOZILLA PUBLIC-2.0" => "MPL-2.0",
        "MPL-1" => "MPL-1.0",
        "AGPL" | "AGPL-3" | "AGPL-3.0" => "AGPL-3.0",
        "GPL-1" | "GPL-1.0" => "GPL-1.0",
        "GPL-2" | "GPL-2.0" | "GNU GPL-2" | "GNU GPL-2.0" => "GPL-2.0",
        "GPL-3" | "GPL-3.0" | "GNU GPL-3" | "GNU GPL-3.0" => "GPL-3.0",
        "LGPL-2" | "LGPL-2.0" => "LGPL-2.0",
        "LGPL-2.1" => "LGPL-2.1",
        "LGPL-3" | "LGPL-3.0" => "LGPL-3.0",
        "GPL" => return Some(("GPL-2.0", true)),
        "LGPL" => return Some(("LGPL-2.0", true)),
        "GFDL" | "FDL" => return Some(("GFDL-1.3", true)),
        "PYTHON" | "PYTHON-2" => "Python-2.0",
        "ZOPE" | "ZOPE-2.1" => "ZPL-2.1",
        "EPL" | "ECLIPSE-1.0" => "EPL-1.0",
        "ECLIPSE-2.0" => "EPL-2.0",
        "CDDL" | "CDDL-1" => "CDDL-1.0",
        "WTF" => "WTFPL",
        _ => return None,
    };
    Some((id, false))
}

fn is_gnu(name: &str) -> bool {
    matches!(
        name,
        "AGPL-1.0"
            | "AGPL-3.0"
            | "GFDL-1.1"
            | "GFDL-1.1-invariants"
            | "GFDL-1.1-no-invariants"
            | "GFDL-1.2"
            | "GFDL-1.2-invariants"
            | "GFDL-1.2-no-invariants"
            | "GFDL-1.3"
            | "GFDL-1.3-invariants"
            | "GFDL-1.3-no-invariants"
            | "GPL-1.0"
            | "GPL-2.0"
            | "GPL-3.0"
            | "LGPL-2.0"
            | "LGPL-2.1"
            | "LGPL-3.0"
    )
}

/// The id on SPDX's list of licenses, in any case.
fn listed_license(name: &str) -> Option<&'static str> {
    spdx::identifiers::LICENSES
        .iter()
        .map(|license| license.name)
        .find(|id| id.eq_ignore_ascii_case(name))
}

/// The id on SPDX's list of exceptions, in any case.
fn listed_exception(name: &str) -> Option<&'static str> {
    spdx::identifiers::EXCEPTIONS
        .iter()
        .map(|exception| exception.name)
        .find(|id| id.eq_ignore_ascii_case(name))
}

fn id_character(character: char) -> char {
    if character.is_ascii_alphabetic() || character.is_numeric() || matches!(character, '-' | '.' | ':') {
        character
    } else {
        '-'
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Open,
    Close,
    Plus,
    Operator(Operator),
    Name(String),
}

fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut name = String::new();
    let mut characters = text.chars().peekable();
    let end = |name: &mut String, words: &mut Vec<Word>| {
        let word = match name.to_ascii_uppercase().as_str() {
            "" => return,
            "AND" => Word::Operator(Operator::And),
            "OR" => Word::Operator(Operator::Or),
            "WITH" => Word::Operator(Operator::With),
            _ => Word::Name(name.clone()),
        };
        name.clear();
        words.push(word);
    };
    while let Some(character) = characters.next() {
        let mut ends_word = || {
            characters
                .peek()
                .is_none_or(|next| next.is_whitespace() || matches!(next, '(' | ')'))
        };
        match character {
            '(' | ')' => {
                end(&mut name, &mut words);
                words.push(if character == '(' { Word::Open } else { Word::Close });
            }
            '+' if name.is_empty() || ends_word() => {
                end(&mut name, &mut words);
                words.push(Word::Plus);
            }
            space if space.is_whitespace() => end(&mut name, &mut words),
            other => name.push(other),
        }
        if words.len() > MAX_WORDS {
            return None;
        }
    }
    end(&mut name, &mut words);
    Some(words)
}

struct Reader<'w> {
    words: &'w [Word],
    at: usize,
}

impl Reader<'_> {
    /// An expression whose operators bind at least as tight as this one.
    fn expression(&mut self, loosest: Operator, depth: usize) -> Option<Expression> {
        let mut left = self.operand(depth)?;
        while let Some(Word::Operator(operator)) = self.words.get(self.at) {
            let operator = *operator;
            if operator < loosest {
                break;
            }
            self.at += 1;
            let right = match operator {
                Operator::Or => self.expression(Operator::And, depth)?,
                Operator::And => self.expression(Operator::With, depth)?,
                Operator::With => self.operand(depth)?,
            };
            left = Expression::Both(Box::new(left), operator, Box::new(right));
        }
        Some(left)
    }

    fn operand(&mut self, depth: usize) -> Option<Expression> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.words.get(self.at) == Some(&Word::Open) {
            self.at += 1;
            let inner = self.expression(Operator::Or, depth + 1)?;
            (self.words.get(self.at) == Some(&Word::Close)).then_some(())?;
            self.at += 1;
            return Some(inner);
        }
        let mut names = Vec::new();
        while let Some(Word::Name(name)) = self.words.get(self.at) {
            names.push(name.as_str());
            self.at += 1;
        }
        let or_later = self.words.get(self.at) == Some(&Word::Plus);
        self.at += usize::from(or_later);
        (!names.is_empty()).then(|| Expression::License {
            name: names.join(" "),
            or_later,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Expression, normalised_license};

    fn normalised(text: &str) -> String {
        Expression::parse(text).unwrap().normalised().to_string()
    }

    #[test]
    fn names_become_ids() {
        for (name, id) in [
            ("GPL-2.0", "GPL-2.0-only"),
            ("GPLv2+", "GPL-2.0-or-later"),
            ("GPL-2.0-or-later", "GPL-2.0-or-later"),
            ("apache license, version 2.0", "Apache-2.0"),
            ("Apache License 2.0", "Apache-2.0"),
            ("The MIT License", "MIT"),
            ("mit", "MIT"),
            ("The Unlicense", "Unlicense"),
            ("my own", "my own"),
            ("BSD", "BSD-3-Clause"),
        ] {
            assert_eq!(normalised_license(name), id, "{name}");
        }
    }

    #[test]
    fn expressions_are_read_and_written() {
        for (text, written) in [
            ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
            ("MIT or (apache-2.0 and isc)", "MIT OR Apache-2.0 AND ISC"),
            ("(MIT OR ISC) AND 0BSD", "(MIT OR ISC) AND 0BSD"),
            ("a licence of its own", "a-licence-of-its-own"),
            (
                "GPL-2.0+ WITH classpath-exception-2.0",
                "GPL-2.0-or-later WITH Classpath-exception-2.0",
            ),
            ("Weird License, v1", "Weird-License--v1"),
        ] {
            assert_eq!(normalised(text), written, "{text}");
        }
        for text in ["", "MIT OR", "(MIT", "MIT)", "AND", "+", "()"] {
            assert_eq!(Expression::parse(text), None, "{text}");
        }
        assert_eq!(Expression::parse(&"(".repeat(100_000)), None);
    }

    #[test]
    fn what_is_listed_is_known() {
        assert!(Expression::parse("MIT").unwrap().is_listed());
        assert!(!Expression::parse("MIT-of-ours").unwrap().is_listed());
        assert!(!Expression::parse("MIT OR ours").unwrap().is_listed());
    }
}

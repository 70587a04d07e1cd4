//! The expression that puts the verdicts of a group together.
//!
//! It is a language of its own and no script: it has no values but truths, nothing to loop with and nothing to store, so
//! an expression costs as much as it is long.
//!
//! ```text
//! or      = and { "||" and }
//! and     = equal { "&&" equal }
//! equal   = not { ( "==" | "!=" ) not }
//! not     = "!" not | primary
//! primary = "(" or ")" | "true" | "false" | name "(" ")"
//! ```

use std::collections::BTreeSet;
use std::fmt;

/// The most bytes of an expression.
const MOST_BYTES: usize = 16 << 10;

/// How deep parentheses, negations and comparisons may be nested.
const MOST_DEPTH: usize = 64;

/// An expression over the members of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    root: Node,
    unused: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Constant(bool),
    Member(String),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
    Equal(Box<Self>, Box<Self>),
    Different(Box<Self>, Box<Self>),
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {character} of the expression: {problem}")]
pub struct ExpressionError {
    /// Where, counted from 1.
    pub character: usize,
    /// What is wrong there.
    pub problem: ExpressionProblem,
}

/// What is wrong in an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionProblem {
    /// Something else should stand there.
    #[error("{found}, where {expected} is expected")]
    Unexpected {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// What is called is no member.
    #[error("`{name}` is no member of the group, which has {members}")]
    UnknownMember {
        /// What is called.
        name: String,
        /// What could be.
        members: String,
    },
    /// A member stands there and is not called.
    #[error("`{0}` is not called: write `{0}()`")]
    NotCalled(String),
    /// It is nested too deeply.
    #[error("it is nested deeper than {MOST_DEPTH} levels")]
    TooDeep,
    /// It is too long.
    #[error("it has more than {MOST_BYTES} bytes")]
    TooLong,
}

impl Expression {
    /// Reads an expression over members with these names.
    ///
    /// # Errors
    /// [`ExpressionError`] with the place of what is wrong.
    pub fn parse<'a>(
        text: &str,
        members: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ExpressionError> {
        if text.len() > MOST_BYTES {
            return Err(ExpressionError {
                character: 1,
                problem: ExpressionProblem::TooLong,
            });
        }
        let mut parser = Parser {
            text,
            at: 0,
            members: members.into_iter().collect(),
            called: BTreeSet::new(),
            depth: 0,
        };
        let root = parser.or()?;
        match parser.peek() {
            Token::End => {}
            _ => return Err(parser.unexpected("`&&`, `||` or the end")),
        }
        let unused = parser
            .members
            .iter()
            .filter(|member| !parser.called.contains(**member))
            .map(|member| (*member).to_owned())
            .collect();
        Ok(Self { root, unused })
    }

    /// The members that it never calls, for a warning.
    pub fn unused_members(&self) -> &[String] {
        &self.unused
    }

    /// What it comes to, where `member` says what calls come to: true, false, or `None` where nobody knows. Members are
    /// asked from left to right, and only while it can still matter.
    pub fn evaluate(&self, member: &mut dyn FnMut(&str) -> Option<bool>) -> Option<bool> {
        self.root.evaluate(member)
    }
}

impl Node {
    /// Truth in three values: what is not known may be either.
    fn evaluate(&self, member: &mut dyn FnMut(&str) -> Option<bool>) -> Option<bool> {
        match self {
            Self::Constant(truth) => Some(*truth),
            Self::Member(name) => member(name),
            Self::Not(inner) => inner.evaluate(member).map(|truth| !truth),
            Self::And(parts) => Self::until(parts, false, member),
            Self::Or(parts) => Self::until(parts, true, member),
            Self::Equal(left, right) => Self::compare(left, right, member),
            Self::Different(left, right) => Self::compare(left, right, member).map(|equal| !equal),
        }
    }

    /// `decisive` where one part comes to it; else the other truth, unless a part is not known.
    fn until(parts: &[Self], decisive: bool, member: &mut dyn FnMut(&str) -> Option<bool>) -> Option<bool> {
        let mut truth = Some(!decisive);
        for part in parts {
            match part.evaluate(member) {
                Some(found) if found == decisive => return Some(decisive),
                Some(_) => {}
                None => truth = None,
            }
        }
        truth
    }

    fn compare(left: &Self, right: &Self, member: &mut dyn FnMut(&str) -> Option<bool>) -> Option<bool> {
        let left = left.evaluate(member)?;
        Some(left == right.evaluate(member)?)
    }
}

/// One part is itself; several are put together.
fn joined(mut parts: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Not,
    And,
    Or,
    Equal,
    Different,
    Open,
    Close,
    End,
    /// What is none of these.
    Other(&'a str),
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Name(name) => name.get(..40).unwrap_or(name),
            Self::Not => "!",
            Self::And => "&&",
            Self::Or => "||",
            Self::Equal => "==",
            Self::Different => "!=",
            Self::Open => "(",
            Self::Close => ")",
            Self::End => return f.write_str("the end"),
            Self::Other(text) => text,
        };
        write!(f, "`{text}`")
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    members: BTreeSet<&'a str>,
    called: BTreeSet<String>,
    depth: usize,
}

type Parsed<T> = Result<T, ExpressionError>;

impl<'a> Parser<'a> {
    fn or(&mut self) -> Parsed<Node> {
        let first = self.and()?;
        let mut parts = vec![first];
        while self.take(Token::Or) {
            parts.push(self.and()?);
        }
        Ok(joined(parts, Node::Or))
    }

    fn and(&mut self) -> Parsed<Node> {
        let first = self.equal()?;
        let mut parts = vec![first];
        while self.take(Token::And) {
            parts.push(self.equal()?);
        }
        Ok(joined(parts, Node::And))
    }

    fn equal(&mut self) -> Parsed<Node> {
        let before = self.depth;
        let mut left = self.not()?;
        loop {
            let make = match self.peek() {
                Token::Equal => Node::Equal,
                Token::Different => Node::Different,
                _ => break,
            };
            self.deeper()?;
            self.advance();
            left = make(Box::new(left), Box::new(self.not()?));
        }
        self.depth = before;
        Ok(left)
    }

    fn not(&mut self) -> Parsed<Node> {
        if self.peek() != Token::Not {
            return self.primary();
        }
        self.deeper()?;
        self.advance();
        let inner = self.not()?;
        self.depth -= 1;
        Ok(Node::Not(Box::new(inner)))
    }

    fn primary(&mut self) -> Parsed<Node> {
        match self.peek() {
            Token::Open => {
                self.deeper()?;
                self.advance();
                let inner = self.or()?;
                self.expect(Token::Close, "`)`")?;
                self.depth -= 1;
                Ok(inner)
            }
            Token::Name("true") => Ok(self.constant(true)),
            Token::Name("false") => Ok(self.constant(false)),
            Token::Name(name) => self.member(name),
            _ => Err(self.unexpected("a member's call, `!` or `(`")),
        }
    }

    fn constant(&mut self, truth: bool) -> Node {
        self.advance();
        Node::Constant(truth)
    }

    fn member(&mut self, name: &'a str) -> Parsed<Node> {
        if !self.members.contains(name) {
            let all: Vec<&str> = self.members.iter().take(20).copied().collect();
            let members = match all.len() {
                0 => "none".to_owned(),
                _ => all.join(", "),
            };
            let name = name.chars().take(100).collect();
            return Err(self.error(ExpressionProblem::UnknownMember { name, members }));
        }
        let start = self.next_start();
        self.advance();
        if !self.take(Token::Open) {
            return Err(self.error_at(start, ExpressionProblem::NotCalled(name.to_owned())));
        }
        self.expect(Token::Close, "`)`, since members take no arguments,")?;
        self.called.insert(name.to_owned());
        Ok(Node::Member(name.to_owned()))
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(self.error(ExpressionProblem::TooDeep));
        }
        Ok(())
    }

    fn expect(&mut self, token: Token<'_>, expected: &'static str) -> Parsed<()> {
        if self.take(token) {
            return Ok(());
        }
        Err(self.unexpected(expected))
    }

    fn take(&mut self, token: Token<'_>) -> bool {
        let found = self.peek() == token;
        if found {
            self.advance();
        }
        found
    }

    fn unexpected(&self, expected: &'static str) -> ExpressionError {
        let found = self.peek().to_string();
        self.error(ExpressionProblem::Unexpected { found, expected })
    }

    /// A problem at the next token.
    fn error(&self, problem: ExpressionProblem) -> ExpressionError {
        self.error_at(self.next_start(), problem)
    }

    fn error_at(&self, start: usize, problem: ExpressionProblem) -> ExpressionError {
        ExpressionError {
            character: self.text[..start].chars().count() + 1,
            problem,
        }
    }

    fn peek(&self) -> Token<'a> {
        self.next().0
    }

    fn advance(&mut self) {
        self.at = self.next().1;
    }

    fn next_start(&self) -> usize {
        self.text.len() - self.text[self.at..].trim_start().len()
    }

    /// The next token, and where it ends.
    fn next(&self) -> (Token<'a>, usize) {
        let start = self.next_start();
        let rest = &self.text[start..];
        let pairs = [
            ("&&", Token::And),
            ("||", Token::Or),
            ("==", Token::Equal),
            ("!=", Token::Different),
            ("!", Token::Not),
            ("(", Token::Open),
            (")", Token::Close),
        ];
        if let Some((text, token)) = pairs.iter().find(|(text, _)| rest.starts_with(text)) {
            return (*token, start + text.len());
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = rest.len() - rest.trim_start_matches(is_name).len();
        match rest.chars().next() {
            None => (Token::End, start),
            Some(first) if is_name(first) && !first.is_ascii_digit() => {
                (Token::Name(&rest[..name]), start + name)
            }
            Some(first) => (Token::Other(&rest[..first.len_utf8()]), start + first.len_utf8()),
        }
    }
}

#[cfg(test)]
mod tests;

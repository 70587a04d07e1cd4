//! Patterns of paths, as Trivy understands them.

/// A pattern of paths: `*` and `?` stand for characters of one segment, `**` as a whole segment for any number of segments,
/// `[a-z]` and `[^a-z]` for one character of a class, `{a,b}` for one of several; `\` takes the meaning of what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    steps: Vec<Step>,
}

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no pattern of paths: {reason}", .text.escape_debug())]
pub struct BadPattern {
    /// The text, cut where it is long.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The longest pattern that is read, in bytes.
const MAX_BYTES: usize = 4096;

/// A state of the machine that a pattern becomes: what it takes from the path, and where it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// One character.
    Literal(char),
    /// One character that is not `/`.
    Any,
    /// One character of some, or of all others.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// Any number of characters that are not `/`.
    Star,
    /// Any number of whole segments with the `/` behind each.
    Segments,
    /// Whatever comes, also nothing.
    Rest,
    /// The machine goes on at each of these places.
    Split(Vec<usize>),
    /// The machine goes on there.
    Jump(usize),
}

impl PathPattern {
    /// Reads one.
    ///
    /// # Errors
    /// [`BadPattern`] where a class or a group does not end, nothing follows a `\`, or it is longer than 4 KiB.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let refuse = |reason| BadPattern {
            text: text.chars().take(200).collect(),
            reason,
        };
        if text.len() > MAX_BYTES {
            return Err(refuse("it is longer than 4 KiB"));
        }
        let mut reader = Reader {
            characters: text.chars().collect(),
            at: 0,
            steps: Vec::new(),
            groups: Vec::new(),
        };
        reader.read().map_err(refuse)?;
        Ok(Self { steps: reader.steps })
    }

    /// Whether it matches a whole path. The time is at most the product of the two lengths.
    pub fn matches(&self, path: &str) -> bool {
        let mut places = Places::new(self.steps.len());
        self.enter(0, true, &mut places);
        for character in path.chars() {
            let now = places.take();
            for place in now {
                self.take(place, character, &mut places);
            }
            if places.list.is_empty() {
                return false;
            }
        }
        places.list.iter().any(|place| self.ends_at(*place))
    }

    fn take(&self, place: usize, character: char, next: &mut Places) {
        let ends_segment = character == '/';
        let goes_on = match self.steps.get(place) {
            Some(Step::Literal(literal)) => *literal == character,
            Some(Step::Any) => !ends_segment,
            Some(Step::Class { negated, ranges }) => {
                let within = ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&character));
                within != *negated
            }
            Some(Step::Star) => {
                if !ends_segment {
                    self.enter(place, false, next);
                }
                false
            }
            // Within a segment the machine stays; behind its `/` it may go on.
            Some(Step::Segments) => {
                self.enter(place, ends_segment, next);
                false
            }
            Some(Step::Rest) => {
                self.enter(place, ends_segment, next);
                false
            }
            Some(Step::Split(_) | Step::Jump(_)) | None => false,
        };
        if goes_on {
            self.enter(place + 1, ends_segment, next);
        }
    }

    /// Goes to a place, and to all that are reached from it without a character.
    fn enter(&self, place: usize, fresh_segment: bool, places: &mut Places) {
        let mut waiting = vec![place];
        while let Some(place) = waiting.pop() {
            if !places.mark(place) {
                continue;
            }
            match self.steps.get(place) {
                Some(Step::Split(to)) => waiting.extend(to),
                Some(Step::Jump(to)) => waiting.push(*to),
                Some(Step::Star) => {
                    places.list.push(place);
                    waiting.push(place + 1);
                }
                Some(Step::Segments) if fresh_segment => {
                    places.list.push(place);
                    waiting.push(place + 1);
                }
                _ => places.list.push(place),
            }
        }
    }

    /// Whether nothing more is needed from there: `a/**` matches `a` as well.
    fn ends_at(&self, place: usize) -> bool {
        match self.steps.get(place) {
            None | Some(Step::Rest) => true,
            Some(Step::Star) => self.ends_at(place + 1),
            Some(Step::Literal('/')) => {
                let after = self.steps.get(place + 1);
                let is_last = |step| step == self.steps.len();
                match after {
                    Some(Step::Rest) => is_last(place + 2),
                    Some(Step::Segments) => is_last(place + 2),
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

/// The places at which the machine is.
struct Places {
    list: Vec<usize>,
    /// For each place the last turn in which the machine came to it.
    turns: Vec<u64>,
    turn: u64,
}

impl Places {
    fn new(steps: usize) -> Self {
        Self {
            list: Vec::new(),
            turns: vec![0; steps + 1],
            turn: 1,
        }
    }

    /// Notes a place, and says whether it is new in this turn.
    fn mark(&mut self, place: usize) -> bool {
        match self.turns.get_mut(place) {
            Some(turn) => std::mem::replace(turn, self.turn) != self.turn,
            None => false,
        }
    }

    /// The places, and a new turn.
    fn take(&mut self) -> Vec<usize> {
        self.turn += 1;
        std::mem::take(&mut self.list)
    }
}

struct Reader {
    characters: Vec<char>,
    at: usize,
    steps: Vec<Step>,
    groups: Vec<Group>,
}

/// A group of alternatives that has not ended.
struct Group {
    /// Where the machine chooses.
    split: usize,
    /// Where the alternatives begin.
    starts: Vec<usize>,
    /// Where each of them but the last ends.
    ends: Vec<usize>,
}

impl Reader {
    fn read(&mut self) -> Result<(), &'static str> {
        let mut fresh_segment = true;
        while let Some(character) = self.next() {
            let fresh = std::mem::replace(&mut fresh_segment, false);
            match character {
                '*' => fresh_segment = self.read_star(fresh),
                '?' => self.steps.push(Step::Any),
                '[' => self.read_class()?,
                '\\' => {
                    let literal = self.next().ok_or("nothing follows its `\\`")?;
                    self.steps.push(Step::Literal(literal));
                    fresh_segment = literal == '/';
                }
                '{' => {
                    self.groups.push(Group {
                        split: self.steps.len(),
                        starts: vec![self.steps.len() + 1],
                        ends: Vec::new(),
                    });
                    self.steps.push(Step::Split(Vec::new()));
                    fresh_segment = fresh;
                }
                ',' if !self.groups.is_empty() => self.end_alternative(),
                '}' => self.end_group()?,
                literal => {
                    self.steps.push(Step::Literal(literal));
                    fresh_segment = literal == '/';
                }
            }
        }
        if self.groups.is_empty() {
            Ok(())
        } else {
            Err("a group does not end with `}`")
        }
    }

    fn next(&mut self) -> Option<char> {
        let character = self.characters.get(self.at).copied();
        self.at += usize::from(character.is_some());
        character
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    /// Whether a new segment begins behind it.
    fn read_star(&mut self, fresh: bool) -> bool {
        if self.peek() == Some('*') {
            self.at += 1;
            match self.peek() {
                None if fresh => {
                    self.steps.push(Step::Rest);
                    return false;
                }
                Some('/') if fresh => {
                    self.at += 1;
                    self.steps.push(Step::Segments);
                    return true;
                }
                _ => {}
            }
        }
        self.steps.push(Step::Star);
        false
    }

    fn read_class(&mut self) -> Result<(), &'static str> {
        let no_end = "a class does not end with `]`";
        let negated = matches!(self.peek(), Some('!' | '^'));
        self.at += usize::from(negated);
        if self.peek() == Some(']') {
            return Err("a class is empty");
        }
        let mut ranges: Vec<(char, char)> = Vec::new();
        let mut may_begin_range = false;
        loop {
            let character = match self.next().ok_or(no_end)? {
                ']' => break,
                '\\' => self.next().ok_or(no_end)?,
                '-' if may_begin_range && self.peek().is_some_and(|next| next != ']') => {
                    let high = match self.next().ok_or(no_end)? {
                        '\\' => self.next().ok_or(no_end)?,
                        high => high,
                    };
                    if let Some((_, last)) = ranges.last_mut() {
                        *last = high;
                    }
                    may_begin_range = false;
                    continue;
                }
                character => character,
            };
            ranges.push((character, character));
            may_begin_range = true;
        }
        self.steps.push(Step::Class { negated, ranges });
        Ok(())
    }

    fn end_alternative(&mut self) {
        let place = self.steps.len();
        if let Some(group) = self.groups.last_mut() {
            group.ends.push(place);
            group.starts.push(place + 1);
            self.steps.push(Step::Jump(0));
        }
    }

    fn end_group(&mut self) -> Result<(), &'static str> {
        let group = self.groups.pop().ok_or("a `}` ends no group")?;
        let after = self.steps.len();
        for end in group.ends {
            if let Some(step) = self.steps.get_mut(end) {
                *step = Step::Jump(after);
            }
        }
        if let Some(step) = self.steps.get_mut(group.split) {
            *step = Step::Split(group.starts);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::PathPattern;

    #[test]
    fn patterns_match_as_they_do_in_trivy() {
        for (pattern, path, matches) in [
            ("a.txt", "a.txt", true),
            ("a.txt", "b/a.txt", false),
            ("*.txt", "a.txt", true),
            ("*.txt", "b/a.txt", false),
            ("**/*.txt", "a.txt", true),
            ("**/*.txt", "b/c/a.txt", true),
            ("b/**", "b/c/a.txt", true),
            ("b/**", "b", true),
            ("b/**/", "b", true),
            ("b/**", "bc", false),
            ("/blog/**", "/blog/wp-includes/version.php", true),
            ("**", "", true),
            ("**", "a/b", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "ab", false),
            ("a/**b", "a/xb", true),
            ("a/**b", "a/x/b", false),
            ("a**", "a/b", false),
            ("?", "é", true),
            ("?", "/", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("[a\\]]", "]", true),
            ("[a-]", "-", true),
            ("{a,b/*}.c", "a.c", true),
            ("{a,b/*}.c", "b/x.c", true),
            ("{a,b/*}.c", "x.c", false),
            ("x{,y}", "x", true),
            ("x{a,{b,c}d}", "xcd", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("*/*/*.php", "a/b/c.php", true),
            ("**/.e*", "a/.env", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**/", "", true),
            ("**/", "a", false),
            ("**/", "a/", true),
            ("a/**/", "a/b", false),
        ] {
            let parsed = PathPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(path), matches, "{pattern} {path}");
        }
        for pattern in ["[", "[]", "[a", "{a", "a}", "\\", "[a\\", "[^]", "{a,{b}"] {
            assert!(PathPattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    /// Such a pattern takes exponential time with a matcher that goes back.
    #[test]
    fn no_pattern_takes_long() {
        let pattern = PathPattern::parse(&format!("{}c", "{a*,*a}".repeat(100))).unwrap();
        assert!(!pattern.matches(&format!("{}b", "a".repeat(300))));
        let pattern = PathPattern::parse(&"**/".repeat(500)).unwrap();
        assert!(!pattern.matches(&"a/".repeat(500).replace("a/", "aa")));
    }
}

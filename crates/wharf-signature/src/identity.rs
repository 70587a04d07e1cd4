//! Who a certificate is of, and which of them a rule means.

use std::fmt;

use regex_automata::meta::Regex;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};

/// Whom the authority of a certificate asked who they are, and what it was told.
///
/// Two are equal where all of it is. Who signs is told apart by issuer and subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The OpenID provider that was asked: `https://token.actions.githubusercontent.com`.
    pub issuer: String,
    /// Whom it named: an e-mail address, or the URI of a workflow.
    pub subject: String,
    /// The repository that a workflow ran for, where the certificate names one: `https://github.com/acme/plugins`.
    pub repository: Option<String>,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (by {})", self.subject, self.issuer)
    }
}

/// The provider that says for which repository of GitHub a workflow runs.
pub const GITHUB_ACTIONS_ISSUER: &str = "https://token.actions.githubusercontent.com";

/// Which identities are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityPattern {
    /// Those of a provider whose subject is as wanted.
    Subject {
        /// The provider, exactly.
        issuer: String,
        /// What the subject has to be.
        subject: SubjectPattern,
    },
    /// Workflows of GitHub Actions that run for a repository. Which it is the certificate says, and where it does not, the
    /// subject.
    Github {
        /// The owner: `acme`. Upper and lower case are the same, as for GitHub.
        owner: String,
        /// The repository; none for all of the owner's.
        repository: Option<String>,
    },
}

/// What a subject has to be.
#[derive(Debug, Clone)]
pub enum SubjectPattern {
    /// Exactly this.
    Exact(String),
    /// Something that begins with this. It should end with what ends a name, such as `/`.
    Prefix(String),
    /// Something of which the whole matches.
    Regex(SubjectRegex),
}

/// A regular expression that has to match the whole of a subject.
#[derive(Clone)]
pub struct SubjectRegex {
    text: String,
    regex: Regex,
}

/// The most bytes of an expression, and of what it becomes.
const MOST_EXPRESSION: usize = 4096;
const MOST_COMPILED: usize = 1 << 20;

impl SubjectRegex {
    /// Compiles an expression, which the whole of a subject will have to match.
    ///
    /// # Errors
    /// It is no regular expression, or one that would need more than a megabyte.
    pub fn new(text: &str) -> Result<Self, SubjectRegexError> {
        let wrong = |reason: String| SubjectRegexError {
            reason: reason.chars().take(300).collect(),
        };
        if text.len() > MOST_EXPRESSION {
            return Err(wrong(format!(
                "it has {} bytes, and the most is {MOST_EXPRESSION}",
                text.len()
            )));
        }
        // Subjects are ASCII, and an expression over bytes needs no tables of Unicode.
        let expression = ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(text)
            .map_err(|error| wrong(error.to_string()))?;
        let whole = Hir::concat(vec![Hir::look(Look::Start), expression, Hir::look(Look::End)]);
        let config = Regex::config()
            .nfa_size_limit(Some(MOST_COMPILED))
            .hybrid_cache_capacity(MOST_COMPILED);
        let regex = Regex::builder()
            .configure(config)
            .build_from_hir(&whole)
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            text: text.to_owned(),
            regex,
        })
    }
}

/// A text that is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no regular expression that can be used: {reason}")]
pub struct SubjectRegexError {
    /// What is wrong with it.
    pub reason: String,
}

impl IdentityPattern {
    /// Whether this is one of those that are meant.
    pub fn matches(&self, identity: &Identity) -> bool {
        match self {
            Self::Subject { issuer, subject } => {
                *issuer == identity.issuer && subject.matches(&identity.subject)
            }
            Self::Github { owner, repository } => {
                identity.issuer == GITHUB_ACTIONS_ISSUER
                    && github_repository(identity).is_some_and(|(its_owner, its_name)| {
                        its_owner.eq_ignore_ascii_case(owner)
                            && repository
                                .as_ref()
                                .is_none_or(|wanted| its_name.eq_ignore_ascii_case(wanted))
                    })
            }
        }
    }
}

/// The owner and the name of the repository that a workflow ran for.
fn github_repository(identity: &Identity) -> Option<(&str, &str)> {
    let url = identity.repository.as_deref().unwrap_or(&identity.subject);
    let mut parts = url.strip_prefix("https://github.com/")?.splitn(3, '/');
    let (owner, name) = (parts.next()?, parts.next()?);
    (!owner.is_empty() && !name.is_empty()).then_some((owner, name))
}

impl SubjectPattern {
    /// Whether a subject is as wanted.
    pub fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Exact(wanted) => wanted == subject,
            Self::Prefix(prefix) => subject.starts_with(prefix.as_str()),
            Self::Regex(wanted) => wanted.regex.is_match(subject),
        }
    }
}

impl PartialEq for SubjectPattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(left), Self::Exact(right)) | (Self::Prefix(left), Self::Prefix(right)) => {
                left == right
            }
            (Self::Regex(left), Self::Regex(right)) => left == right,
            _ => false,
        }
    }
}

impl Eq for SubjectPattern {}

impl PartialEq for SubjectRegex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for SubjectRegex {}

impl fmt::Debug for SubjectRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectRegex({:?})", self.text)
    }
}

impl fmt::Display for IdentityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject { issuer, subject } => match subject {
                SubjectPattern::Exact(subject) => write!(f, "{subject} (by {issuer})"),
                SubjectPattern::Prefix(prefix) => write!(f, "{prefix}… (by {issuer})"),
                SubjectPattern::Regex(regex) => write!(f, "/{}/ (by {issuer})", regex.text),
            },
            Self::Github { owner, repository } => match repository {
                Some(repository) => write!(f, "workflows of github.com/{owner}/{repository}"),
                None => write!(f, "workflows of github.com/{owner}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workflow(subject: &str, repository: Option<&str>) -> Identity {
        Identity {
            issuer: GITHUB_ACTIONS_ISSUER.to_owned(),
            subject: subject.to_owned(),
            repository: repository.map(str::to_owned),
        }
    }

    fn subject(pattern: SubjectPattern) -> IdentityPattern {
        IdentityPattern::Subject {
            issuer: GITHUB_ACTIONS_ISSUER.to_owned(),
            subject: pattern,
        }
    }

    #[test]
    fn subjects_are_matched_as_a_whole() {
        let identity = workflow(
            "https://github.com/acme/plugins/.github/workflows/a.yml@refs/tags/v1",
            None,
        );
        let regex = |text: &str| subject(SubjectPattern::Regex(SubjectRegex::new(text).unwrap()));
        for (pattern, expected) in [
            (subject(SubjectPattern::Exact(identity.subject.clone())), true),
            (
                subject(SubjectPattern::Exact(
                    "https://github.com/acme/plugins".to_owned(),
                )),
                false,
            ),
            (
                subject(SubjectPattern::Prefix("https://github.com/acme/".to_owned())),
                true,
            ),
            (
                subject(SubjectPattern::Prefix("https://github.com/acme-evil/".to_owned())),
                false,
            ),
            (regex(r"https://github\.com/acme/.*@refs/tags/.*"), true),
            (regex(r"https://github\.com/acme/"), false),
            (regex(r"x|https://github\.com/acme/.*"), true),
            (regex(r"acme"), false),
            (regex(r"(?x) https://github\.com/acme/.* # a comment"), true),
        ] {
            assert_eq!(pattern.matches(&identity), expected, "{pattern}");
        }
        let other = Identity {
            issuer: "https://issuer.example".to_owned(),
            ..identity.clone()
        };
        assert!(!subject(SubjectPattern::Exact(identity.subject)).matches(&other));
    }

    #[test]
    fn a_line_break_is_no_way_around_an_expression() {
        let regex = SubjectRegex::new("https://github.com/acme/[a-z]+").unwrap();
        let pattern = subject(SubjectPattern::Regex(regex));
        assert!(pattern.matches(&workflow("https://github.com/acme/a", None)));
        assert!(!pattern.matches(&workflow("https://github.com/acme/a\n", None)));
        assert!(!pattern.matches(&workflow("evil\nhttps://github.com/acme/a", None)));
    }

    #[test]
    fn the_repository_that_a_workflow_ran_for_counts() {
        let acme = |repository: Option<&str>| IdentityPattern::Github {
            owner: "acme".to_owned(),
            repository: repository.map(str::to_owned),
        };
        let own = "https://github.com/acme/plugins/.github/workflows/a.yml@refs/heads/main";
        let url = |repository: &'static str| Some(repository);
        for (identity, owner_matches, repository_matches) in [
            (workflow(own, None), true, true),
            (workflow(own, url("https://github.com/acme/plugins")), true, true),
            (workflow(own, url("https://github.com/Acme/Plugins")), true, true),
            (workflow(own, url("https://github.com/acme/other")), true, false),
            // A workflow of theirs that somebody else called.
            (
                workflow(own, url("https://github.com/evil/plugins")),
                false,
                false,
            ),
            (
                workflow(
                    "https://github.com/evil/x",
                    url("https://github.com/acme/plugins"),
                ),
                true,
                true,
            ),
            (workflow("https://github.com/acme", None), false, false),
            (
                workflow("https://github.com.evil/acme/plugins", None),
                false,
                false,
            ),
        ] {
            assert_eq!(acme(None).matches(&identity), owner_matches, "{identity:?}");
            assert_eq!(
                acme(Some("plugins")).matches(&identity),
                repository_matches,
                "{identity:?}"
            );
        }
        let elsewhere = Identity {
            issuer: "https://issuer.example".to_owned(),
            ..workflow(own, None)
        };
        assert!(!acme(None).matches(&elsewhere));
    }

    #[test]
    fn bad_expressions_are_told() {
        for text in ["(", "a)|(b", r"\p{Nothing}", "a{1000}{1000}{1000}"] {
            assert!(SubjectRegex::new(text).is_err(), "{text}");
        }
        assert!(SubjectRegex::new(&"a".repeat(5000)).is_err());
    }
}

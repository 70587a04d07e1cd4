//! Colours.

use std::borrow::Cow;

/// How a text looks on a terminal that has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Dim,
    Heading,
    Blue,
    Cyan,
    Yellow,
    Red,
    BrightRed,
}

impl Style {
    pub(super) fn of_severity(severity: &str) -> Self {
        match severity {
            "CRITICAL" => Self::Red,
            "HIGH" => Self::BrightRed,
            "MEDIUM" => Self::Yellow,
            "LOW" => Self::Blue,
            "UNKNOWN" => Self::Cyan,
            _ => Self::Plain,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Heading => "1;4",
            Self::Blue => "34",
            Self::Cyan => "36",
            Self::Yellow => "33",
            Self::Red => "31",
            Self::BrightRed => "91",
        }
    }
}

/// `text`, in this style where there are colours.
pub(super) fn paint(color: bool, style: Style, text: &str) -> Cow<'_, str> {
    if !color || style == Style::Plain || text.is_empty() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("\u{1b}[{}m{text}\u{1b}[0m", style.code()))
}

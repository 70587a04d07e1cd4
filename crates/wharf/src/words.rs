//! Words for people, on stderr, and data for programs, on stdout. Nothing else in Wharf prints.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};

/// Whether colours help whoever reads stderr.
pub(crate) fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// The same for whoever reads stdout.
pub(crate) fn colours_on_stdout() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Says something.
pub(crate) fn say(text: impl Display) {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Says what went wrong, the reasons behind it, and what to do.
pub(crate) fn complain(error: &dyn std::error::Error, hint: Option<&str>) {
    explain(error, &[], hint);
}

/// Says what went wrong, the reasons behind it, what else is known, and what to do.
pub(crate) fn explain(error: &dyn std::error::Error, notes: &[String], hint: Option<&str>) {
    let (bold, red, off) = if colours() {
        ("\u{1b}[1m", "\u{1b}[31m", "\u{1b}[0m")
    } else {
        ("", "", "")
    };
    say(format_args!("{bold}{red}error{off}{bold}: {error}{off}"));
    let mut cause = error.source();
    while let Some(reason) = cause {
        // A reason with several lines stays one block.
        say(format_args!(
            "  caused by: {}",
            reason.to_string().replace('\n', "\n  ")
        ));
        cause = reason.source();
    }
    notes.iter().for_each(|note| say(format_args!("  {note}")));
    if let Some(hint) = hint {
        say(format_args!("\n{bold}hint{off}: {hint}"));
    }
}

/// Prints bytes as they are, with nothing behind them. A reader that has had enough is no error.
///
/// # Errors
/// Where stdout does not take it.
pub(crate) fn print_bytes(data: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(data).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Prints data. A reader that has had enough and closed its pipe is no error.
///
/// # Errors
/// Where stdout does not take it, such as a disk that is full.
pub(crate) fn print(data: impl Display) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{data}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

//! The results for people.

use std::fmt::Write;

use super::case::{Broken, Failure, Place, Verdict};
use super::difference::{Difference, Side};
use super::suite::Done;
use super::{Results, Unusable};
use crate::commands::single::shown;
use crate::words::colours_on_stdout;

/// Colours, where they help.
#[derive(Clone, Copy)]
struct Paint {
    bold: &'static str,
    red: &'static str,
    green: &'static str,
    off: &'static str,
}

impl Paint {
    const NONE: Self = Self {
        bold: "",
        red: "",
        green: "",
        off: "",
    };

    fn for_stdout() -> Self {
        if !colours_on_stdout() {
            return Self::NONE;
        }
        Self {
            bold: "\u{1b}[1m",
            red: "\u{1b}[31m",
            green: "\u{1b}[32m",
            off: "\u{1b}[0m",
        }
    }
}

/// A case in one line.
pub(super) fn line_of(place: &Place) -> String {
    format!("{}: {}", location(place, place.line), shown(&place.name))
}

fn location(place: &Place, line: usize) -> String {
    format!("{}:{line}", shown(&place.file.to_string_lossy()))
}

/// How a case ended, in one line, as soon as it has.
pub(super) fn verdict(done: &Done) -> String {
    verdict_in(done, Paint::for_stdout())
}

fn verdict_in(done: &Done, paint: Paint) -> String {
    let Paint { red, green, off, .. } = paint;
    let (colour, word) = match &done.outcome.verdict {
        Verdict::Passed => (green, "ok   "),
        Verdict::Failed(_) => (red, "FAIL "),
        Verdict::Broken(_) => (red, "ERROR"),
    };
    let file = shown(&done.place.file.to_string_lossy());
    format!("{colour}{word}{off} {file}: {}", shown(&done.place.name))
}

/// All that is wrong, what was written, and the count.
pub(super) fn summary(results: &Results) -> String {
    summary_in(results, Paint::for_stdout())
}

fn summary_in(results: &Results, paint: Paint) -> String {
    let mut out = String::new();
    let mut told: Vec<&Broken> = Vec::new();
    for done in &results.done {
        match &done.outcome.verdict {
            Verdict::Passed => {}
            Verdict::Failed(failures) => {
                write_blank(&mut out);
                write_heading(&mut out, done, paint);
                failures
                    .iter()
                    .for_each(|failure| write_failure(&mut out, &done.place, failure, paint));
            }
            Verdict::Broken(broken) if told.contains(&broken) => {}
            Verdict::Broken(broken) => {
                told.push(broken);
                write_broken(&mut out, broken, &results.done, paint);
            }
        }
    }
    for path in results
        .done
        .iter()
        .filter_map(|done| done.outcome.updated.as_ref())
    {
        let _ = writeln!(out, "wrote {}", shown(&path.to_string_lossy()));
    }
    if !out.is_empty() || !results.done.is_empty() {
        out.push('\n');
    }
    out.push_str(&count(results, paint));
    // A line before what follows the verdicts.
    let blank = if results.done.is_empty() || out.starts_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{blank}{out}")
}

/// What keeps several cases from being run, such as a filter that is not built, is told once, below all of them.
fn write_broken(out: &mut String, broken: &Broken, done: &[Done], paint: Paint) {
    write_blank(out);
    for done in done {
        if matches!(&done.outcome.verdict, Verdict::Broken(other) if other == broken) {
            write_heading(out, done, paint);
        }
    }
    let Broken { message, hint, .. } = broken;
    let _ = writeln!(out, "  {}\n  hint: {hint}", message.replace('\n', "\n  "));
}

fn write_blank(out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
}

fn write_heading(out: &mut String, done: &Done, paint: Paint) {
    let Paint { bold, off, .. } = paint;
    let _ = writeln!(out, "{bold}{}{off}", line_of(&done.place));
}

fn write_failure(out: &mut String, place: &Place, failure: &Failure, paint: Paint) {
    let _ = writeln!(out, "  {}", failure.part);
    for difference in &failure.differences {
        write_difference(out, place, difference, paint);
    }
    for line in failure.notes.lines() {
        let _ = writeln!(out, "  {line}");
    }
}

fn write_difference(out: &mut String, place: &Place, difference: &Difference, paint: Paint) {
    let Paint { red, green, off, .. } = paint;
    let _ = writeln!(
        out,
        "    {}: {}",
        location(place, difference.line),
        difference.message
    );
    if !difference.lines.is_empty() {
        let _ = writeln!(out, "      {red}--- expected{off}\n      {green}+++ came{off}");
    }
    for line in &difference.lines {
        let (colour, off) = match line.side {
            Side::Expected => (red, off),
            Side::Came => (green, off),
            Side::Both | Side::Place => ("", ""),
        };
        let _ = writeln!(out, "      {colour}{}{}{off}", line.side.mark(), line.text);
    }
}

/// `12 passed, 1 failed in 0.42s`
fn count(results: &Results, paint: Paint) -> String {
    let (mut passed, mut failed, mut broken) = (0, 0, 0);
    for done in &results.done {
        match done.outcome.verdict {
            Verdict::Passed => passed += 1,
            Verdict::Failed(_) => failed += 1,
            Verdict::Broken(_) => broken += 1,
        }
    }
    let mut text = format!("{passed} passed, {failed} failed");
    if broken > 0 {
        let _ = write!(text, ", {broken} could not be run");
    }
    let files = results
        .unusable
        .iter()
        .filter(|problem| matches!(problem, Unusable::File(..)))
        .count();
    let places = results.unusable.len() - files;
    for (count, one, several) in [
        (files, "1 file is wrong", "files are wrong"),
        (places, "1 folder cannot be read", "folders cannot be read"),
    ] {
        match count {
            0 => {}
            1 => _ = write!(text, "; {one}"),
            count => _ = write!(text, "; {count} {several}"),
        }
    }
    let is_well = failed + broken == 0 && results.unusable.is_empty();
    let colour = if is_well { paint.green } else { paint.red };
    format!(
        "{}{colour}{text}{} in {:.2}s",
        paint.bold, paint.off, results.seconds
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::super::case::Outcome;
    use super::*;
    use crate::exit::Code;

    fn done(name: &str, verdict: Verdict) -> Done {
        Done {
            place: Place {
                file: "tests/a.test.yaml".into(),
                line: 3,
                name: name.to_owned(),
            },
            outcome: Outcome {
                verdict,
                report: String::new(),
                updated: None,
            },
            took: Duration::ZERO,
        }
    }

    fn failed() -> Verdict {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        Verdict::Failed(vec![Failure {
            part: "request 1: GET /".to_owned(),
            differences: vec![
                Difference::new(7, "`client.status` is expected to be 200, and is 503"),
                Difference::of_lists(8, "log", &lines("a b"), &lines("a c")).unwrap(),
            ],
            notes: "  log\n    info     a\n".to_owned(),
        }])
    }

    fn broken() -> Verdict {
        Verdict::Broken(Broken {
            message: "a.wasm cannot be loaded".to_owned(),
            hint: "build it".to_owned(),
            code: Code::Plugin,
        })
    }

    fn results(done: Vec<Done>) -> Results {
        Results {
            done,
            unusable: Vec::new(),
            seconds: 0.1234,
        }
    }

    #[test]
    fn what_is_wrong_stands_between_the_verdicts_and_the_count() {
        let results = results(vec![
            done("good", Verdict::Passed),
            done("bad \u{1b}[31m", failed()),
            done("missing", broken()),
            done("missing too", broken()),
        ]);
        let mut text: String = results
            .done
            .iter()
            .map(|done| verdict_in(done, Paint::NONE) + "\n")
            .collect();
        text += &summary_in(&results, Paint::NONE);
        expect![[r#"
            ok    tests/a.test.yaml: good
            FAIL  tests/a.test.yaml: bad \u{1b}[31m
            ERROR tests/a.test.yaml: missing
            ERROR tests/a.test.yaml: missing too

            tests/a.test.yaml:3: bad \u{1b}[31m
              request 1: GET /
                tests/a.test.yaml:7: `client.status` is expected to be 200, and is 503
                tests/a.test.yaml:8: `log` is not as expected
                  --- expected
                  +++ came
                   a
                  -b
                  +c
                log
                  info     a

            tests/a.test.yaml:3: missing
            tests/a.test.yaml:3: missing too
              a.wasm cannot be loaded
              hint: build it

            1 passed, 1 failed, 2 could not be run in 0.12s"#]]
        .assert_eq(&text);
    }

    #[test]
    fn where_all_is_well_there_is_only_the_count() {
        let results = results(vec![done("good", Verdict::Passed)]);
        expect![[r#"

            1 passed, 0 failed in 0.12s"#]]
        .assert_eq(&summary_in(&results, Paint::NONE));
    }

    #[test]
    fn colours_are_put_around_words_and_ended() {
        let paint = Paint {
            bold: "<b>",
            red: "<r>",
            green: "<g>",
            off: "</>",
        };
        let results = results(vec![done("bad", failed())]);
        expect![[r#"

            <b>tests/a.test.yaml:3: bad</>
              request 1: GET /
                tests/a.test.yaml:7: `client.status` is expected to be 200, and is 503
                tests/a.test.yaml:8: `log` is not as expected
                  <r>--- expected</>
                  <g>+++ came</>
                   a
                  <r>-b</>
                  <g>+c</>
                log
                  info     a

            <b><r>0 passed, 1 failed</> in 0.12s"#]]
        .assert_eq(&summary_in(&results, paint));
    }
}

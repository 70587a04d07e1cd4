//! The results for CI systems, in the XML that JUnit's own tools began and their readers agree on: `testsuites`, a
//! `testsuite` for each file, a `testcase` for each case.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::case::{Broken, Failure, Verdict};
use super::suite::Done;
use super::xml::Xml;
use super::{Results, Unusable, file};
use crate::commands::single::shown;

/// The file cannot be written.
#[derive(Debug)]
pub(super) struct CannotWrite {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for CannotWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.to_string_lossy();
        write!(f, "the report {} cannot be written", shown(&path))
    }
}

impl std::error::Error for CannotWrite {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Writes the results to a file.
pub(super) fn write(path: &Path, results: &Results) -> Result<(), CannotWrite> {
    file::write(path, document(results).as_bytes()).map_err(|error| CannotWrite {
        path: path.to_owned(),
        error,
    })
}

/// What one file gave.
#[derive(Default)]
struct Suite<'a> {
    done: Vec<&'a Done>,
    unusable: Vec<String>,
}

impl Suite<'_> {
    fn count(&self, of: impl Fn(&Verdict) -> bool) -> usize {
        self.done.iter().filter(|done| of(&done.outcome.verdict)).count()
    }

    fn tests(&self) -> usize {
        self.done.len() + self.unusable.len()
    }

    fn failures(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Failed(_)))
    }

    fn errors(&self) -> usize {
        self.unusable.len() + self.count(|verdict| matches!(verdict, Verdict::Broken(_)))
    }
}

fn document(results: &Results) -> String {
    let mut suites: BTreeMap<String, Suite<'_>> = BTreeMap::new();
    for done in &results.done {
        let file = done.place.file.to_string_lossy().into_owned();
        suites.entry(file).or_default().done.push(done);
    }
    for problem in &results.unusable {
        let (path, text) = match problem {
            Unusable::File(file, errors) => (&file.path, errors.render(false)),
            Unusable::Place(error) => (&error.path, error.message()),
        };
        let suite = suites.entry(path.to_string_lossy().into_owned()).or_default();
        suite.unusable.push(text);
    }
    let sum = |of: fn(&Suite<'_>) -> usize| suites.values().map(of).sum::<usize>().to_string();
    let mut xml = Xml::new();
    xml.open(
        "testsuites",
        &[
            ("name", "wharf test"),
            ("tests", &sum(|suite| suite.tests())),
            ("failures", &sum(|suite| suite.failures())),
            ("errors", &sum(|suite| suite.errors())),
            ("skipped", "0"),
            ("time", &format!("{:.3}", results.seconds)),
        ],
    );
    for (file, suite) in &suites {
        write_suite(&mut xml, file, suite);
    }
    xml.finish()
}

fn write_suite(xml: &mut Xml, file: &str, suite: &Suite<'_>) {
    let time: Duration = suite.done.iter().map(|done| done.took).sum();
    xml.open(
        "testsuite",
        &[
            ("name", file),
            ("tests", &suite.tests().to_string()),
            ("failures", &suite.failures().to_string()),
            ("errors", &suite.errors().to_string()),
            ("skipped", "0"),
            ("time", &seconds(time)),
        ],
    );
    for text in &suite.unusable {
        let attributes = [
            ("name", "the file can be read"),
            ("classname", file),
            ("file", file),
            ("time", "0"),
        ];
        xml.open("testcase", &attributes);
        let first = text.lines().next().unwrap_or_default();
        xml.text("error", &[("message", first), ("type", "file")], text);
        xml.close();
    }
    for done in &suite.done {
        write_case(xml, file, done);
    }
    xml.close();
}

fn write_case(xml: &mut Xml, file: &str, done: &Done) {
    let attributes = [
        ("name", done.place.name.as_str()),
        ("classname", file),
        ("file", file),
        ("line", &done.place.line.to_string()),
        ("time", &seconds(done.took)),
    ];
    xml.open("testcase", &attributes);
    match &done.outcome.verdict {
        Verdict::Passed => {}
        Verdict::Failed(failures) => {
            let first = failures.first().and_then(|failure| failure.differences.first());
            let message = first.map_or("", |difference| difference.message.as_str());
            xml.text(
                "failure",
                &[("message", message), ("type", "difference")],
                &tell(file, failures),
            );
        }
        Verdict::Broken(Broken { message, hint, .. }) => {
            let text = format!("{message}\nhint: {hint}\n");
            let first = message.lines().next().unwrap_or_default();
            xml.text("error", &[("message", first), ("type", "broken")], &text);
        }
    }
    if !done.outcome.report.is_empty() {
        xml.text("system-out", &[], &done.outcome.report);
    }
    xml.close();
}

/// All failures of a case as text.
fn tell(file: &str, failures: &[Failure]) -> String {
    let mut out = String::new();
    for failure in failures {
        out.push_str(&failure.part);
        out.push('\n');
        for difference in &failure.differences {
            out.push_str(&format!("  {file}:{}: {}\n", difference.line, difference.message));
            difference.write_lines(&mut out, 4);
        }
        out.push_str(&failure.notes);
    }
    out
}

fn seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::case::{Outcome, Place};
    use super::super::difference::Difference;
    use super::*;
    use crate::exit::Code;

    fn done(file: &str, name: &str, verdict: Verdict, report: &str) -> Done {
        Done {
            place: Place {
                file: file.into(),
                line: 3,
                name: name.to_owned(),
            },
            outcome: Outcome {
                verdict,
                report: report.to_owned(),
                updated: None,
            },
            took: Duration::from_millis(1500),
        }
    }

    fn results() -> Results {
        let differences = vec![Difference::of_bytes(9, "client.body", b"<a>\n", b"]]>\x1b\n").unwrap()];
        let failures = vec![Failure {
            part: "request 1: GET /?a&b".to_owned(),
            differences,
            notes: "  log\n    info     <&>\n".to_owned(),
        }];
        let broken = Broken {
            message: "no \"plugin\"".to_owned(),
            hint: "build it".to_owned(),
            code: Code::Plugin,
        };
        Results {
            done: vec![
                done("b.test.yaml", "is \"good\"", Verdict::Passed, "start\n"),
                done("b.test.yaml", "is <bad>\u{0}", Verdict::Failed(failures), ""),
                done("a&b/case.yaml", "is missing", Verdict::Broken(broken), ""),
            ],
            unusable: Vec::new(),
            seconds: 4.5,
        }
    }

    #[test]
    fn the_usual_elements_are_there() {
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="wharf test" tests="3" failures="1" errors="1" skipped="0" time="4.500">
              <testsuite name="a&amp;b/case.yaml" tests="1" failures="0" errors="1" skipped="0" time="1.500">
                <testcase name="is missing" classname="a&amp;b/case.yaml" file="a&amp;b/case.yaml" line="3" time="1.500">
                  <error message="no &quot;plugin&quot;" type="broken">no &quot;plugin&quot;
            hint: build it
            </error>
                </testcase>
              </testsuite>
              <testsuite name="b.test.yaml" tests="2" failures="1" errors="0" skipped="0" time="3.000">
                <testcase name="is &quot;good&quot;" classname="b.test.yaml" file="b.test.yaml" line="3" time="1.500">
                  <system-out>start
            </system-out>
                </testcase>
                <testcase name="is &lt;bad&gt;�" classname="b.test.yaml" file="b.test.yaml" line="3" time="1.500">
                  <failure message="`client.body` is not as expected" type="difference">request 1: GET /?a&amp;b
              b.test.yaml:9: `client.body` is not as expected
                --- expected
                +++ came
                -&lt;a&gt;
                +]]&gt;\u{1b}
              log
                info     &lt;&amp;&gt;
            </failure>
                </testcase>
              </testsuite>
            </testsuites>
        "#]].assert_eq(&document(&results()));
    }

    #[test]
    fn a_reader_finds_what_it_looks_for() {
        let text = document(&results());
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        let counts = ["tests", "failures", "errors"].map(|name| root.attribute(name).unwrap());
        assert_eq!(counts, ["3", "1", "1"]);
        let case = document
            .descendants()
            .find(|node| node.attribute("name") == Some("is <bad>\u{fffd}"))
            .unwrap();
        let failure = case.children().find(|node| node.has_tag_name("failure")).unwrap();
        assert!(failure.text().unwrap().contains("+]]>\\u{1b}"), "{text}");
    }
}

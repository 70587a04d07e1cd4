use std::collections::BTreeMap;
use std::io::Write;

use expect_test::{expect, expect_file};

use super::{Bounded, Template, TemplateError, TemplateOptions};
use crate::format::hostile;
use crate::{Report, ScanWarning, Timestamp, WarningKind};

fn findings() -> Report {
    Report::from_json(include_bytes!("../../../tests/data/formats/findings.json")).unwrap()
}

fn rendered(name: &str, text: &str) -> Result<String, TemplateError> {
    Template::parse(name, text)?.render(&findings(), &[], &TemplateOptions::default())
}

fn check(text: &str, expected: &str) {
    match rendered("t.txt", text) {
        Ok(written) => assert_eq!(written, expected, "{text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

fn for_aws() -> TemplateOptions {
    TemplateOptions {
        environment: [("AWS_REGION", "eu-1"), ("AWS_ACCOUNT_ID", "123456789012")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        now: None,
    }
}

#[test]
fn templates_come_with_wharf() {
    let render = |name| {
        Template::built_in(name)
            .unwrap()
            .render(&findings(), &[], &TemplateOptions::default())
            .unwrap()
    };
    expect_file!["../../../tests/data/formats/findings.gitlab.json"].assert_eq(&render("@gitlab"));
    expect_file!["../../../tests/data/formats/findings.gitlab-codequality.json"]
        .assert_eq(&render("gitlab-codequality"));
    expect_file!["../../../tests/data/formats/findings.html"].assert_eq(&render("@html"));
    assert_eq!(render("@junit"), crate::format::junit(&findings(), &[]));
    expect_file!["../../../tests/data/formats/findings.asff.json"].assert_eq(
        &Template::built_in("@asff")
            .unwrap()
            .render(&findings(), &[], &for_aws())
            .unwrap(),
    );
    expect!["template @asff, line 3: invalid operation: the environment variable AWS_ACCOUNT_ID is not given to templates; they reach only those that whoever runs them allows"].assert_eq(
        &Template::built_in("@asff")
            .unwrap()
            .render(&findings(), &[], &TemplateOptions::default())
            .unwrap_err()
            .to_string(),
    );
    for name in Template::built_in_names() {
        Template::built_in(name).unwrap();
    }
    expect![
        "no template @nothing comes with Wharf; these do: @junit, @gitlab, @gitlab-codequality, @html, @asff"
    ]
    .assert_eq(&Template::built_in("@nothing").unwrap_err().to_string());
}

#[test]
fn what_they_write_is_well_formed_whatever_the_report_says() {
    for (report, warnings) in [
        (hostile::report(), hostile::warnings()),
        (Report::default(), Vec::new()),
    ] {
        let render = |name| {
            Template::built_in(name)
                .unwrap()
                .render(&report, &warnings, &for_aws())
                .unwrap()
        };
        let vulnerabilities: usize = report
            .results
            .iter()
            .map(|result| result.vulnerabilities.len())
            .sum();
        let others: usize = report
            .results
            .iter()
            .map(|result| result.misconfigurations.len() + result.secrets.len())
            .sum();

        let gitlab: serde_json::Value = serde_json::from_str(&render("@gitlab")).unwrap();
        assert_eq!(
            gitlab["vulnerabilities"].as_array().unwrap().len(),
            vulnerabilities
        );
        assert_eq!(
            gitlab["scan"]["messages"].as_array().unwrap().len(),
            warnings.len()
        );
        let quality: serde_json::Value = serde_json::from_str(&render("@gitlab-codequality")).unwrap();
        assert_eq!(quality.as_array().unwrap().len(), vulnerabilities + others);

        let asff: serde_json::Value = serde_json::from_str(&render("@asff")).unwrap();
        let asff = asff["Findings"].as_array().unwrap();
        assert_eq!(asff.len(), vulnerabilities + others);
        for finding in asff {
            let length = |key: &str| finding[key].as_str().unwrap().chars().count();
            assert!(length("Title") <= 256 && length("Description") <= 1024);
        }

        let html = render("@html");
        assert!(!html.contains("<script") && !html.contains("javascript:"));
        assert!(!html.contains('\u{1b}') && !html.contains('\0'));
        // What is not closed in HTML is left out, and the rest is XML.
        let xml = html
            .replace("<!DOCTYPE html>", "")
            .replace("<meta charset=\"utf-8\">", "")
            .replace("<br>", "");
        let document = roxmltree::Document::parse(&xml).unwrap();
        let rows = document
            .descendants()
            .filter(|node| node.has_tag_name("tr"))
            .count();
        assert!(rows >= vulnerabilities + others);
        assert!(!document.descendants().any(|node| node.has_tag_name("script")));
        roxmltree::Document::parse(&render("@junit")).unwrap();
    }
}

#[test]
fn a_template_sees_the_report_under_trivys_keys() {
    check(
        "{{ report.ArtifactName }} {{ report.Metadata.OS.Family }}",
        "registry.example/team/app:1.2 alpine",
    );
    check(
        "{% for result in results %}{% for v in result.Vulnerabilities %}{{ v.VulnerabilityID[-2:] }},{% endfor %}{% endfor %}",
        "02,01,03,04,05,06,11,01,12,-1,",
    );
    check("{{ results[0].Vulnerabilities[1].CVSS.nvd.V3Score }}", "9.8");
    check("{{ results[0].Vulnerabilities[1].CVSS.nvd.V2Score }}", "5");
    check("{{ results | length == report.Results | length }}", "True");
    check("[{{ results[0].Vulnerabilities[0].Layer.Digest.nothing }}]", "[]");
    check(
        "{% for v in results[3].Vulnerabilities %}x{% else %}none{% endfor %}",
        "none",
    );
    check(
        "{{ results[0] | list | join(' ') }}",
        "Target Class Type Packages Vulnerabilities ExperimentalModifiedFindings",
    );
    let warning = ScanWarning::new(WarningKind::Limit, "too deep");
    let told = Template::parse(
        "t",
        "{% for w in warnings %}{{ w.Kind }}: {{ w.Message }}{% endfor %}",
    )
    .unwrap()
    .render(&Report::default(), &[warning], &TemplateOptions::default());
    assert_eq!(told.unwrap(), "limit: too deep");
}

#[test]
fn the_functions_of_such_templates_are_there() {
    for (text, expected) in [
        (
            "{{ '<a b=\"c\">\n' | escapeXML }}",
            "&lt;a b=&#34;c&#34;&gt;&#xA;",
        ),
        ("{{ escapeString('<\n') }}", "&lt;\n"),
        ("{{ 'Ab' | toLower }}{{ 'Ab' | toUpper }}", "abAB"),
        ("{{ endWithPeriod('a') }}{{ 'b.' | endWithPeriod }}", "a.b."),
        ("{{ ' a b\n' | nospace }}", "ab"),
        (
            "{{ 'abcdef' | abbrev(5) }} {{ abbrev(6, 'abcdef') }} {{ 'abcdef' | abbrev(3) }}",
            "ab... abcdef abcdef",
        ),
        ("{{ 'abcdef' | trunc(2) }} {{ trunc(-2, 'abcdef') }}", "ab ef"),
        (
            "{{ 'HIGH' | toSarifErrorLevel }} {{ toSarifErrorLevel('odd') }}",
            "error none",
        ),
        ("{{ 'os-pkgs' | toSarifRuleName }}", "OsPackageVulnerability"),
        (
            "{{ toPathUri('alpine:3.10 (alpine 3.10.2)', 'os-pkgs') }} {{ 'a b' | toPathUri }}",
            "library/alpine a b",
        ),
        ("{{ sourceID('nvd') }}", "nvd"),
        (
            "{{ 'abc' | sha1sum }}",
            "a9993e364706816aba3e25717850c26c9cd0d89d",
        ),
        (
            "{{ 'abc' | sha256sum }}",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            "{{ 'https://a' | regexMatch('^https?://') }} {{ regexMatch('^x', 'y') }}",
            "True False",
        ),
        (
            "{{ 'a12b34' | regexFind('[0-9]+') }}[{{ 'a' | regexFind('b') }}]",
            "12[]",
        ),
        (
            "{{ 'a.git' | trimSuffix('.git') }} {{ 'vx' | trimPrefix('v') }}",
            "a x",
        ),
        (
            "{{ list('a', 'b') | join('+') }} {{ dict(a=1).a }} {{ '%s-%d' | format('x', 3) }}",
            "a+b 1 x-3",
        ),
        (
            "{{ 'a b' | replace(' ', '_') }} {{ 'a,b' | split(',') | last }}",
            "a_b b",
        ),
        (
            "{{ now() }} {{ getCurrentTime()[:10] }}",
            "2026-11-29T10:00:00.5Z 2026-11-29",
        ),
        (
            "{{ nothing | toLower }}{{ none | escapeXML }}{{ none }}{{ nothing | sha1sum | length }}",
            "40",
        ),
        (
            "{{ {'a': '<', 'b': [1, none]} | tojson }}",
            "{\"a\": \"\\u003c\", \"b\": [1, null]}",
        ),
    ] {
        check(text, expected);
    }
    check("{{ appVersion() }}", env!("CARGO_PKG_VERSION"));
}

#[test]
fn time_and_environment_are_what_the_caller_gives() {
    let options = TemplateOptions {
        environment: BTreeMap::from([("AWS_REGION".to_owned(), "eu-1".to_owned())]),
        now: Some(Timestamp::parse("2020-01-02T03:04:05Z").unwrap()),
    };
    let render = |text: &str, options: &TemplateOptions| {
        Template::parse("t", text)
            .unwrap()
            .render(&Report::default(), &[], options)
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        render("{{ now() }} {{ env('AWS_REGION') }}", &options).unwrap(),
        "2020-01-02T03:04:05Z eu-1"
    );
    assert_eq!(
        render("{{ now() }}", &TemplateOptions::default()).unwrap(),
        "1970-01-01T00:00:00Z"
    );
    expect![
        "template t, line 2: invalid operation: the environment variable HOME is not given to templates; they reach only those that \
         whoever runs them allows"
    ]
    .assert_eq(&render("\n{{ getEnv('HOME') }}", &options).unwrap_err());
}

#[test]
fn values_are_escaped_by_the_name() {
    let text = "{{ '<&\u{1}' }}{{ '<' | safe }}{{ '<' | escapeXML }}{{ '\"' | e }}";
    for name in ["a.html", "a.htm.j2", "a.xml.tpl", "a.xml.jinja", "a.html.jinja2"] {
        assert_eq!(
            rendered(name, text).unwrap(),
            "&lt;&amp;\u{fffd}<&lt;&#34;",
            "{name}"
        );
    }
    for name in ["a.txt", "a", "html", "a.json.j2"] {
        let expected = if name == "html" {
            "&lt;&amp;\u{fffd}<&lt;&#34;"
        } else {
            "<&\u{1}<&lt;&#34;"
        };
        assert_eq!(rendered(name, text).unwrap(), expected, "{name}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let deep = format!("{{{{ {}", "(".repeat(100_000));
    for (text, error) in [
        (
            "a\n{% for x in results %}\n",
            "line 2: syntax error: unexpected end of input, expected end of block",
        ),
        (
            "\n\n{{ 1 | nothing }}",
            "line 3: unknown filter: filter nothing is unknown",
        ),
        (
            "\n{{ nothing() }}",
            "line 2: unknown function: nothing is unknown",
        ),
        (
            "{{ 'a' | regexMatch('(') }}",
            "line 1: invalid operation: the pattern cannot be used: unclosed group",
        ),
        (
            "{{ 'a' | regexMatch('((a{1000}){1000}){1000}') }}",
            "line 1: invalid operation: the pattern cannot be used: it is too large",
        ),
        (
            "{{ 'a' | trunc('x') }}",
            "line 1: invalid operation: cannot convert string to i64",
        ),
        (
            "{% include 'other' %}",
            "line 1: syntax error: unknown statement include",
        ),
        ("{{ debug() }}", "line 1: unknown function: debug is unknown"),
        (
            &deep,
            "line 1: syntax error: template exceeds maximum recursion limits",
        ),
    ] {
        let told = rendered("t.txt", text).unwrap_err().to_string();
        assert_eq!(told, format!("template t.txt, {error}"));
    }
}

#[test]
fn a_template_of_go_is_recognised() {
    let error = rendered("t", "# top\n{{- range . }}\n{{ .Target }}\n{{- end }}").unwrap_err();
    expect![[r#"template t, line 2: `{{ range . }}` is of Go's template language, as Trivy takes it. Templates of Wharf are written in Jinja, with `{% for result in results %}` in place of `{{ range . }}`: docs/reports.md shows how one becomes the other. The templates that come with Trivy come with Wharf as well: @junit, @gitlab, @gitlab-codequality, @html, @asff"#]]
    .assert_eq(&error.to_string());
    for text in [
        "{{ .Target }}",
        "{{- /* comment */ -}}{{ .x }}",
        "{{ $x := 1 }}",
        "{{ if eq .A \"b\" -}} x {{ end }}",
        "{{ define \"a\" }}{{ end }}",
        "{{ with .A }}{{ end }}",
    ] {
        assert!(
            matches!(rendered("t", text), Err(TemplateError::Go { line: 1, .. })),
            "{text}"
        );
    }
    // Wrong, but not Go's.
    assert!(matches!(
        rendered("t", "{{ report. }}"),
        Err(TemplateError::Syntax { line: Some(1), .. })
    ));
    assert!(matches!(
        rendered("t", "a\n{{ range .Results }}x{{ end }}"),
        Err(TemplateError::Go { line: 2, .. })
    ));
    // Names that are words of Go.
    check("{% set end = 1 %}{{ end }}{{ range(2) | list | length }}", "12");
}

#[test]
fn no_template_runs_for_ever_or_takes_all_memory() {
    for text in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{% set x = namespace(v='aaaaaaaaaaaaaaaa') %}{% for a in range(100) %}{% set x.v = x.v ~ x.v %}{% endfor %}",
        "{% for a in range(100000) %}{% for b in range(100000) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{{ (report | tojson) | regexMatch('x' ~ a) }}{% endfor %}",
        "{% set all = report | string %}{% for a in range(100000) %}{{ all | sha256sum }}{% endfor %}",
        "{% set long = 'a' * 1000000 %}{% for a in range(100000) %}{{ long | trunc(1) }}{% endfor %}",
    ] {
        let error = rendered("t", text).unwrap_err();
        assert!(
            matches!(error, TemplateError::TooMuchWork { .. }),
            "{text}: {error}"
        );
    }
    let error = rendered("t", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}").unwrap_err();
    assert!(
        matches!(error, TemplateError::Render { line: Some(1), .. }),
        "{error}"
    );
    let error = rendered("t", &"a".repeat((1 << 20) + 1)).unwrap_err();
    expect!["template t: it has 1048577 bytes, and at most 1048576 are read"].assert_eq(&error.to_string());
}

#[test]
fn output_is_bounded() {
    let mut written = Bounded::to(4);
    assert_eq!((&mut written).write(b"abc").unwrap(), 3);
    assert!((&mut written).write(b"de").is_err());
    assert!(written.is_full);
    assert_eq!((&mut written).write(b"d").unwrap(), 1);
    assert_eq!(written.bytes, b"abcd");
}

#[test]
fn a_large_report_has_work_in_proportion() {
    let mut report = findings();
    let many = report.results[0].vulnerabilities.clone();
    for _ in 0..500 {
        report.results[0].vulnerabilities.extend(many.iter().cloned());
    }
    for name in ["@gitlab", "@gitlab-codequality", "@html"] {
        let written = Template::built_in(name)
            .unwrap()
            .render(&report, &[], &TemplateOptions::default());
        assert!(written.unwrap().len() > 500_000, "{name}");
    }
}

/// The first block of this language in the page about reports, or the one behind it.
fn documented(language: &str) -> &'static str {
    let page = include_str!("../../../../../docs/reports.md");
    let (_, block) = page.split_once(&format!("\n```{language}\n")).unwrap();
    block.split_once("\n```").unwrap().0
}

#[test]
fn the_template_in_the_documentation_gives_what_it_says() {
    let mut report = findings();
    report.results.retain(|result| result.kind == "npm");
    let written = Template::parse("t", documented("jinja"))
        .unwrap()
        .render(&report, &[], &TemplateOptions::default())
        .unwrap();
    assert_eq!(written, documented("text"));
}

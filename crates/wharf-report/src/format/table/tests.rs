use expect_test::{expect, expect_file};
use unicode_width::UnicodeWidthStr;

use super::{FindingKind, TableOptions, table};
use crate::format::hostile;
use crate::{Report, ScanWarning, WarningKind};

fn report(text: &str) -> Report {
    Report::from_json(text.as_bytes()).unwrap()
}

#[test]
fn every_kind_of_finding_is_shown() {
    let report = report(include_str!("../../../tests/data/formats/findings.json"));
    let options = TableOptions {
        show_suppressed: true,
        ..TableOptions::default()
    };
    expect_file!["../../../tests/data/formats/findings.table.txt"].assert_eq(&table(&report, &[], &options));
}

/// `trivy convert` of the same findings, without its carriage returns.
#[test]
fn a_table_differs_from_that_of_trivy_in_what_trivy_passes_over_only() {
    let report = report(include_str!("../../../tests/data/formats/findings.json"));
    let options = TableOptions {
        show_suppressed: true,
        ..TableOptions::default()
    };
    let ours = table(&report, &[], &options);
    let mut theirs = include_str!("../../../tests/data/formats/trivy/findings.table.txt").to_owned();
    for (of_trivy, of_wharf) in [
        // The row of the custom resources, which has no target and no count.
        (
            "│                                               │            │        -        │         -         │    -    │    -     │\n\
             ├───────────────────────────────────────────────┼────────────┼─────────────────┼───────────────────┼─────────┼──────────┤\n",
            "",
        ),
        // A module's own class.
        (
            "│ made-up                                       │    mine    │        -        │",
            "│ made-up                                       │    mine    │        1        │",
        ),
        ("\tmake", "    make"),
    ] {
        assert!(theirs.contains(of_trivy), "{of_trivy}");
        theirs = theirs.replace(of_trivy, of_wharf);
    }
    let more = ours.strip_prefix(theirs.as_str()).unwrap();
    assert!(more.starts_with("\nCustom resources\n") && more.contains("\nmade-up (mine)\n"));
}

#[test]
fn long_texts_are_wrapped() {
    let report = report(include_str!("../../../tests/data/formats/long.json"));
    let options = TableOptions {
        show_suppressed: true,
        ..TableOptions::default()
    };
    expect_file!["../../../tests/data/formats/long.table.txt"].assert_eq(&table(&report, &[], &options));
}

#[test]
fn a_report_of_nothing_says_so() {
    let report = report(r#"{"SchemaVersion":2,"ArtifactName":"tree"}"#);
    expect![[r"

        Report Summary

        ┌────────┬──────┬─────────────────┬───────────────────┬─────────┬──────────┐
        │ Target │ Type │ Vulnerabilities │ Misconfigurations │ Secrets │ Licenses │
        ├────────┼──────┼─────────────────┼───────────────────┼─────────┼──────────┤
        │   -    │  -   │        -        │         -         │    -    │    -     │
        └────────┴──────┴─────────────────┴───────────────────┴─────────┴──────────┘
        Legend:
        - '-': Not scanned
        - '0': Clean (no security findings detected)

    "]]
    .assert_eq(&table(&report, &[], &TableOptions::default()));
}

#[test]
fn warnings_stand_at_the_end() {
    let report = report(r#"{"SchemaVersion":2}"#);
    let fault = ScanWarning {
        module: Some("wordpress".to_owned()),
        path: Some("blog/version.php".to_owned()),
        ..ScanWarning::new(WarningKind::ModuleFault, "it ran past its deadline of 1s")
    };
    let told = table(&report, &[fault], &TableOptions::default());
    let (_, end) = told.split_once("detected)\n\n").unwrap();
    expect![[r"

        Warnings (Total: 1)
        ===================
        The scan could not do all of its work. There may be more to find.
        - module wordpress, blog/version.php: it ran past its deadline of 1s
    "]]
    .assert_eq(end);

    let many = vec![ScanWarning::new(WarningKind::Unreadable, "no"); 1_002];
    let told = table(&report, &many, &TableOptions::default());
    assert_eq!(told.lines().filter(|line| *line == "- no").count(), 1_000);
    assert!(told.ends_with("\n- no\n- and 2 more\n"));
}

#[test]
fn what_is_suppressed_is_counted_or_shown() {
    let report = report(include_str!("../../../tests/data/formats/findings.json"));
    let told = table(&report, &[], &TableOptions::default());
    assert!(told.ends_with("\n2 findings are suppressed.\n"));
    assert!(!told.contains("EXAMPLE-2026-0009"));
}

#[test]
fn what_was_not_scanned_is_not_said_to_be_clean() {
    let report = report(
        r#"{"Results":[{"Target":"a","Class":"lang-pkgs","Type":"npm"},
            {"Target":"b","Class":"lang-pkgs","Type":"npm","Vulnerabilities":[{"VulnerabilityID":"A"}]},
            {"Target":"c","Class":"lang-pkgs","Type":"jar","Packages":[{"FilePath":"x/y.jar"}]}]}"#,
    );
    let options = TableOptions {
        scanned: Some(vec![FindingKind::Secret]),
        ..TableOptions::default()
    };
    let told = table(&report, &[], &options);
    let row = |start: &str| told.lines().find(|line| line.starts_with(start)).unwrap();
    let counts = |row: &str| {
        row.split('│')
            .skip(3)
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(counts(row("│ a ")), "- - - - ");
    assert_eq!(counts(row("│ b ")), "1 - - - ");
    assert_eq!(counts(row("│ x/y.jar ")), "- - - - ");
}

#[test]
fn severities_that_nobody_knows_are_told() {
    let report = report(
        r#"{"Results":[{"Target":"t","Class":"lang-pkgs","Type":"npm","Vulnerabilities":[
            {"VulnerabilityID":"A","Severity":"DIRE"},{"VulnerabilityID":"B"},{"VulnerabilityID":"C","Severity":"LOW"}]}]}"#,
    );
    let options = TableOptions {
        severities: Some(vec!["LOW".to_owned(), "HIGH".to_owned()]),
        ..TableOptions::default()
    };
    let told = table(&report, &[], &options);
    assert!(
        told.contains("\nTotal: 3 (LOW: 1, HIGH: 0, none: 1, DIRE: 1)\n"),
        "{told}"
    );
}

#[test]
fn a_table_fits_into_the_terminal() {
    let report = report(include_str!("../../../tests/data/formats/findings.json"));
    for width in [60, 80, 100, 120] {
        let options = TableOptions {
            width: Some(width),
            show_suppressed: true,
            ..TableOptions::default()
        };
        let told = table(&report, &[], &options);
        assert_grids_are_whole(&told);
        // The summary has six columns, each with 8 at least and three more around it.
        let widest = grid_lines(&told).map(UnicodeWidthStr::width).max().unwrap();
        assert!(widest <= width.max(6 * 11 + 1), "{widest} for {width}");
        assert!(told.contains(&format!("\n{}\n", "═".repeat(width))));
    }
}

#[test]
fn a_narrow_terminal_has_a_list_in_place_of_a_grid() {
    let report = report(include_str!("../../../tests/data/formats/findings.json"));
    let options = TableOptions {
        width: Some(80),
        ..TableOptions::default()
    };
    let told = table(&report, &[], &options);
    let (_, list) = told
        .split_once("Total: 2 (UNKNOWN: 0, LOW: 0, MEDIUM: 0, HIGH: 1, CRITICAL: 1)\n")
        .unwrap();
    let (list, _) = list.split_once("\nNode.js").unwrap();
    expect![[r#"

        - Library: left-pad
          Vulnerability: EXAMPLE-2026-0011
          Severity: HIGH
          Status: fixed
          Installed Version: 1.3.0
          Fixed Version: 1.3.1, 2.0.0
          Title: Text of <script> & "quotes" is shown
          https://advisories.example/EXAMPLE-2026-0011
        - Library: openssl-js
          Vulnerability: EXAMPLE-2026-0001
          Severity: CRITICAL
          Status: unknown
          Installed Version: 0.1
          Title: Again
    "#]]
    .assert_eq(list);
}

#[test]
fn no_text_breaks_the_table_or_reaches_the_terminal_raw() {
    let report = hostile::report();
    for width in [None, Some(60), Some(140)] {
        let mut options = TableOptions {
            width,
            show_suppressed: true,
            ..TableOptions::default()
        };
        let told = table(&report, &hostile::warnings(), &options);
        assert_is_plain(&told);
        assert_grids_are_whole(&told);
        assert!(
            told.contains("\\x1b[31m") && told.contains("\\u202e"),
            "it is shown"
        );

        options.color = true;
        let coloured = table(&report, &hostile::warnings(), &options);
        assert_ne!(coloured, told);
        let mut plain = coloured;
        for code in ["0", "1", "2", "1;4", "31", "33", "34", "36", "91"] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_is_plain(&plain);
        assert_grids_are_whole(&plain);
    }
}

#[test]
fn a_text_without_end_is_cut() {
    let mut report = report(include_str!("../../../tests/data/formats/findings.json"));
    let endless = "x".repeat(1 << 20);
    for result in &mut report.results {
        result.target.clone_from(&endless);
        for found in &mut result.vulnerabilities {
            found.package_name.clone_from(&endless);
            found.details.title = "\u{301}".repeat(1 << 18);
        }
        for found in &mut result.secrets {
            for line in found.code.lines.iter_mut().flatten() {
                line.content.clone_from(&endless);
            }
        }
    }
    let told = table(&report, &[], &TableOptions::default());
    let longest = told.lines().map(UnicodeWidthStr::width).max().unwrap();
    assert!(longest < 4_100, "{longest}");
}

fn assert_is_plain(told: &str) {
    let raw = told.chars().find(|character| {
        character.is_control() && *character != '\n' || "\u{202e}\u{200b}\u{feff}".contains(*character)
    });
    assert_eq!(raw, None);
}

fn grid_lines(told: &str) -> impl Iterator<Item = &str> {
    told.lines().filter(|line| line.starts_with(['┌', '├', '│', '└']))
}

/// The lines of a grid, from its first corner to its last, are all as wide as the first.
fn assert_grids_are_whole(told: &str) {
    let mut width = None;
    let mut grids = 0;
    for line in told.lines() {
        if line.starts_with('┌') {
            width = Some(line.width());
            grids += 1;
        }
        let Some(wanted) = width else {
            continue;
        };
        assert!(line.starts_with(['┌', '├', '│', '└']), "{line:?}");
        assert!(line.ends_with(['┐', '┤', '│', '┘']), "{line:?}");
        assert_eq!(line.width(), wanted, "{line:?}");
        if line.starts_with('└') {
            width = None;
        }
    }
    assert!(grids > 0 && width.is_none());
}

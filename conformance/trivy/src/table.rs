//! Reports as tables.

/// The tables of findings, without the summary before them: its columns are the scanners that there are.
pub(crate) fn findings(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let summary = lines.iter().position(|line| line.starts_with("- '0': "));
    let findings = summary.map_or(0, |line| line + 1);
    let findings = lines.get(findings..).unwrap_or_default();
    findings.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_left_out() {
        let text = "\nReport Summary\n\n│ x │\nLegend:\n- '-': Not scanned\n- '0': Clean\n\n\na (npm)  \n=======\r\n│ y │\n\n";
        assert_eq!(findings(text), "a (npm)\n=======\n│ y │");
    }
}

//! Reports as tables. Their looks are each scanner's own; what must agree is which findings stand in them.

/// The rows of findings: of each box of lines its cells, where an empty one means what stands above.
pub(crate) fn findings(text: &str) -> String {
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.contains('│')) {
        let cells: Vec<&str> = line.split('│').map(str::trim).collect();
        rows.push(cells.join(" | "));
    }
    rows.join("\n")
}

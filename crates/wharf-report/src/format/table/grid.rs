//! A grid of cells with lines around them, in which equal cells of a column that stand below each other are one.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style::{Style, paint};
use crate::visible::visible;

/// A cell: lines, each in a style.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    lines: Vec<(String, Style)>,
}

/// The most characters of a cell's line; what is longer ends in an ellipsis.
const MOST_CHARACTERS: usize = 2_000;

/// Longer words are broken before the columns of others are made narrower than their words.
const LONGEST_WORD: usize = 30;

/// The narrowest that a column is made to fit a terminal.
const NARROWEST: usize = 8;

impl Cell {
    pub(super) fn new(text: &str) -> Self {
        Self::styled(text, Style::Plain)
    }

    pub(super) fn styled(text: &str, style: Style) -> Self {
        Self::default().with_line(text, style)
    }

    pub(super) fn with_line(mut self, text: &str, style: Style) -> Self {
        self.lines.push((shortened(text, MOST_CHARACTERS), style));
        self
    }

    fn is_blank(&self) -> bool {
        self.lines.iter().all(|(line, _)| line.is_empty())
    }

    fn has_text_of(&self, other: &Self) -> bool {
        self.lines.len() == other.lines.len()
            && self
                .lines
                .iter()
                .zip(&other.lines)
                .all(|((line, _), (other, _))| line == other)
    }

    /// The width of the widest line.
    fn width(&self) -> usize {
        let widths = self.lines.iter().map(|(line, _)| line.width());
        widths.max().unwrap_or_default()
    }

    /// The width of the widest word.
    fn width_of_word(&self) -> usize {
        let words = self.lines.iter().flat_map(|(line, _)| line.split(' '));
        words.map(UnicodeWidthStr::width).max().unwrap_or_default()
    }

    fn wrap(&mut self, most: usize) {
        let lines = std::mem::take(&mut self.lines);
        self.lines = lines
            .into_iter()
            .flat_map(|(line, style)| wrapped(&line, most).into_iter().map(move |part| (part, style)))
            .collect();
    }
}

/// What can be seen of `text`, which ends in an ellipsis where it has more characters than `most`.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", visible(&text[..end])),
        None => visible(text).into_owned(),
    }
}

/// The grid.
#[derive(Debug, Default)]
pub(super) struct Grid {
    header: Vec<Cell>,
    /// Whether a column's cells are centred; its header always is.
    centred: Vec<bool>,
    rows: Vec<Vec<Cell>>,
    widest: usize,
    merges: bool,
}

impl Grid {
    /// A grid whose equal cells are one, with columns of at most 60.
    pub(super) fn merging(header: &[&'static str]) -> Self {
        Self {
            header: header
                .iter()
                .map(|text| Cell::styled(text, Style::Bold))
                .collect(),
            centred: vec![false; header.len()],
            rows: Vec::new(),
            widest: 60,
            merges: true,
        }
    }

    /// A grid that shows each cell, with columns of at most 80, all but the first centred.
    pub(super) fn plain(header: &[&'static str]) -> Self {
        Self {
            centred: (0..header.len()).map(|column| column > 0).collect(),
            widest: 80,
            merges: false,
            ..Self::merging(header)
        }
    }

    pub(super) fn centre_all(&mut self) {
        self.centred.fill(true);
    }

    /// Adds a row, which has a cell for each column.
    pub(super) fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.header.len(), "a row has a cell for each column");
        self.rows.push(row);
    }

    /// Writes the grid so that it is at most as wide as `width`. Where that would break words, a grid of long texts is written as
    /// a list.
    pub(super) fn write(mut self, out: &mut String, width: Option<usize>, color: bool) {
        if self.rows.is_empty() {
            return;
        }
        let Some(most) = self.columns(width) else {
            self.write_list(out, color);
            return;
        };
        for row in std::iter::once(&mut self.header).chain(&mut self.rows) {
            row.iter_mut()
                .zip(&most)
                .for_each(|(cell, most)| cell.wrap(*most));
        }
        let widths = self.greatest(Cell::width);
        let painter = Painter {
            widths: &widths,
            color,
        };
        let closed = vec![false; widths.len()];
        painter.rule(out, ['┌', '┬', '┐'], &closed);
        painter.row(out, &self.header, &vec![true; widths.len()], &closed);
        let mut above: Option<&Vec<Cell>> = None;
        for row in &self.rows {
            let merged: Vec<bool> = row
                .iter()
                .enumerate()
                .map(|(column, cell)| {
                    let upper = above.and_then(|above| above.get(column));
                    self.merges && !cell.is_blank() && upper.is_some_and(|upper| upper.has_text_of(cell))
                })
                .collect();
            painter.rule(out, ['├', '┼', '┤'], &merged);
            painter.row(out, row, &self.centred, &merged);
            above = Some(row);
        }
        painter.rule(out, ['└', '┴', '┘'], &closed);
    }

    /// What is the greatest in each column.
    fn greatest(&self, of: impl Fn(&Cell) -> usize) -> Vec<usize> {
        let mut greatest: Vec<usize> = self.header.iter().map(&of).collect();
        for row in &self.rows {
            for (greatest, cell) in greatest.iter_mut().zip(row) {
                *greatest = of(cell).max(*greatest);
            }
        }
        greatest
    }

    /// The widths that the columns may have, or `None` where they would break words of long texts.
    fn columns(&self, width: Option<usize>) -> Option<Vec<usize>> {
        let mut most = self.greatest(Cell::width);
        most.iter_mut().for_each(|most| *most = self.widest.min(*most));
        let Some(width) = width else {
            return Some(most);
        };
        // Each column has a line and a space before it and a space behind it.
        let rest = width.saturating_sub(most.len() * 3 + 1);
        let words = self.greatest(Cell::width_of_word);
        narrow(
            &mut most,
            rest,
            words.into_iter().map(|word| word.min(LONGEST_WORD)),
        );
        if self.merges {
            return (most.iter().sum::<usize>() <= rest).then_some(most);
        }
        narrow(&mut most, rest, std::iter::repeat(NARROWEST));
        Some(most)
    }

    /// A paragraph for each row, with a line for each cell that is not blank.
    fn write_list(&self, out: &mut String, color: bool) {
        for row in &self.rows {
            let mut start = "- ";
            for (name, cell) in self.header.iter().zip(row) {
                if cell.is_blank() {
                    continue;
                }
                out.push_str(start);
                for (text, style) in &name.lines {
                    out.push_str(&paint(color, *style, text));
                    out.push_str(": ");
                }
                for (at, (text, style)) in cell.lines.iter().enumerate() {
                    out.push_str(if at > 0 { "  " } else { "" });
                    out.push_str(&paint(color, *style, text));
                    out.push('\n');
                }
                start = "  ";
            }
        }
    }
}

/// Makes the widest columns narrower, each not below its least, until all together have at most `rest`.
fn narrow(widths: &mut [usize], rest: usize, least: impl Iterator<Item = usize>) {
    let least: Vec<usize> = least.take(widths.len()).collect();
    while widths.iter().sum::<usize>() > rest {
        let can = widths
            .iter_mut()
            .zip(&least)
            .filter(|(width, least)| **width > **least);
        match can.map(|(width, _)| width).max() {
            Some(widest) => *widest -= 1,
            None => break,
        }
    }
}

/// `text` in lines of at most `width`, broken between words; a word that is longer is broken with a hyphen.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        if word.width() <= width {
            line.push_str(word);
            continue;
        }
        let mut used = line.width();
        for character in word.chars() {
            let wide = character.width().unwrap_or_default();
            // The hyphen needs a place.
            if used + wide + 1 > width && used > 0 && wide > 0 {
                line.push('-');
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(character);
            used += wide;
        }
    }
    lines.push(line);
    lines
}

struct Painter<'a> {
    widths: &'a [usize],
    color: bool,
}

impl Painter<'_> {
    /// A line between rows, which is open where the cells above and below it are one.
    fn rule(&self, out: &mut String, [left, cross, right]: [char; 3], merged: &[bool]) {
        let mut line = String::new();
        let mut open_before = true;
        for (column, (width, open)) in self.widths.iter().zip(merged).enumerate() {
            line.push(match (column, open_before, *open) {
                (0, _, false) => left,
                (0, _, true) | (_, true, true) => '│',
                (_, false, false) => cross,
                (_, false, true) => '┤',
                (_, true, false) => '├',
            });
            let with = if *open { ' ' } else { '─' };
            line.extend(std::iter::repeat_n(with, width + 2));
            open_before = *open;
        }
        line.push(if open_before { '│' } else { right });
        out.push_str(&paint(self.color, Style::Dim, &line));
        out.push('\n');
    }

    fn row(&self, out: &mut String, row: &[Cell], centred: &[bool], merged: &[bool]) {
        let height = row.iter().map(|cell| cell.lines.len()).max().unwrap_or_default();
        let border = paint(self.color, Style::Dim, "│");
        for at in 0..height {
            out.push_str(&border);
            for (((cell, width), centred), merged) in row.iter().zip(self.widths).zip(centred).zip(merged) {
                let (text, style) = match cell.lines.get(at) {
                    Some((text, style)) if !merged => (text.as_str(), *style),
                    _ => ("", Style::Plain),
                };
                let rest = width.saturating_sub(text.width());
                let before = if *centred { rest / 2 } else { 0 };
                out.extend(std::iter::repeat_n(' ', before + 1));
                out.push_str(&paint(self.color, style, text));
                out.extend(std::iter::repeat_n(' ', rest - before + 1));
                out.push_str(&border);
            }
            out.push('\n');
        }
    }
}

//! A tree drawn with lines, its columns below each other however deep a line stands.

use unicode_width::UnicodeWidthStr;

use super::Theme;

/// A tree in the making: lines in the order in which they appear.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    rows: Vec<Row>,
}

/// What stands on one line.
#[derive(Debug)]
pub(crate) struct Line {
    /// The first column.
    pub(crate) name: String,
    /// The second column.
    pub(crate) what: String,
    /// The third column, aligned to the right.
    pub(crate) took: String,
    /// The rest of the line; may be coloured.
    pub(crate) note: String,
    /// Whether it is to stand back.
    pub(crate) is_quiet: bool,
}

#[derive(Debug)]
enum Row {
    Line(String, Line),
    Remark(String, String),
}

impl Tree {
    /// Adds a line. `above` says of each level down to it whether it is the last one there.
    pub(crate) fn push(&mut self, above: &[bool], line: Line) {
        self.rows.push(Row::Line(branch(above), line));
    }

    /// Adds a text that belongs to the line before, which may have lines below it.
    pub(crate) fn remark(&mut self, above: &[bool], has_below: bool, text: String) {
        let indent = trunk(above) + if has_below { "│  " } else { "   " };
        self.rows.push(Row::Remark(indent, text));
    }

    /// The text, a line a row.
    pub(crate) fn render(&self, theme: &Theme) -> String {
        let lines = || {
            self.rows.iter().filter_map(|row| match row {
                Row::Line(branch, line) => Some((branch, line)),
                Row::Remark(..) => None,
            })
        };
        let names = lines()
            .map(|(branch, line)| branch.width() + line.name.width())
            .max()
            .unwrap_or(0);
        let whats = lines().map(|(_, line)| line.what.width()).max().unwrap_or(0);
        let times = lines().map(|(_, line)| line.took.width()).max().unwrap_or(0);
        let mut text = String::new();
        for row in &self.rows {
            let row = match row {
                Row::Line(branch, line) => {
                    let name = pad(&line.name, names.saturating_sub(branch.width()));
                    let rest = format!("{}  {}", pad(&line.what, whats), pad_left(&line.took, times));
                    let name = if line.is_quiet { theme.dim(&name) } else { name };
                    format!("{}{name}  {}  {}", theme.dim(branch), theme.dim(&rest), line.note)
                }
                Row::Remark(indent, remark) => format!("{}{remark}", theme.dim(indent)),
            };
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }
}

fn branch(above: &[bool]) -> String {
    match above.split_last() {
        None => String::new(),
        Some((true, above)) => trunk(above) + "└─ ",
        Some((false, above)) => trunk(above) + "├─ ",
    }
}

fn trunk(above: &[bool]) -> String {
    above
        .iter()
        .map(|&is_last| if is_last { "   " } else { "│  " })
        .collect()
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

fn pad_left(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

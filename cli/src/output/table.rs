//! Tables without lines, as wide as the terminal at most.

use tabled::builder::Builder;
use tabled::settings::peaker::PriorityMax;
use tabled::settings::{Padding, Style, Width};

use super::Theme;

/// Rows of cells that stand below each other, two spaces apart.
#[derive(Debug, Default)]
pub(crate) struct Table {
    builder: Builder,
    wraps: bool,
}

impl Table {
    /// A table without a heading.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A table whose first row names the columns.
    pub(crate) fn with_heading<const N: usize>(theme: &Theme, names: [&str; N]) -> Self {
        let mut table = Self::new();
        table.row(names.map(|name| theme.dim(name)));
        table
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.builder.push_record(cells);
    }

    /// Lets long cells go on below themselves, where the terminal is too narrow, instead of being cut.
    pub(crate) fn wrapped(mut self) -> Self {
        self.wraps = true;
        self
    }

    /// The text, a line a row. The widest columns give way where the terminal is too narrow.
    pub(crate) fn render(self, theme: &Theme) -> String {
        let mut table = self.builder.build();
        table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
        match theme.width {
            None => {}
            Some(width) if self.wraps => {
                table.with(Width::wrap(width).keep_words(true).priority(PriorityMax::left()));
            }
            Some(width) => {
                table.with(Width::truncate(width).suffix("…").priority(PriorityMax::left()));
            }
        }
        let text = table.to_string();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_long_cells_give_way() {
        let theme = Theme::plain();
        let mut table = Table::with_heading(&theme, ["NAME", "MS", "NOTE"]);
        table.row(["a".into(), "4".into(), "x".into()]);
        table.row(["Größe".into(), "1234".into(), "y".repeat(200)]);
        let text = table.render(&theme);
        insta::assert_snapshot!(text);
        assert!(text.lines().all(|line| line.chars().count() <= 100));
    }
}

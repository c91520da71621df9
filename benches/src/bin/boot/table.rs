//! The figures as a person reads them.

use benches::{Machine, Setup};
use bytesize::ByteSize;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Padding, Style};

use crate::figures::{Section, Unit};

/// A head that says what was measured where, and a table.
pub(crate) fn render(
    setup: &Setup,
    machine: &Machine,
    (before, after): (f32, f32),
    rounds: usize,
    sections: &[Section],
) -> String {
    let mut rows = Builder::new();
    rows.push_record(["", "MIN", "MEDIAN", "MAX", "TARGET"]);
    for section in sections {
        rows.push_record([""]);
        rows.push_record([section.title.as_str()]);
        for figure in &section.figures {
            let cell = |value: f64| cell(figure.unit, value);
            rows.push_record([
                format!("  {}", figure.name),
                cell(figure.spread.min),
                cell(figure.spread.median),
                cell(figure.spread.max),
                figure.target.unwrap_or_default().to_owned(),
            ]);
        }
    }
    let mut table = rows.build();
    table
        .with(Style::empty())
        .with(Padding::new(0, 3, 0, 0))
        .with(Modify::new(Columns::new(1..4)).with(Alignment::right()));
    let table = table.to_string();
    let table: Vec<&str> = table.lines().map(str::trim_end).collect();
    let processor = match machine.processor.as_str() {
        "" => String::new(),
        name => format!(" ({name})"),
    };
    format!(
        "{}, {rounds} rounds\n{} cores{processor}, {} of memory, Linux {}\nload average {before:.1} before, {after:.1} \
         after\n\n{}",
        setup.procos.display(),
        machine.cores,
        size(machine.memory),
        machine.kernel,
        table.join("\n")
    )
}

fn cell(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Seconds => format!("{value:.3} s"),
        Unit::Ratio => format!("{value:.2} ×"),
        // Bytes are whole and far below 2^53.
        Unit::Bytes => size(value as u64),
    }
}

fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().si().to_string()
}

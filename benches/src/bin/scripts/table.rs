//! The figures as a person reads them.

use benches::Machine;
use bytesize::ByteSize;
use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Padding, Style};

/// One figure.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    p50: f64,
    p99: Option<f64>,
    unit: Unit,
    target: &'static str,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    Seconds,
    PerSecond,
    Bytes,
}

impl Figure {
    /// Times in seconds; none where there are none.
    pub(crate) fn times(name: String, mut seconds: Vec<f64>, target: &'static str) -> Option<Self> {
        seconds.sort_by(f64::total_cmp);
        let at = |part: usize| {
            seconds
                .get((seconds.len() * part / 100).min(seconds.len().saturating_sub(1)))
                .copied()
        };
        Some(Self {
            name,
            p50: at(50)?,
            p99: at(99),
            unit: Unit::Seconds,
            target,
        })
    }

    /// One time in seconds.
    pub(crate) fn time(name: String, seconds: f64, target: &'static str) -> Self {
        Self {
            name,
            p50: seconds,
            p99: None,
            unit: Unit::Seconds,
            target,
        }
    }

    /// So many in a second.
    pub(crate) fn rate(name: String, rate: f64, target: &'static str) -> Self {
        Self {
            name,
            p50: rate,
            p99: None,
            unit: Unit::PerSecond,
            target,
        }
    }

    /// A size.
    pub(crate) fn bytes(name: String, bytes: u64, target: &'static str) -> Self {
        Self {
            name,
            // Bytes are whole and far below 2^53.
            p50: bytes as f64,
            p99: None,
            unit: Unit::Bytes,
            target,
        }
    }

    /// The middle one.
    pub(crate) fn p50(&self) -> f64 {
        self.p50
    }
}

/// A head that says where it was measured, and a table.
pub(crate) fn render(machine: &Machine, (before, after): (f32, f32), figures: &[Figure]) -> String {
    let mut rows = Builder::new();
    rows.push_record(["", "P50", "P99", "TARGET"]);
    for figure in figures {
        let cell = |value: f64| match figure.unit {
            Unit::Seconds => format!("{:.1} ms", value * 1000.0),
            Unit::PerSecond => format!("{value:.0}/s"),
            Unit::Bytes => ByteSize::b(value as u64).display().si().to_string(),
        };
        rows.push_record([
            figure.name.clone(),
            cell(figure.p50),
            figure.p99.map(cell).unwrap_or_default(),
            figure.target.to_owned(),
        ]);
    }
    let mut table = rows.build();
    table
        .with(Style::empty())
        .with(Padding::new(0, 3, 0, 0))
        .with(Modify::new(Columns::new(1..3)).with(Alignment::right()));
    let table = table.to_string();
    let table: Vec<&str> = table.lines().map(str::trim_end).collect();
    format!(
        "{} cores, {} of memory, Linux {}\nload average {before:.1} before, {after:.1} after\n\n{}",
        machine.cores,
        ByteSize::b(machine.memory).display().si(),
        machine.kernel,
        table.join("\n")
    )
}

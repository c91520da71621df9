//! The figures as tables that people read, in Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use benches::{Machine, Spread};
use bytesize::ByteSize;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Style};

use crate::contender::{Client, Contender};
use crate::measure::{Figures, SLEEP, Sizes, Workload};
use crate::rounds::Measured;

/// What was measured where.
#[derive(Debug)]
pub(crate) struct Circumstances {
    pub(crate) machine: Machine,
    /// The load average before the first client.
    pub(crate) load: f32,
    pub(crate) date: String,
    /// What the parts are called, with their versions.
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) rounds: u32,
    pub(crate) warm: usize,
    pub(crate) sizes: Sizes,
}

/// All of it.
pub(crate) fn render(circumstances: &Circumstances, measured: &Measured) -> String {
    let mut text = head(circumstances);
    let sizes = &circumstances.sizes;
    for workload in [
        Workload::Noop,
        Workload::Sleep,
        Workload::Latency,
        Workload::Mix,
        Workload::Idle,
    ] {
        let rows: Vec<Row> = measured
            .iter()
            .filter(|((of, _), _)| *of == workload)
            .map(|((_, contender), rounds)| Row {
                contender: *contender,
                rounds,
            })
            .collect();
        if rows.is_empty() {
            continue;
        }
        let (title, columns, target) = match workload {
            Workload::Noop => noop(&rows, sizes),
            Workload::Sleep => sleep(sizes),
            Workload::Latency => latency(&rows, sizes),
            Workload::Mix => mix(sizes),
            Workload::Idle => idle(sizes),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n## {title}\n\n{}\n\nTo reach: {target}\n",
            table(&rows, &columns)
        );
    }
    text
}

fn head(of: &Circumstances) -> String {
    let Machine {
        cores,
        processor,
        memory,
        kernel,
    } = &of.machine;
    let versions = of
        .versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"));
    format!(
        "# Clients of external tasks, compared\n\n\
         Written by `cargo run --release -p benches --bin clients`, whose `--help` says how it measures. All in one \
         run on one engine; {}, with the clients in turn.\n\n\
         - {}\n\
         - {cores} cores ({processor}), shared by engine, client and driver; {} of memory, Linux {kernel}\n\
         - load average {:.1} at the start; engine warmed up with {} tasks\n\
         - {}\n",
        match of.rounds {
            1 => "one round".to_owned(),
            rounds => format!("medians of {rounds} rounds"),
        },
        of.date,
        ByteSize::b(*memory).display().si(),
        of.load,
        of.warm,
        Vec::from_iter(versions).join(", "),
    )
}

/// A contender's figures in all rounds.
struct Row<'a> {
    contender: Contender,
    rounds: &'a [Figures],
}

impl Row<'_> {
    fn spread(&self, figure: &str) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| round.get(figure).copied()))
    }

    fn median(&self, figure: &str) -> Option<f64> {
        self.spread(figure).map(|spread| spread.median)
    }
}

/// A column: its head, and how its cells come from a row.
type Column<'a> = (&'static str, Box<dyn Fn(&Row<'_>) -> Option<String> + 'a>);

type Section<'a> = (String, Vec<Column<'a>>, &'static str);

fn table(rows: &[Row<'_>], columns: &[Column<'_>]) -> String {
    let mut builder = Builder::new();
    let heads = columns.iter().map(|(head, _)| (*head).to_owned());
    builder.push_record(std::iter::once("client".to_owned()).chain(heads));
    for row in rows {
        let cells = columns
            .iter()
            .map(|(_, cell)| cell(row).unwrap_or_else(|| "–".to_owned()));
        builder.push_record(std::iter::once(row.contender.to_string()).chain(cells));
    }
    let mut table = builder.build();
    table
        .with(Style::markdown())
        .with(Modify::new(Columns::new(1..)).with(Alignment::right()));
    table.to_string()
}

fn noop<'a>(rows: &[Row<'_>], sizes: &Sizes) -> Section<'a> {
    let best = rows
        .iter()
        .filter(|row| row.contender.client == Client::Raw)
        .max_by(|one, other| {
            let rate = |row: &Row<'_>| row.median("tasks_per_second").unwrap_or_default();
            rate(one).total_cmp(&rate(other))
        });
    let of_best = |figure: &str| best.and_then(|best| best.median(figure));
    let (rate, engine) = (of_best("tasks_per_second"), of_best("engine_cpu_ms"));
    let columns: Vec<Column<'a>> = vec![
        plain("tasks/s", "tasks_per_second", 0),
        (
            "least to most",
            Box::new(|row| {
                let spread = row.spread("tasks_per_second")?;
                Some(format!("{:.0}–{:.0}", spread.min, spread.max))
            }),
        ),
        (
            "of the ceiling",
            Box::new(move |row| Some(percent(row.median("tasks_per_second")? / rate?))),
        ),
        plain("CPU ms a task", "client_cpu_ms", 2),
        plain("engine's CPU ms a task", "engine_cpu_ms", 2),
        (
            "of the ceiling's",
            Box::new(move |row| Some(percent(row.median("engine_cpu_ms")? / engine?))),
        ),
        size("peak", "peak_bytes"),
    ];
    let ceiling = best.map_or("the raw loop was not measured".to_owned(), |best| {
        format!("the ceiling is {}", best.contender)
    });
    (
        format!("noop: {} tasks that do nothing; {ceiling}", sizes.tasks),
        columns,
        "95 % of the ceiling and ahead of every peer; 0.3 ms of CPU a task; 105 % of the ceiling's engine CPU; peak 20 MB.",
    )
}

fn sleep<'a>(sizes: &Sizes) -> Section<'a> {
    let ideal = ideal(sizes).as_secs_f64();
    let columns: Vec<Column<'a>> = vec![
        plain("seconds", "seconds", 2),
        (
            "of the ideal throughput",
            Box::new(move |row| Some(percent(ideal / row.median("seconds")?))),
        ),
        plain("CPU ms a task", "client_cpu_ms", 2),
        plain("engine's CPU ms a task", "engine_cpu_ms", 2),
        size("peak", "peak_bytes"),
    ];
    (
        format!(
            "sleep: {} tasks of 100 ms; with {} slots they take {ideal:.1} s at best",
            sizes.sleepers, sizes.slots
        ),
        columns,
        "85 % of the ideal throughput.",
    )
}

/// As many waves of tasks as it takes, one after another without a gap.
fn ideal(sizes: &Sizes) -> Duration {
    let waves = sizes.sleepers.div_ceil(sizes.slots);
    SLEEP * u32::try_from(waves).unwrap_or(u32::MAX)
}

fn latency<'a>(rows: &[Row<'_>], sizes: &Sizes) -> Section<'a> {
    let raw = rows.iter().find(|row| row.contender.client == Client::Raw);
    let above = |head, figure: &'static str| -> Column<'a> {
        let raw = raw.and_then(|raw| raw.median(figure));
        (
            head,
            Box::new(move |row| Some(format!("{:+.1}", row.median(figure)? - raw?))),
        )
    };
    let columns = vec![
        plain("p50 ms", "p50_ms", 1),
        above("to raw", "p50_ms"),
        plain("p99 ms", "p99_ms", 1),
        above("to raw", "p99_ms"),
    ];
    (
        format!(
            "latency: from creation to completion of {} single tasks",
            sizes.singles
        ),
        columns,
        "p50 within 2 ms of the raw loop's, p99 within 10 ms.",
    )
}

fn mix<'a>(sizes: &Sizes) -> Section<'a> {
    let columns: Vec<Column<'a>> = vec![
        plain("alone p50 ms", "alone_p50_ms", 1),
        plain("p99 ms", "alone_p99_ms", 1),
        plain("beside slow ones p50 ms", "beside_p50_ms", 1),
        plain("p99 ms", "beside_p99_ms", 1),
        (
            "p99 of alone",
            Box::new(|row| {
                let ratio = row.median("beside_p99_ms")? / row.median("alone_p99_ms")?;
                Some(format!("{ratio:.2} ×"))
            }),
        ),
    ];
    (
        format!(
            "mix: {} fast tasks, 100 a second, without and with 1 of 2 s to 20 of them",
            sizes.fast
        ),
        columns,
        "fast tasks' p99 beside slow ones 1.5 times that without them.",
    )
}

fn idle<'a>(sizes: &Sizes) -> Section<'a> {
    let columns = vec![
        plain("requests a minute", "requests_per_minute", 1),
        plain("CPU s a minute", "cpu_s_per_minute", 2),
        size("resident", "resident_bytes"),
    ];
    (
        format!(
            "idle: {} topics, no task for {} s",
            sizes.topics,
            sizes.idle.as_secs()
        ),
        columns,
        "8 requests and 0.05 s of CPU a minute.",
    )
}

fn plain<'a>(head: &'static str, figure: &'static str, digits: usize) -> Column<'a> {
    (
        head,
        Box::new(move |row| Some(format!("{:.digits$}", row.median(figure)?))),
    )
}

fn size<'a>(head: &'static str, figure: &'static str) -> Column<'a> {
    // Bytes are whole and far below 2^53.
    (
        head,
        Box::new(move |row| Some(ByteSize::b(row.median(figure)? as u64).display().si().to_string())),
    )
}

fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

//! From measurements to figures.

use benches::{Spread, Usage};
use serde::Serialize;

use crate::measure::{Boots, Round};

/// The part of the figures that belongs together.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) figures: Vec<Figure>,
}

/// One line of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// What it is; a part of the one before is indented.
    pub(crate) name: String,
    pub(crate) unit: Unit,
    #[serde(flatten)]
    pub(crate) spread: Spread,
    /// What it should be.
    pub(crate) target: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    Seconds,
    Bytes,
    /// How many times the other.
    Ratio,
}

/// The figures of these rounds, in sections.
pub(crate) fn of(rounds: &[Round], instances: u32) -> Vec<Section> {
    let first: Vec<&Boots> = rounds.iter().map(|round| &round.first).collect();
    let second: Vec<&Boots> = rounds.iter().map(|round| &round.second).collect();
    vec![
        boots("First boot", &first),
        boots("Second boot", &second),
        sizes("Resident, at ready (second boot)", rounds, |round| {
            [round.second.up.procos, round.second.up.jvm]
        }),
        sizes(
            &format!("Resident, after {instances} order-checks"),
            rounds,
            |round| [round.procos_after, round.jvm_after],
        ),
    ]
}

fn boots(title: &str, boots: &[&Boots]) -> Section {
    let mut section = Section::new(title);
    let mut seconds = |name: &str, target, of: &dyn Fn(&Boots) -> f64| {
        section.add(name, Unit::Seconds, target, boots.iter().map(|one| of(one)));
    };
    seconds("ready", Some("≤ 15 s"), &|one| one.up.ready);
    seconds("  engine", None, &|one| one.up.engine);
    seconds("  own share", Some("< 0.5 s"), &|one| one.up.own_share());
    // All boots go through the same phases.
    let phases = boots.first().map_or(0, |one| one.up.own.len());
    for phase in 0..phases {
        let name = boots.first().map_or("", |one| &one.up.own[phase].0);
        seconds(&format!("    {name}"), None, &|one| {
            one.up.own.get(phase).map_or(0.0, |(_, seconds)| *seconds)
        });
    }
    seconds("own CPU time", None, &|one| one.up.procos.cpu);
    seconds("engine alone", None, &|one| one.alone);
    let ratios = boots.iter().map(|one| one.up.ready / one.alone);
    section.add("ready / alone", Unit::Ratio, None, ratios);
    section
}

fn sizes(title: &str, rounds: &[Round], of: impl Fn(&Round) -> [Usage; 2]) -> Section {
    let mut section = Section::new(title);
    for (index, (name, target)) in [("procos", Some("< 40 MB")), ("JVM", None)]
        .into_iter()
        .enumerate()
    {
        let mut bytes = |name: &str, target, size: &dyn Fn(&Usage) -> u64| {
            let sizes = rounds.iter().map(|round| size(&of(round)[index]) as f64);
            section.add(name, Unit::Bytes, target, sizes);
        };
        bytes(name, target, &|usage| usage.resident);
        bytes("  own", None, &|usage| usage.anonymous);
        bytes("  peak", None, &|usage| usage.peak);
    }
    section
}

impl Section {
    fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            figures: Vec::new(),
        }
    }

    fn add(
        &mut self,
        name: &str,
        unit: Unit,
        target: Option<&'static str>,
        values: impl Iterator<Item = f64>,
    ) {
        self.figures.extend(Spread::of(values).map(|spread| Figure {
            name: name.to_owned(),
            unit,
            spread,
            target,
        }));
    }
}

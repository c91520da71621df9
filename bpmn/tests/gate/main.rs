//! The gate against models made to get past it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::collections::BTreeSet;

#[path = "../mutations/mod.rs"]
mod mutations;

use bpmn::{Allowance, GateContext, check};
use diagnostics::{Diagnostic, LineIndex, Severity};
use mutations::{CLEAN, SPELLINGS, Surface, model, surfaces};

fn errors(found: &[Diagnostic]) -> Vec<&Diagnostic> {
    found.iter().filter(|it| it.severity == Severity::Error).collect()
}

#[test]
fn everything_that_runs_code_is_refused_in_every_spelling() {
    let mut tried = 0;
    let mut missed = Vec::new();
    let surfaces = surfaces();
    for Surface {
        code,
        element,
        hole,
        what,
    } in &surfaces
    {
        for (name, spelling) in SPELLINGS {
            let marked = model(CLEAN, hole, what, *spelling);
            let before = marked.trim_start_matches('\u{feff}').split('§').next().unwrap();
            let line = u32::try_from(before.matches('\n').count() + 1).unwrap();
            let text = marked.replace('§', "");
            let found = check(&[("a.bpmn", text.as_bytes())], &GateContext::default());
            let hit = found.iter().any(|it| {
                it.severity == Severity::Error
                    && it.code == *code
                    && it.range.is_some_and(|range| range.start.line == line)
            });
            if !hit {
                let said: Vec<_> = found.iter().map(ToString::to_string).collect();
                missed.push(format!(
                    "{code} at {hole} with {name}, line {line}: {what}\n  {said:?}"
                ));
            }
            tried += 1;
            if !["as it is", "nested subprocesses", "a second process"].contains(name) {
                continue;
            }
            // And the operator may want it all the same, where he says why.
            let allowance = |(process, element): (&str, &str)| Allowance {
                process: process.to_owned(),
                element: element.to_owned(),
                code: code.to_string(),
                why: "an old hand".to_owned(),
            };
            let context = GateContext {
                // What has no id that people know is at the scope that it lies in.
                allowances: [("main", *element), ("", element), ("main", "inner")]
                    .map(allowance)
                    .to_vec(),
                ..GateContext::default()
            };
            let found = check(&[("a.bpmn", text.as_bytes())], &context);
            let allowed = found.iter().any(|it| {
                it.code == *code
                    && it.severity == Severity::Info
                    && it.message.ends_with("(allowed by configuration: an old hand)")
            });
            let still = errors(&found).iter().any(|it| it.code == *code);
            if !allowed || still {
                missed.push(format!("{code} at {hole} with {name} is not allowed: {what}"));
            }
        }
    }
    assert!(
        missed.is_empty(),
        "{} of {tried}:\n{}",
        missed.len(),
        missed.join("\n")
    );
    println!("{tried} models tried");
    assert_eq!(tried, surfaces.len() * SPELLINGS.len());
}

/// The counterpart: the same model without the thing, in the same spellings.
#[test]
fn clean_models_pass_in_every_spelling() {
    for (name, spelling) in SPELLINGS {
        let text = model(CLEAN, "", "", *spelling);
        let found = check(&[("a.bpmn", text.as_bytes())], &GateContext::default());
        assert_eq!(found, [], "{name}");
    }
}

/// In what people see the call itself is underlined, not the attribute or the text around it.
#[test]
fn places_are_those_of_the_call() {
    let covered = |hole: &str, what: &str| {
        let text = model(CLEAN, hole, what, str::to_owned);
        let found = check(&[("a.bpmn", text.as_bytes())], &GateContext::default());
        let range = found[0].range.unwrap();
        let lines = LineIndex::new(&text);
        text[lines.offset(range.start)..lines.offset(range.end)].to_owned()
    };
    let input = |text: &str| {
        covered(
            "input",
            &format!("<camunda:inputParameter name='i'>{text}</camunda:inputParameter>"),
        )
    };
    assert_eq!(input("é\n ${a} ${x.y()}"), "x.y()");
    assert_eq!(input("&lt;<![CDATA[é ${a} ${x.y()}]]>"), "x.y()");
    assert_eq!(input("a<!-- é -->b ${x.<?no ?>y()}"), "x.<?no ?>y()");
    let attribute = |value: &str| covered("attr:user", &format!("\n camunda:candidateUsers='{value}'"));
    assert_eq!(attribute("é, ${a} ${x.y()}"), "x.y()");
    // Where it does not stand there letter by letter, all of it.
    assert_eq!(attribute("${x&#46;y()}"), "camunda:candidateUsers='${x&#46;y()}'");
}

#[test]
fn models_of_other_shapes_pass() {
    let text = include_str!("../files/shapes.bpmn");
    assert_eq!(check(&[("a.bpmn", text.as_bytes())], &GateContext::default()), []);
}

#[test]
fn an_exception_is_for_its_process_element_and_code_alone() {
    let text = model(CLEAN, "attr:work", " camunda:class='x.Y'", str::to_owned);
    let right = Allowance {
        process: "main".into(),
        element: "work".into(),
        code: "java-class".into(),
        why: "why".into(),
    };
    let refused = |allowance: Allowance| {
        let context = GateContext {
            allowances: vec![allowance],
            ..GateContext::default()
        };
        errors(&check(&[("a.bpmn", text.as_bytes())], &context)).len()
    };
    assert_eq!(refused(right.clone()), 0);
    for wrong in [
        Allowance {
            process: "other".into(),
            ..right.clone()
        },
        Allowance {
            element: "script".into(),
            ..right.clone()
        },
        Allowance {
            code: "delegate-expression".into(),
            ..right.clone()
        },
        Allowance {
            element: String::new(),
            ..right
        },
    ] {
        assert_eq!(refused(wrong.clone()), 1, "{wrong:?}");
    }
}

/// Its code is what is wrong with a script task: who allows the one has allowed the other.
#[test]
fn an_expression_in_the_code_of_a_script_task_is_no_second_finding() {
    let found = |what: &str| {
        let text = model(CLEAN, "scope", what, str::to_owned);
        let found = check(&[("a.bpmn", text.as_bytes())], &GateContext::default());
        let codes = errors(&found).into_iter().map(|it| it.code.clone());
        codes.collect::<Vec<_>>()
    };
    let code = "<bpmn:script>${x.run()}</bpmn:script>";
    assert_eq!(
        found(&format!("<bpmn:scriptTask id='t'>{code}</bpmn:scriptTask>")),
        ["script-task"]
    );
    assert_eq!(
        found(&format!("<bpmn:task id='t'>{code}</bpmn:task>")),
        ["expression-place"]
    );
    assert_eq!(
        found("<bpmn:scriptTask id='t'><bpmn:script camunda:class='X'/></bpmn:scriptTask>"),
        ["script-task", "java-class"]
    );
}

#[test]
fn a_policy_with_mistakes_is_refused() {
    let text = model(CLEAN, "", "", str::to_owned).replace("sandboxLevel=\"low\"", "sandboxLevel=\"lax\"");
    let found = check(&[("a.bpmn", text.as_bytes())], &GateContext::default());
    assert_eq!(found[0].code, "security-unknown-level", "{found:?}");
}

/// Every place of the table is tried above: a row without a trial would be a row that may as well be wrong.
#[test]
fn every_row_of_the_table_is_tried() {
    use bpmn::gate::places::{ALL, Effect, Part};
    let all: String = surfaces().into_iter().map(|it| it.what + "\n").collect();
    let names: BTreeSet<String> = ALL
        .iter()
        .filter(|it| !matches!(it.effect, Effect::Keeps))
        .map(|it| match it.part {
            Part::Own(name) => format!("{name}='"),
            Part::Camunda(name) => format!("camunda:{name}='"),
            Part::Text => format!("<bpmn:{}", it.elements[0]),
        })
        .collect();
    let missing: Vec<_> = names.iter().filter(|it| !all.contains(it.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What the engine's parser evaluates, found by trying, the table has to know.
#[test]
fn the_table_knows_what_the_engine_evaluates() {
    use bpmn::gate::places::{ALL, Effect, Part};
    let evaluated = include_str!("../files/evaluated.txt");
    for line in evaluated.lines().filter(|it| !it.starts_with('#')) {
        let (element, part) = line.split_once(' ').unwrap();
        let part = match (part, part.strip_prefix("camunda:")) {
            ("TEXT", _) => Part::Text,
            (_, Some(name)) => Part::Camunda(name),
            (name, None) => Part::Own(name),
        };
        let known = ALL.iter().any(|it| {
            it.part == part
                && (it.elements.is_empty() || it.elements.contains(&element))
                && !matches!(it.effect, Effect::Keeps)
        });
        assert!(known, "{line}");
    }
}

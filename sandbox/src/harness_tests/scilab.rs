use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Map, Value as Json, json};

use super::{Harness, Ran, run_with, script};
use crate::Language;

fn run(source: &str) -> Option<Ran> {
    run_with("scilab", Language::Scilab, source, &json!({}))
}

/// A value that comes back as it went.
fn random(random: &mut StdRng, depth: u32) -> Json {
    let text = |random: &mut StdRng| -> String {
        let length = random.random_range(0..12);
        let some = [
            'a',
            '"',
            '\'',
            '\\',
            '/',
            '.',
            ' ',
            '\n',
            '\t',
            '\u{1}',
            '\u{85}',
            'é',
            '\u{1f600}',
            '%',
            '$',
            ',',
        ];
        (0..length)
            .map(|_| some[random.random_range(0..some.len())])
            .collect()
    };
    let number = |random: &mut StdRng| -> Json {
        match random.random_range(0..4) {
            0 => json!(random.random_range(-100..100)),
            1 => json!(random.random::<f64>()),
            2 => json!((random.random::<f64>() - 0.5) * 10_f64.powi(random.random_range(-300..300))),
            _ => json!(random.random_range(-(1_i64 << 53)..1 << 53)),
        }
    };
    match random.random_range(0..if depth == 0 { 3 } else { 8 }) {
        0 => number(random),
        1 => json!(random.random::<bool>()),
        2 => json!(text(random)),
        3 => json!(
            (0..random.random_range(2..150))
                .map(|_| number(random))
                .collect::<Vec<_>>()
        ),
        4 => {
            let (rows, columns) = (random.random_range(2..12), random.random_range(1..12));
            json!(
                (0..rows)
                    .map(|_| (0..columns).map(|_| number(random)).collect())
                    .collect::<Vec<Vec<_>>>()
            )
        }
        5 => json!(
            (0..random.random_range(2..90))
                .map(|_| random.random::<bool>())
                .collect::<Vec<_>>()
        ),
        6 => json!(
            (0..random.random_range(2..5))
                .map(|_| text(random))
                .collect::<Vec<_>>()
        ),
        _ => {
            let members = (0..random.random_range(0..4))
                .map(|at| (format!("{}{at}", text(random)), self::random(random, depth - 1)));
            Json::Object(members.collect())
        }
    }
}

/// Numbers as the doubles they are in Scilab.
fn as_doubles(value: &Json) -> Json {
    match value {
        Json::Number(number) => json!(number.as_f64()),
        Json::Array(list) => list.iter().map(as_doubles).collect(),
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), as_doubles(value)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn values_come_back_as_they_went() {
    let Some(harness) = Harness::start("values", Language::Scilab) else {
        return;
    };
    let seed = rand::random();
    let mut source = StdRng::seed_from_u64(seed);
    let mut inputs: Map<String, Json> = (0..300)
        .map(|at| (format!("x{at}"), random(&mut source, 3)))
        .collect();
    inputs.insert("long".to_owned(), json!("é'\"\n".repeat(10_000)));
    inputs.insert(
        "mixed".to_owned(),
        json!([1, "x", [true, {"a": [[1, 2], [3, 4]]}], [1, [2, 3]]]),
    );
    let mut script = script(Language::Scilab, "");
    script.result_variables = inputs.keys().cloned().collect();
    script.inputs = inputs;
    let ran = harness.run(&script);
    let result = as_doubles(&ran.result());
    for (name, value) in &script.inputs {
        assert_eq!(result[name], as_doubles(value), "{name}, seed {seed}");
    }
}

#[test]
fn the_result_is_of_the_variables_that_are_named_or_set() {
    let inputs = json!({"x": 1, "y": [1, 2], "z": {"a": 1}});
    for (source, named, result) in [
        (
            "a = 1; y = 2 * y; x = x; function f(), endfunction",
            vec![],
            json!({"a": 1, "y": [2, 4]}),
        ),
        ("result = [1, 2]; b = 3", vec![], json!([1, 2])),
        ("a = 1; b = 2", vec!["b", "x"], json!({"b": 2, "x": 1})),
        ("clear; clear all; clearglobal; a = 1", vec![], json!({"a": 1})),
        ("", vec![], json!({})),
    ] {
        let Some(harness) = Harness::start("variables", Language::Scilab) else {
            return;
        };
        let mut script = script(Language::Scilab, source);
        script.inputs = inputs.as_object().unwrap().clone();
        script.result_variables = named.into_iter().map(str::to_owned).collect();
        assert_eq!(harness.run(&script).result(), result, "{source}");
    }
}

#[test]
fn each_type_has_its_form() {
    let source = "m = [1, 2; 3, 4]; column = [1; 2]; none = []; i = int8(-5); s = sparse([1, 0; 0, 2]); h = zeros(1, 2, 2);
        t(2).a = 1; cells = {1, 'a'}; texts = ['a', 'b'; 'c', 'd']; third = 1 / 3; l = list(1, list()); e = struct();";
    let Some(ran) = run(source) else { return };
    assert_eq!(
        ran.result(),
        json!({
            "m": [[1, 2], [3, 4]], "column": [[1], [2]], "none": [], "i": -5, "s": [[1, 0], [0, 2]], "h": [[0, 0], [0, 0]],
            "t": [{"a": []}, {"a": 1}], "cells": [1, "a"], "texts": [["a", "b"], ["c", "d"]], "third": 1.0 / 3.0,
            "l": [1, []], "e": {},
        })
    );
}

#[test]
fn what_has_no_word_is_told_with_its_variable() {
    for (source, message) in [
        (
            "result = [1, %nan]",
            "result holds %nan, which JSON has no word for",
        ),
        (
            "x.a = list(1, %inf)",
            "x.a(2) holds %inf, which JSON has no word for",
        ),
        ("result = 1 + %i", "result is complex, which JSON has no word for"),
        (
            "result = %s",
            "result is of the type polynomial, which JSON has no word for",
        ),
    ] {
        let Some(ran) = run(source) else { return };
        ran.error("result", message, None);
    }
}

#[test]
fn errors_have_their_lines() {
    for (source, message, line) in [
        (
            "x = 1;\nfunction y = f(a)\n  y = a + 1\n  error('bad ''é''')\nendfunction\nf(2)",
            "bad 'é'",
            Some(4),
        ),
        ("x = 1;\n\nz = nosuch + 1", "Undefined variable: nosuch", Some(3)),
        (
            "x = 1;\nx = 1 +",
            "x = 1 +\n^\nError: syntax error, unexpected end of line",
            Some(2),
        ),
        (
            "\n\nstrcat(1, 2, 3, 4)",
            "strcat: Wrong number of input arguments: 1 or 3 expected.",
            Some(3),
        ),
    ] {
        let Some(ran) = run(source) else { return };
        ran.error("", message, line);
        assert!(ran.traceback().starts_with(message), "{}", ran.traceback());
    }
    let Some(ran) = run("a = zeros(1e6, 1e6);") else {
        return;
    };
    assert_eq!(ran.answer["limit"], "memory", "{}", ran.answer);
}

#[test]
fn who_ends_scilab_is_told_so_and_nothing_waits_for_input() {
    for (source, message) in [
        (
            "exit(3)",
            "the script ended Scilab, exit status 3: by exit, quit or abort; its result is what it leaves in variables",
        ),
        (
            "abort",
            "the script ended Scilab, exit status 0: by exit, quit or abort; its result is what it leaves in variables",
        ),
    ] {
        let Some(ran) = run(source) else { return };
        ran.error("exit", message, None);
    }
    // Whichever way: an answer comes.
    for source in ["pause", "x = input('?')", "halt()", "x = mgetl(0)"] {
        let Some(_) = run(source) else { return };
    }
}

#[test]
fn what_it_prints_and_where_it_goes_does_no_harm() {
    let Some(ran) = run("mprintf('é\\n'); cd('/'); setenv('HOME', '/'); result = 1") else {
        return;
    };
    assert_eq!((ran.stdout.as_str(), ran.result()), ("é\n", json!(1)));
}

use serde_json::{Value as Json, json};

use super::{Harness, Ran, run_with, script};
use crate::Language;

fn run(source: &str) -> Option<Ran> {
    run_with("javascript", Language::JavaScript, source, &json!({}))
}

#[test]
fn inputs_go_in_and_results_come_out_as_they_are() {
    let inputs =
        json!({"big": 1_u64 << 53, "x": [1.5, null, true, "é\n\u{1f600}"], "o": {"k": {}}, "__proto__": 1});
    for source in [
        "return inputs",
        "export default inputs",
        "export default (given) => given",
    ] {
        let Some(ran) = run_with("values", Language::JavaScript, source, &inputs) else {
            return;
        };
        assert_eq!(ran.result(), inputs, "{source}");
    }
}

#[test]
fn a_script_is_a_body_or_a_module() {
    let cases: [(&str, Json); 11] = [
        ("", json!(null)),
        (
            "return await new Promise((done) => setTimeout(done, 5, 5)) // x",
            json!(5),
        ),
        (
            "return typeof require('fs').readFileSync + typeof (await import('node:fs')).readFileSync",
            json!("functionfunction"),
        ),
        (
            "import fs from 'fs'\nexport default async () => typeof fs.readFileSync",
            json!("function"),
        ),
        ("export default await 5", json!(5)),
        ("export const a = 1", json!(null)),
        ("const inputs = 1; return inputs", json!(1)),
        ("x = 1; return x", json!(1)),
        ("#!/usr/bin/env node\nreturn 1", json!(1)),
        ("setInterval(() => {}, 10); return 1", json!(1)),
        (
            "return await new Promise((done) => process.stdin.on('end', () => done('end')).resume())",
            json!("end"),
        ),
    ];
    for (source, result) in cases {
        let Some(ran) = run(source) else { return };
        assert_eq!(ran.result(), result, "{source}");
        assert_eq!(ran.stderr, "", "{source}");
    }
}

#[test]
fn what_json_does_not_have_is_said_in_its_words() {
    let source = "return [new Date(0), new Map([[1, 'a'], ['b', new Set([2])]]), new Float64Array([1.5]), Buffer.from('ab'),
        new (class A { a = 1 })(), { toJSON: () => 5 }, [1, , undefined], { u: undefined }, Object(7), 1e21]";
    let Some(ran) = run(source) else { return };
    assert_eq!(
        ran.result(),
        json!(["1970-01-01T00:00:00.000Z", {"1": "a", "b": [2]}, [1.5], "YWI=", {"a": 1}, 5, [1, null, null], {}, 7, 1e21])
    );
}

#[test]
fn what_has_no_word_is_told_with_its_place() {
    for (result, message) in [
        (
            "{ a: [1, NaN] }",
            "result.a[1] is NaN, which JSON has no word for",
        ),
        ("-Infinity", "result is -Infinity, which JSON has no word for"),
        (
            "{ 'b c': { d: 10n ** 400n } }",
            "result[\"b c\"].d is a BigInt, which JSON has no word for: make it a Number or a String",
        ),
        ("{ f() {} }", "result.f is a function, which JSON has no word for"),
        (
            "[Symbol('x')]",
            "result[0] is a symbol, which JSON has no word for",
        ),
        ("[Promise.resolve(1)]", "result[0] is a Promise: await it"),
        (
            "new TypeError('x')",
            "result is a TypeError, which JSON has no word for",
        ),
        ("[/x/]", "result[0] is a RegExp, which JSON has no word for"),
        (
            "new Date('x')",
            "result is an invalid Date, which JSON has no word for",
        ),
        ("'\\ud800'", "result holds half a character (a lone surrogate)"),
        (
            "(() => { const a = {}; a.b = [a]; return a })()",
            "result.b[0] holds itself, which JSON has no word for",
        ),
        (
            "new Map([[{}, 1]])",
            "result has a key that is an object: keys are strings",
        ),
        (
            "new Map([[1, 1], ['1', 2]])",
            "result has two keys that are \"1\" in JSON",
        ),
    ] {
        let Some(ran) = run(&format!("return {result}")) else {
            return;
        };
        ran.error("result", message, None);
    }
}

#[test]
fn an_error_has_the_script_s_frames_and_line() {
    let source = "\nfunction f() {\n  throw new TypeError('bad', { cause: new Error('why') })\n}\nf()";
    let Some(ran) = run(source) else { return };
    ran.error("TypeError", "bad", Some(3));
    assert_eq!(
        ran.traceback(),
        "TypeError: bad\n    at f (task.js:3:9)\n    at task.js:5:1\nCaused by: Error: why\n    at f (task.js:3:39)\n    at task.js:5:1\n"
    );
    let Some(ran) =
        run("import fs from 'fs'\nexport default function f() {\n  return g() }\nconst g = () => null.x")
    else {
        return;
    };
    ran.error(
        "TypeError",
        "Cannot read properties of null (reading 'x')",
        Some(4),
    );
    assert!(
        ran.traceback()
            .ends_with("    at g (task.js:4:22)\n    at f (task.js:3:10)\n"),
        "{}",
        ran.traceback()
    );
    // Columns of the first line, too, are the script's.
    let Some(ran) = run("null.x") else { return };
    assert!(
        ran.traceback().ends_with("    at task.js:1:6\n"),
        "{}",
        ran.traceback()
    );
}

#[test]
fn errors_have_their_lines() {
    for (source, kind, line) in [
        ("1\nlet a b", "SyntaxError", Some(2)),
        ("let a b", "SyntaxError", Some(1)),
        (
            "import { readFile } from 'fs'\nexport default 3;\n\nlet a b\n",
            "SyntaxError",
            Some(4),
        ),
        (
            "\nimport { nope } from 'fs'; export default 1",
            "SyntaxError",
            Some(2),
        ),
        ("\nimport x from 'nosuch'", "TypeError", Some(2)),
        ("export default 1\nreturn 2", "SyntaxError", None),
        ("}); (async () => {", "SyntaxError", None),
        ("function f() { f() }\nf()", "RangeError", Some(1)),
        (
            "setTimeout(() => {\nthrow new Error('late') }, 5); await new Promise(() => {})",
            "Error",
            Some(2),
        ),
        (
            "\nPromise.reject(new Error('x')); await new Promise((done) => setTimeout(done, 1000))",
            "Error",
            Some(2),
        ),
        ("return { toJSON() {\nthrow new Error('x') } }", "Error", Some(2)),
        ("throw null", "", None),
        ("throw 'text'", "", None),
    ] {
        let Some(ran) = run(source) else { return };
        let error = &ran.answer["error"];
        assert_eq!(
            (&error["kind"], error["line"].as_u64()),
            (&json!(kind), line),
            "{source}: {}",
            ran.answer
        );
        assert!(
            !ran.traceback().contains("[eval]") && !ran.traceback().contains("data:"),
            "{}",
            ran.traceback()
        );
    }
}

#[test]
fn who_ends_the_process_or_waits_for_nothing_is_told_so() {
    for (source, message) in [
        (
            "process.exit(0)",
            "the script ended the process itself, with status 0; its result is what it returns",
        ),
        (
            "process.exitCode = 3; process.exit()",
            "the script ended the process itself, with status 3; its result is what it returns",
        ),
        (
            "await new Promise(() => {})",
            "the script awaits what never comes: nothing is left that could settle its promise",
        ),
        (
            "export default await new Promise(() => {})",
            "the script awaits what never comes: nothing is left that could settle its promise",
        ),
    ] {
        let Some(ran) = run(source) else { return };
        assert_eq!(ran.message(), message);
    }
}

#[test]
fn its_name_is_what_tracebacks_call_it() {
    for source in ["null.x", "export default () => y"] {
        let Some(harness) = Harness::start("name", Language::JavaScript) else {
            return;
        };
        let mut script = script(Language::JavaScript, source);
        script.name = "a <b> (c)'/é.js".to_owned();
        let ran = harness.run(&script);
        assert_eq!(ran.answer["error"]["line"], 1);
        assert!(
            ran.traceback().contains("a <b> (c)'/é.js:1:"),
            "{}",
            ran.traceback()
        );
    }
}

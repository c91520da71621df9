use std::time::Instant;

use serde_json::{Value as Json, json};

use super::{DEADLINE, Harness, Ran, run_with, script};
use crate::Language;

fn run(source: &str) -> Option<Ran> {
    run_with("python", Language::Python, source, &json!({}))
}

/// The message of a result that cannot be said.
fn unsaid(source: &str) -> Option<String> {
    let ran = run(source)?;
    assert_eq!(ran.answer["error"]["kind"], "result", "{}", ran.answer);
    Some(ran.message().to_owned())
}

#[test]
fn inputs_go_in_and_results_come_out_as_they_are() {
    let inputs =
        json!({"big": u64::MAX, "small": i64::MIN, "x": [1.5, null, true, "é\n\u{1f600}"], "o": {"k": {}}});
    let Some(ran) = run_with(
        "values",
        Language::Python,
        "def main(given):\n    return [given, given is inputs]",
        &inputs,
    ) else {
        return;
    };
    assert_eq!(ran.result(), json!([inputs, true]));
}

#[test]
fn the_result_is_main_s_or_the_variable_s() {
    let cases: [(&str, Json); 6] = [
        ("result = 5", json!(5)),
        ("x = 5", json!(null)),
        ("result = 5\ndef main(inputs):\n    return 6", json!(6)),
        ("async def main(inputs):\n    return __name__", json!("__main__")),
        ("import sys\nresult = 5\nsys.exit(0)", json!(5)),
        ("\u{feff}result = input.__name__", json!("input")),
    ];
    for (source, result) in cases {
        let Some(ran) = run(source) else { return };
        assert_eq!(ran.result(), result, "{source}");
    }
}

#[test]
fn what_json_does_not_have_is_said_in_its_words() {
    let source = "
import collections, dataclasses, datetime as d, decimal, enum, pathlib, uuid
@dataclasses.dataclass
class Point:
    x: int = 1
class Colour(enum.Enum):
    RED = 'red'
result = [
    {3, 1}, (1, 2), range(2), collections.deque([1]), {1: 2}.values(), Point(), Colour.RED,
    d.date(2020, 1, 2), d.timedelta(minutes=1), decimal.Decimal('19.99'), decimal.Decimal('1.12345678901234567890'),
    decimal.Decimal('1E+3'), b'ab', uuid.UUID(int=1), pathlib.Path('a'), {1: 'a', None: 'b', True: 'c', 2.5: 'd'} | {3: 'e'},
]";
    let Some(ran) = run(source) else { return };
    assert_eq!(
        ran.result(),
        json!([
            [1, 3], [1, 2], [0, 1], [1], [2], {"x": 1}, "red",
            "2020-01-02", 60.0, 19.99, "1.12345678901234567890", 1000, "YWI=", "00000000-0000-0000-0000-000000000001", "a",
            {"1": "c", "null": "b", "2.5": "d", "3": "e"}
        ])
    );
}

#[test]
fn what_has_no_word_is_told_with_its_place() {
    for (result, message) in [
        (
            "{'a': [1, 2, 3, object()]}",
            "result[\"a\"][3] is an object, which JSON has no word for",
        ),
        ("[float('nan')]", "result[0] is nan, which JSON has no word for"),
        (
            "{'x': float('-inf')}",
            "result[\"x\"] is -inf, which JSON has no word for",
        ),
        ("lambda: 1", "result is a function, which JSON has no word for"),
        ("{(1, 2): 3}", "result has the key (1, 2), a tuple: keys are str"),
        ("{1: 2, '1': 3}", "result has two keys that are \"1\" in JSON"),
        (
            "10**400",
            "result is an integer of 1329 bits, and 64 is what passes whole: make it a float or a str",
        ),
        (
            "['\\udc80']",
            "result[0] holds half a character (\\udc80): it was not read as UTF-8",
        ),
    ] {
        let Some(said) = unsaid(&format!("result = {result}")) else {
            return;
        };
        assert_eq!(said, message);
    }
    let Some(said) = unsaid("result = []\nresult.append(result)") else {
        return;
    };
    assert!(said.contains("or holds itself"), "{said}");
}

#[test]
fn an_error_has_the_script_s_frames_and_line() {
    let source = "def f():\n    raise KeyError('x')\n\ntry:\n    f()\nexcept KeyError as error:\n    raise ValueError('bad') from error\n";
    let Some(ran) = run(source) else { return };
    ran.error("ValueError", "bad", Some(7));
    assert_eq!(
        ran.traceback(),
        "Traceback (most recent call last):\n  File \"task.py\", line 5, in <module>\n    f()\n  File \"task.py\", line 2, in f\n    \
         raise KeyError('x')\nKeyError: 'x'\n\nThe above exception was the direct cause of the following exception:\n\n\
         Traceback (most recent call last):\n  File \"task.py\", line 7, in <module>\n    raise ValueError('bad') from error\n\
         ValueError: bad\n"
    );
}

#[test]
fn errors_have_their_kinds_and_lines() {
    for (source, kind, message, line) in [
        ("a = 1\nif:\n    pass", "SyntaxError", "invalid syntax", Some(2)),
        (
            "import sys\nsys.exit(3)",
            "SystemExit",
            "the script ended itself with status 3",
            Some(2),
        ),
        ("import sys\nsys.exit('no')", "SystemExit", "no", Some(2)),
        ("\nraise KeyboardInterrupt", "KeyboardInterrupt", "", Some(2)),
        (
            "\n\ndef main():\n    pass",
            "TypeError",
            "main() takes 0 positional arguments but 1 was given",
            Some(3),
        ),
        ("input()", "EOFError", "EOF when reading a line", Some(1)),
        (
            "async def main(inputs):\n    raise ValueError('é')",
            "ValueError",
            "é",
            Some(2),
        ),
        ("raise ValueError('\\ud800')", "ValueError", "\\ud800", Some(1)),
        (
            "import json\njson.loads('x')",
            "JSONDecodeError",
            "Expecting value: line 1 column 1 (char 0)",
            Some(2),
        ),
    ] {
        let Some(ran) = run(source) else { return };
        ran.error(kind, message, line);
        assert!(!ran.traceback().contains("<string>"), "{}", ran.traceback());
    }
    let Some(ran) = run("def f():\n    f()\nf()") else {
        return;
    };
    ran.error("RecursionError", "maximum recursion depth exceeded", Some(2));
    let Some(ran) = run("raise ValueError('x' * 10**7)") else {
        return;
    };
    assert!(ran.message().len() < 10_000 && ran.traceback().len() < 40_000);
}

#[test]
fn limits_are_told_from_errors() {
    // Enough for what is asked for at once, and too little for what is kept.
    let bounded = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (500 << 20,) * 2)\n";
    for (source, limit) in [
        (
            "x = []\nwhile True:\n    x.append('a' * (1 << 20) + str(len(x)))",
            json!("memory"),
        ),
        (
            "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            json!("processes"),
        ),
        ("raise BlockingIOError(11, 'fork')", json!("processes")),
        (
            "import os\nr, w = os.pipe()\nos.set_blocking(r, False)\nos.read(r, 1)",
            json!(null),
        ),
    ] {
        let Some(ran) = run(&format!("{bounded}{source}")) else {
            return;
        };
        assert_eq!(ran.answer["limit"], limit, "{}", ran.answer);
        assert!(ran.answer["error"]["line"].is_u64(), "{}", ran.answer);
    }
}

#[test]
fn neither_threads_nor_children_hold_or_spoil_the_answer() {
    // More than a pipe takes at once: others' writes would come in between.
    let long = 1 << 20;
    for source in [
        "import threading, time\ndef f():\n    while True:\n        print('y' * 100)\nthreading.Thread(target=f).start()\ntime.sleep(0.1)",
        "import os, time\nif os.fork() == 0:\n    LONG = 1\nelse:\n    time.sleep(0.5)",
        "import atexit, time\natexit.register(time.sleep, 1000)",
        "import sys\nsys.stdout = None\nsys.__stderr__.close()",
    ] {
        let Some(ran) = run(&format!("LONG = {long}\n{source}\nresult = 'x' * LONG")) else {
            return;
        };
        assert_eq!(ran.result(), json!("x".repeat(long)), "{source}");
    }
}

#[test]
fn its_name_is_what_tracebacks_call_it() {
    let Some(harness) = Harness::start("name", Language::Python) else {
        return;
    };
    let mut script = script(Language::Python, "assert False");
    script.name = "a <b>/é.py".to_owned();
    let ran = harness.run(&script);
    ran.error("AssertionError", "", Some(1));
    assert!(
        ran.traceback()
            .contains("File \"a <b>/é.py\", line 1, in <module>\n    assert False\n"),
        "{}",
        ran.traceback()
    );
}

#[test]
fn a_traceback_that_the_script_prints_has_its_lines() {
    let source = "import traceback\ntry:\n    1 / 0  # the line\nexcept ZeroDivisionError:\n    result = traceback.format_exc()";
    let Some(ran) = run(source) else { return };
    let told = ran.result();
    assert!(told.as_str().is_some_and(|told| told.contains("1 / 0")), "{told}");
}

/// A cell that is wanted at once does not wait for imports that its script may not need; one that waits makes them.
#[test]
fn what_most_scripts_import_is_imported_while_nobody_waits() {
    let source = "import sys\nresult = 'json' in sys.modules";
    let Some(ran) = run(source) else { return };
    assert_eq!(ran.result(), json!(false), "at once");

    let Some(waits) = Harness::start("imports", Language::Python) else {
        return;
    };
    // Where it sleeps: first it looks for an order for a while, later it reads one.
    let sleeps = format!("/proc/{}/wchan", waits.child.id());
    let deadline = Instant::now() + DEADLINE;
    while !std::fs::read_to_string(&sleeps).unwrap().contains("pipe_read") {
        assert!(Instant::now() < deadline, "it does not come to read its order");
        std::thread::yield_now();
    }
    let ran = waits.run(&script(Language::Python, source));
    assert_eq!(ran.result(), json!(true), "later");
}

#[test]
fn without_the_parts_in_c_the_module_itself_reads_and_writes() {
    let command = Language::Python.command();
    let harness = command
        .last()
        .unwrap()
        .replace("import _json\n", "import _json_is_not_here\n");
    let command = [&command[..command.len() - 1], &[harness.as_str()]].concat();
    let inputs = json!({"a": [1.5, "é", null]});
    let source = "import sys\nresult = [inputs, 'json' in sys.modules]";
    let Some(without) = Harness::start_as("without", Language::Python, &command) else {
        return;
    };
    let mut script = script(Language::Python, source);
    script.inputs = inputs.as_object().unwrap().clone();
    let ran = without.run(&script);
    assert_eq!(ran.result(), json!([inputs, true]));
}

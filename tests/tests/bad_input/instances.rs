//! Starting, reaching and steering what is not there, or with values that are none.

use std::time::Duration;

use engine_client::Variables;

use crate::system::{Folder, System, block_on, told};

/// How many instances of `waits` there are.
fn instances(key: &str) -> usize {
    let engine = System::shared().engine();
    let records = block_on(async { engine.instance_records(Some(key), None, 1000).await });
    records.unwrap().len()
}

/// Checks what `procos start` says, and that it has started nothing.
#[track_caller]
fn not_started(arguments: &[&str], code: i32, parts: &[&str]) {
    // Other tests start `waits`, so a business key tells what this call has done.
    let mark = format!("not-started-{}", rand::random::<u64>());
    let arguments = ["start"].into_iter().chain(arguments.iter().copied());
    let system = System::shared();
    told(
        &system.run(arguments.chain(["--business-key", &mark])),
        code,
        parts,
    );
    let all = system
        .run(["ps", "--all", "--limit", "1000", "--json"])
        .expect_code(0);
    assert!(
        !all.stdout.contains(&mark),
        "something was started: {}",
        all.stdout
    );
}

#[test]
fn a_key_that_is_not_there_is_answered_with_the_nearest() {
    not_started(&["wait"], 1, &["there is no process wait", "did you mean waits?"]);
    not_started(
        &["something-else-entirely"],
        1,
        &["there is", "general_process_handler"],
    );
    not_started(&["a/b"], 1, &["there is no process a/b"]);
    not_started(&[""], 2, &["<KEY>", "empty"]);
    not_started(&[&"k".repeat(300)], 2, &["300 characters", "255"]);
    not_started(
        &["waits", "--tenant", "nobody"],
        1,
        &["of tenant nobody", "leave out --tenant"],
    );
    let answer = System::shared()
        .run(["start", "wait", "--json"])
        .expect_code(1)
        .json();
    assert!(
        answer["error"].as_str().unwrap().contains("did you mean waits?"),
        "{answer}"
    );
}

#[test]
fn a_variable_that_is_not_json_is_shown_with_its_place_and_the_way_to_write_it() {
    let value = |text: &str, parts: &[&str]| not_started(&["waits", "--var", text], 2, parts);
    value("customer=Ada", &["`customer`", "column 1", "customer='\"Ada\"'"]);
    value("a={\"b\":1,}", &["column 8", "trailing comma"]);
    value("a=NaN", &["column 1"]);
    value("a=-Infinity", &["not JSON"]);
    value("a=1e999", &["out of range"]);
    value(
        "a=123456789012345678901234567890",
        &["out of range", "\"123456789012345678901234567890\""],
    );
    value(
        "a=-9223372036854775809",
        &["out of range", "-9223372036854775808"],
    );
    value("a=", &["`a`"]);
    value("a", &["NAME=JSON"]);
    value("", &["NAME=JSON"]);
    value("=1", &["name before `=`"]);
    value(&format!("{}=1", "n".repeat(256)), &["256 characters", "255"]);
    let twice = ["waits", "--var", "a=1", "--var", "b=1", "--var", "a=2"];
    not_started(&twice, 2, &["`a` twice"]);
}

#[test]
fn a_file_of_variables_is_one_object() {
    let folder = Folder::new("vars");
    let file = |name: &str, content: &[u8], code: i32, parts: &[&str]| {
        let file = folder.write(name, content);
        not_started(&["waits", "--vars", &file], code, &[parts, &[&file]].concat());
    };
    file("list.json", b"[1]", 2, &["list.json:1:1", "write one object"]);
    file(
        "bare.json",
        b"{\"a\": 1,\n \"b\": Ada}",
        2,
        &["bare.json:2:7", "write one object"],
    );
    file("nan.json", b"{\"a\": NaN}", 2, &["nan.json:1:7"]);
    file("open.json", b"{\"a\": 1", 2, &["open.json:1:"]);
    file("empty.json", b"", 2, &["empty.json:1:1"]);
    file("bytes.json", b"{\"a\": \"\xff\"}", 2, &["UTF-8"]);
    let nowhere = folder.file("nowhere.json");
    not_started(&["waits", "--vars", &nowhere], 2, &[&nowhere, "cannot be read"]);
    not_started(
        &["waits", "--vars", folder.text()],
        2,
        &[folder.text(), "cannot be read"],
    );
}

#[test]
fn a_wait_that_elapses_is_a_no_and_the_instance_goes_on() {
    let system = System::shared();
    let waited = system.run(["start", "waits", "--wait", "1s", "--json"]);
    told(&waited, 1, &["the instance goes on", "procos show"]);
    let answer = waited.json();
    assert_eq!(answer["state"], "running", "{answer}");
    let id = answer["instance_id"].as_str().unwrap();
    let shown = system.run(["show", id, "--json"]).expect_code(0).json();
    assert_eq!(shown["state"], "running", "{shown}");
    told(
        &system.run(["retry", id]),
        1,
        &["nothing has failed", "procos show"],
    );
    told(&system.run(["cancel", id]), 0, &[]);
    told(&system.run(["cancel", id]), 1, &["has ended already"]);
    not_started(&["waits", "--wait", "soon"], 2, &["30s, 2m or PT5M"]);
    not_started(&["waits", "--wait=-1s"], 2, &["30s, 2m or PT5M"]);
}

#[test]
fn an_instance_that_is_not_there() {
    let system = System::shared();
    for command in ["show", "retry", "cancel"] {
        told(
            &system.run([command, "zzzzzzzz"]),
            1,
            &["there is no instance zzzzzzzz", "procos ps --all"],
        );
        told(&system.run([command, "00"]), 1, &["at least 4 characters"]);
        told(&system.run([command, ""]), 2, &["empty"]);
        told(
            &system.run([command, "../../engine"]),
            1,
            &["there is no instance ../../engine"],
        );
        told(&system.run([command]), 2, &["INSTANCE"]);
    }
    told(
        &system.run(["ps", "--limit", "99999999999999"]),
        2,
        &["--limit", "1000000"],
    );
    told(&system.run(["ps", "--limit", "0"]), 2, &["--limit"]);
    told(&system.run(["adapters", "htp"]), 1, &["did you mean http?"]);
}

#[test]
fn the_beginning_of_an_id_that_several_have() {
    let system = System::shared();
    let engine = system.engine();
    // An id begins with the time, so of instances that are started together some begin alike.
    let begin = block_on(tests::until(
        "two ids begin alike",
        Duration::from_secs(60),
        async || {
            let none = Variables::new();
            let started = (0..16).map(|_| engine.start_instance("waits", None, None, &none));
            let mut begins: Vec<String> = futures::future::join_all(started)
                .await
                .into_iter()
                .map(|started| started.unwrap().id[..4].to_owned())
                .collect();
            begins.sort();
            let twice = begins.windows(2).find(|pair| pair[0] == pair[1]);
            twice.map(|pair| pair[0].clone()).ok_or("all differ")
        },
    ));
    let before = instances("waits");
    for command in ["show", "cancel", "retry"] {
        told(&system.run([command, &begin]), 1, &[&begin, "waits"]);
    }
    assert!(instances("waits") >= before, "none was cancelled");
}

#[test]
fn what_nothing_waits_for_is_a_no_with_what_is_waited_for() {
    let system = System::shared();
    told(
        &system.run(["message", "procos_reqest"]),
        1,
        &["procos_reqest", "did you mean procos_request?"],
    );
    told(&system.run(["message", "month-closed"]), 1, &["procos_request"]);
    let tenant = system.run(["message", "procos_request", "--tenant", "nobody"]);
    told(&tenant, 1, &["of the tenant nobody", "--tenant"]);
    let other = system.run(["message", "procos_request", "--business-key", "nobody"]);
    told(&other, 1, &["business key nobody", "procos ps"]);
    let bad = system.run(["message", "procos_request", "--var", "request=order"]);
    told(&bad, 2, &["not JSON"]);
    // A broadcast that reaches nobody has been sent all the same.
    told(
        &system.run(["signal", "month-closed"]),
        0,
        &["month-closed reached nobody"],
    );
    for command in ["message", "signal"] {
        told(&system.run([command, ""]), 2, &["empty"]);
    }
}

//! Models that cannot be deployed.

use std::fs;

use tests::Finished;

use crate::system::{Folder, System, USER_TASK, model, process, told};

/// Deploys what cannot be, and checks that the engine has the same processes as before.
#[track_caller]
fn refused(arguments: &[&str], code: i32, parts: &[&str]) -> Finished {
    let system = System::shared();
    let _alone = system.deploying();
    let before = system.definitions();
    let finished = system.run(["deploy"].into_iter().chain(arguments.iter().copied()));
    told(&finished, code, parts);
    assert_eq!(system.definitions(), before, "nothing is half deployed");
    finished
}

/// The same for one file, whose name has to be told, with the place where there is one.
#[track_caller]
fn refused_file(content: impl AsRef<[u8]>, place: &str, parts: &[&str]) {
    let folder = Folder::new("model");
    let file = folder.write("order.bpmn", content);
    refused(&[&file], 1, parts);
    let answer = refused(&[&file, "--json"], 1, &[]).json();
    assert!(answer["deployment_id"].is_null(), "{answer}");
    let finding = &answer["diagnostics"][0];
    assert_eq!(finding["file"], file, "{answer}");
    assert!(finding["help"].is_string(), "no remedy: {answer}");
    let start = &finding["range"]["start"];
    let at = start
        .as_object()
        .map(|start| format!("{}:{}", start["line"], start["column"]));
    assert_eq!(at.unwrap_or_default(), place, "{answer}");
}

#[test]
fn a_file_that_is_no_bpmn() {
    refused_file("Dear all,\nsee below.\n", "1:1", &["not-xml", "order.bpmn:1:1"]);
    refused_file("", "1:1", &["the file is empty"]);
    refused_file("<html><body/></html>", "1:1", &["not-bpmn", "Camunda Modeler"]);
    let whole = process("cut", USER_TASK);
    let cut = &whole[..whole.find("<sequenceFlow").unwrap() + 30];
    refused_file(cut, "4:5", &["not-xml", "order.bpmn:4:5"]);
    let unclosed = whole.replace("</process>", "");
    refused_file(
        unclosed,
        "7:1",
        &["`process` is closed by `</definitions>`", "is opened here"],
    );
    refused_file(whole.replace("P1D", "P1D\0"), "2:71", &["not-xml"]);
}

#[test]
fn a_file_in_another_encoding() {
    let text = process("sizes", r#"<userTask id="task" name="Größe"/>"#);
    let latin1: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    refused_file(
        latin1,
        "5:33",
        &["unreadable-encoding", "0xF6", "save the file as UTF-8"],
    );
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    refused_file(
        utf16,
        "",
        &["unreadable-encoding", "UTF-16", "no byte order mark"],
    );
    let declared = format!("<?xml version=\"1.0\" encoding=\"UTF-7\"?>\n{text}");
    refused_file(declared, "1:1", &["unreadable-encoding", "UTF-7"]);
}

#[test]
fn a_model_that_could_not_run() {
    let waiting = process("waiting", USER_TASK);
    let not_executable = waiting.replace(r#" isExecutable="true""#, "");
    refused_file(
        not_executable,
        "2:3",
        &["`waiting` is not executable", "isExecutable=\"true\""],
    );
    refused_file(model(""), "1:1", &["no-process"]);
    let no_ttl = waiting.replace(r#" camunda:historyTimeToLive="P1D""#, "");
    refused_file(no_ttl, "2:3", &["missing-history-time-to-live", "P30D"]);
    refused_file(waiting.replace("P1D", "soon"), "2:45", &["`soon`", "P30D"]);
    refused_file(process("", USER_TASK), "2:3", &["missing-process-id"]);
    refused_file(
        process(&"k".repeat(300), USER_TASK),
        "2:3",
        &["300 characters", "255"],
    );
}

#[test]
fn a_model_that_the_engine_refuses() {
    let receive = r#"<receiveTask id="task" messageRef="nowhere"/>"#;
    refused_file(
        process("a", receive),
        "5:50",
        &["messageRef", "nowhere", "task", "<message id"],
    );
    let starts = format!("{USER_TASK}<startEvent id=\"again\"/>");
    refused_file(
        process("a", &starts),
        "2:71",
        &["none start events", "`again`", "keep one start event"],
    );
    refused_file(
        process("a", &USER_TASK.repeat(2)),
        "5:47",
        &["multiple occurrences of ID value 'task'", "an id of its own"],
    );
    refused_file(process("a", ""), "7:15", &["'task'", "sequence flow", "4:65"]);
    refused_file(
        process("a", r#"<serviceTask id="task"/>"#),
        "5:29",
        &["mandatory", "procos adapters"],
    );
    refused_file(
        process("a b", USER_TASK),
        "2:73",
        &["NCName", "begin the id with a letter"],
    );
}

#[test]
fn an_expression_that_cannot_be_read_is_found_among_all_files() {
    let folder = Folder::new("condition");
    folder.write("good.bpmn", process("good-condition", USER_TASK));
    let flow = r#"targetRef="task"><conditionExpression xsi:type="tFormalExpression">${amount &gt; }</conditionExpression></sequenceFlow>"#;
    let bad = process("bad-condition", USER_TASK).replace(r#"targetRef="task"/>"#, flow);
    let file = folder.write("bad.bpmn", bad);
    refused(
        &[folder.text()],
        1,
        &[
            &format!("{file}:4:128"),
            "expression-syntax",
            "repair the expression",
        ],
    );
}

#[test]
fn what_is_no_decision_and_no_form_is_refused_with_its_file() {
    let folder = Folder::new("others");
    let table = folder.write("price.dmn", "not a table");
    refused(
        &[&table],
        1,
        &[&table, "not-xml", "save it anew with Camunda Modeler"],
    );
    let table = folder.write("model.dmn", process("no-table", USER_TASK));
    refused(&[&table], 1, &[&table, "not-dmn"]);
    let form = folder.write("ask.form", "not JSON");
    refused(&[&form], 1, &[&form, "open the form"]);
}

#[test]
fn one_bad_file_keeps_the_good_one_from_being_deployed() {
    let folder = Folder::new("together");
    folder.write("good.bpmn", process("good-together", USER_TASK));
    let bad = folder.write("sub/bad.bpmn", "no XML");
    refused(
        &[folder.text()],
        1,
        &[&format!("{bad}:1:1"), "nothing was deployed"],
    );
    let starts = format!("{USER_TASK}<startEvent id=\"again\"/>");
    folder.write("sub/bad.bpmn", process("bad-together", &starts));
    refused(
        &[folder.text()],
        1,
        &[&format!("{bad}:2:"), "the engine refuses it"],
    );
    fs::remove_file(&bad).unwrap();
    refused(&[&folder.file("good.bpmn"), &bad], 2, &[&bad, "check the path"]);
}

#[test]
fn a_key_in_two_files_is_told_with_both_places() {
    let folder = Folder::new("twice");
    let (one, two) = (folder.file("a.bpmn"), folder.file("b.bpmn"));
    for file in ["a.bpmn", "b.bpmn"] {
        folder.write(file, process("twice", USER_TASK));
    }
    refused(
        &[folder.text()],
        1,
        &[&format!("{two}:2:3"), &format!("{one}:2:3"), "another id"],
    );
}

#[test]
fn what_is_not_there_or_holds_nothing() {
    let folder = Folder::new("nothing");
    let nowhere = folder.file("nowhere.bpmn");
    refused(&[&nowhere], 2, &[&nowhere, "check the path"]);
    refused(&[folder.text()], 2, &[folder.text(), ".bpmn, .dmn and .form"]);
    // Root may read everything, so no file's mode keeps it out: what cannot be read here is a folder, or not there.
    fs::create_dir(folder.file("folder.bpmn")).unwrap();
    refused(
        &[&folder.file("folder.bpmn")],
        2,
        &["folder.bpmn", "holds no model"],
    );
    std::os::unix::fs::symlink(&nowhere, folder.file("link.bpmn")).unwrap();
    refused(&[&folder.file("link.bpmn")], 2, &["link.bpmn"]);
    refused(&[folder.text()], 2, &["link.bpmn"]);
    let notes = folder.write("notes.txt", "hello");
    refused(&[&notes], 2, &[&notes, "is not a model"]);
    let below = format!("{notes}/a.bpmn");
    refused(&[&below], 2, &[&below]);
    refused(&[""], 2, &[]);
    refused(&[], 2, &["<PATH>"]);
}

#[test]
fn what_would_eat_memory_or_read_other_files() {
    let deep = r#"<subProcess id="x">"#.repeat(100_000);
    let deep = model(&format!(r#"<process id="deep" isExecutable="true">{deep}"#));
    refused_file(deep, "2:4866", &["too-deep", "call activities"]);
    let long = process("long", &" ".repeat(17 << 20));
    refused_file(long, "", &["file-too-large", "bytes"]);
    // The engine would run out of memory.
    let many = process("many", &r#"<userTask id="t"/>"#.repeat(300_000));
    refused_file(many, "5:359933", &["file-too-large", "elements"]);
    let entities: String = (1..30)
        .map(|n| format!("<!ENTITY e{n} \"&e{0};&e{0};\">", n - 1))
        .collect();
    let bomb = format!(
        "<!DOCTYPE d [<!ENTITY e0 \"ha\">{entities}]>\n{}",
        process("bomb", "&e29;")
    );
    refused_file(bomb, "1:1", &["doctype", "remove the <!DOCTYPE"]);
    let reads = r#"<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>"#;
    let reads = format!(
        "{reads}\n{}",
        process("reads", r#"<userTask id="task" name="&x;"/>"#)
    );
    refused_file(reads, "1:1", &["doctype"]);
    let unknown = process("unknown", r#"<userTask id="task" name="&nbsp;"/>"#);
    refused_file(unknown, "5:25", &["nbsp"]);
}

#[test]
fn a_dry_run_changes_nothing_and_finds_the_same() {
    let folder = Folder::new("dry");
    let end = r#"<sequenceFlow id="on" sourceRef="task" targetRef="end"/><endEvent id="end"/>"#;
    let good = folder.write("dry.bpmn", process("dry", &format!("{USER_TASK}{end}")));
    refused(
        &[&good, "--dry-run"],
        0,
        &["no findings", "--dry-run only checks"],
    );
    let bad = folder.write("bad.bpmn", "no XML");
    refused(&[folder.text(), "--dry-run"], 1, &[&format!("{bad}:1:1")]);
}

#[test]
fn a_topic_that_nobody_serves_is_a_warning_with_the_nearest() {
    let task = r#"<serviceTask id="task" name="Ask" camunda:type="external" camunda:topic="http_requests"/>"#;
    let folder = Folder::new("topic");
    let file = folder.write("ask.bpmn", process("ask-nobody", task));
    let warned = [
        &*format!("{file}:5:63"),
        "http_requests",
        "`Ask`",
        "did you mean http_request?",
    ];
    refused(&[&file, "--dry-run"], 0, &warned);
    let system = System::shared();
    let _alone = system.deploying();
    told(&system.run(["deploy", &file]), 0, &warned);
    assert_eq!(system.definitions().get("ask-nobody"), Some(&1));
}

#[test]
fn a_tenant_that_no_engine_can_keep() {
    let folder = Folder::new("tenant");
    let good = folder.write("tenant.bpmn", process("of-a-tenant", USER_TASK));
    refused(&[&good, "--tenant", ""], 2, &["--tenant", "empty"]);
    refused(&[&good, "--tenant", &"t".repeat(65)], 2, &["--tenant", "64"]);
}

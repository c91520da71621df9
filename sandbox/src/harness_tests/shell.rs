use std::time::{Duration, Instant};

use serde_json::json;

use super::{Harness, Ran, run_with, script};
use crate::{InputFile, Language};

fn run(source: &str) -> Ran {
    run_with("shell", Language::Shell, source, &json!({})).unwrap()
}

#[test]
fn inputs_go_in_by_standard_input_and_what_it_prints_is_the_result() {
    let inputs = json!({"x": ["é\n", "y".repeat(200_000)]});
    let ran = run_with("values", Language::Shell, "cat", &inputs).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap(),
        inputs
    );
    assert!(
        ran.answer.get("result").is_none() && ran.answer.get("error").is_none(),
        "{}",
        ran.answer
    );
}

#[test]
fn it_finds_nothing_of_ours() {
    let ran = run(
        "ls -A; pwd; env | grep -i procos; ls /proc/self/fd | grep '^[4-9]$'; readlink /proc/self/fd/0; echo $0 $#",
    );
    let home = ran.home.path().canonicalize().unwrap();
    assert_eq!(
        ran.stdout,
        format!(
            "{0}\n{0}/.procos-shell.inputs (deleted)\ntask.sh 0\n",
            home.display()
        )
    );
}

#[test]
fn a_status_is_told_with_the_line_of_what_ended_it() {
    for (source, message, line) in [
        ("true\nfalse", "exit status 1", Some(2)),
        (
            "set -e\ntrue\ngrep -q x /dev/null\necho no",
            "exit status 1",
            Some(3),
        ),
        ("f() {\n  nosuch\n}\nf", "exit status 127", Some(4)),
        ("false\nexit 3", "exit status 3", None),
        ("#!/bin/sh\n(exit 7) # x", "exit status 7", Some(2)),
        ("kill -9 $$", "exit status 137: ended by signal 9 (KILL)", None),
        (
            "sleep 60 &\nkill 0",
            "exit status 143: ended by signal 15 (TERM)",
            None,
        ),
        ("trap 'echo bye' EXIT; exit 5", "exit status 5", None),
        ("if\nfi", "exit status 2", None),
    ] {
        run(source).error("exit", message, line);
    }
}

#[test]
fn what_fails_is_not_more_than_said() {
    for source in [
        "false\ntrue",
        "",
        "false || true",
        "x=5 # c",
        "cat <<E\nfoo",
        "sleep 600 >/dev/null 2>&1 &",
        "exec true",
    ] {
        let begun = Instant::now();
        let ran = run(source);
        assert!(ran.answer.get("error").is_none(), "{source}: {}", ran.answer);
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn bash_names_its_messages_by_the_script() {
    for (name, shown) in [
        ("task.sh", "task.sh"),
        ("-x y/we'ird \"$(x).sh", "we'ird \"$(x).sh"),
        ("-c", "-c"),
    ] {
        let mut script = script(Language::Shell, "f() {\n  nosuch\n}\nf\nif\nfi");
        script.name = name.to_owned();
        let ran = Harness::start("name", Language::Shell).unwrap().run(&script);
        assert_eq!(
            ran.stderr,
            format!(
                "{shown}: line 2: nosuch: command not found\n{shown}: line 6: syntax error near unexpected token `fi'\n\
                 {shown}: line 6: `fi'\n"
            )
        );
    }
}

#[test]
fn a_file_of_the_script_s_name_is_left_as_it_is() {
    let mut script = script(Language::Shell, "cat task.sh");
    script.files.push(InputFile {
        name: "task.sh".to_owned(),
        content: b"mine".to_vec(),
    });
    let ran = Harness::start("same", Language::Shell).unwrap().run(&script);
    assert_eq!(ran.stdout, "mine");
}

#[test]
fn long_scripts_and_all_of_bash_run() {
    let ran = run(&format!(
        "{}\ndeclare -A a; a[x]=1; echo ${{a[x]}} $LINENO",
        "#".repeat(300_000)
    ));
    assert_eq!(ran.stdout, "1 2\n");
}

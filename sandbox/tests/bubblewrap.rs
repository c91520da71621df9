//! The bubblewrap backend, with the real program.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "test code")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{
    BackendChoice, Ending, Language, Limit, Limits, Report, Sandbox, SandboxError, Script, Settings,
};
use serde_json::{Value as Json, json};

/// Where a test that is killed keeps its notes: set for [`a_worker_to_be_killed`] alone.
const KILLED: &str = "PROCOS_TEST_KILLED";

fn settings(state: &Path) -> Settings {
    let mut settings = Settings::new(state);
    settings.backend = BackendChoice::Bubblewrap;
    settings.warm = 1;
    settings
}

fn python(source: &str) -> Script {
    Script {
        language: Language::Python,
        image: None,
        name: "test.py".into(),
        source: source.into(),
        inputs: json!({"a": 2}).as_object().unwrap().clone(),
        files: Vec::new(),
        output_files: Vec::new(),
        result_variables: Vec::new(),
    }
}

fn result(report: Report) -> Json {
    match report.ending {
        Ending::Result(result) => result,
        other => panic!("{other:?}\n{}", report.stderr),
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} does not come to be");
        std::thread::yield_now();
    }
}

/// Ids of processes whose arguments hold this text.
fn processes_with(text: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (line.starts_with("/bin/sleep") && line.contains(text)).then_some(pid)
        })
        .collect()
}

/// Groups that sandboxes have, wherever cgroups can be written to.
fn groups(owner: &str) -> Vec<String> {
    let places = ["", "memory", "pids", "cpu"].map(|place| Path::new("/sys/fs/cgroup").join(place));
    let entries = places
        .iter()
        .filter_map(|place| fs::read_dir(place).ok())
        .flatten()
        .flatten();
    entries
        .map(|entry| entry.path().display().to_string())
        .filter(|path| path.contains(&format!("procos-sandbox-{owner}-")))
        .collect()
}

/// How many processes of cells have this name.
fn cells_of(name: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.starts_with(name.as_bytes())).count()
}

/// Who has noted that it lives.
fn owners(state: &Path) -> Vec<String> {
    let notes = fs::read_dir(state.join("bubblewrap/sandbox-owners"))
        .unwrap()
        .flatten();
    notes
        .map(|note| note.file_name().to_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_script_runs_and_the_next_begins_anew() {
    let state = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path())).await.unwrap();
    let script = python(
        "import os\nopen('x', 'a').write('x')\nprint('hello')\nresult = [inputs['a'] * 21, os.listdir('.')]",
    );
    for _ in 0..3 {
        let report = sandbox.run(&script, sandbox.limits()).await.unwrap();
        assert_eq!(report.stdout, "hello\n");
        assert_eq!(result(report), json!([42, ["x"]]));
    }
    sandbox.close().await;
}

#[tokio::test]
async fn a_killed_worker_leaves_nothing() {
    let state = tempfile::tempdir().unwrap();
    let nap = format!("31536100.{}", std::process::id());
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_worker_to_be_killed", "--nocapture"])
        .env(KILLED, state.path())
        .env("PROCOS_TEST_NAP", &nap)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("holding")));
    until("its script", || processes_with(&nap).len() == 1);
    let owner = owners(state.path()).remove(0);
    worker.kill().unwrap();
    worker.wait().unwrap();
    until("the end of its script", || processes_with(&nap).is_empty());
    // A group with a dying process in it would be left to the start after the next.
    until("the end of its cells", || {
        cells_of(&format!("procos-sandbox-{owner}")) == 0
    });
    // A place that can be written to holds its groups until the next start.
    let can_group = fs::create_dir("/sys/fs/cgroup/pids/procos-test-can-write").is_ok();
    if can_group {
        fs::remove_dir("/sys/fs/cgroup/pids/procos-test-can-write").unwrap();
        assert!(!groups(&owner).is_empty());
    }
    let sandbox = Sandbox::open(&settings(state.path())).await.unwrap();
    assert_eq!(groups(&owner), Vec::<String>::new());
    assert!(!owners(state.path()).contains(&owner));
    let next = owners(state.path()).remove(0);
    sandbox.close().await;
    drop(sandbox);
    assert_eq!(owners(state.path()), Vec::<String>::new());
    until("the end of its groups", || groups(&next).is_empty());
}

/// Not a test of its own: what `a_killed_worker_leaves_nothing` kills.
#[tokio::test]
async fn a_worker_to_be_killed() {
    let Some(state) = std::env::var_os(KILLED) else {
        return;
    };
    let nap = std::env::var("PROCOS_TEST_NAP").unwrap();
    let sandbox = Sandbox::open(&settings(Path::new(&state))).await.unwrap();
    println!("holding");
    let script = format!("import os\nos.setsid()\nos.execv('/bin/sleep', ['/bin/sleep', '{nap}'])");
    sandbox.run(&python(&script), sandbox.limits()).await.unwrap();
}

#[tokio::test]
async fn a_run_that_is_given_up_ends() {
    let state = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path())).await.unwrap();
    let nap = format!("31536200.{}", std::process::id());
    let script = python(&format!(
        "import subprocess\nsubprocess.run(['/bin/sleep', '{nap}'])"
    ));
    let run = tokio::spawn({
        let sandbox = sandbox.clone();
        async move { sandbox.run(&script, sandbox.limits()).await }
    });
    tokio::task::spawn_blocking({
        let nap = nap.clone();
        move || until("its child", || processes_with(&nap).len() == 1)
    })
    .await
    .unwrap();
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    until("its child's end", || processes_with(&nap).is_empty());
    sandbox.close().await;
}

/// A start that is given up at any moment leaves no process: bwrap's first one does not end with its parent until it is ready.
#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() {
    let state = tempfile::tempdir().unwrap();
    let mut settings = settings(state.path());
    settings.warm = 0;
    let sandbox = Sandbox::open(&settings).await.unwrap();
    let name = format!("procos-sandbox-{}", owners(state.path()).remove(0));
    let script = python("result = 1");
    for micros in (0..60).map(|step| step * 250) {
        let run = sandbox.run(&script, sandbox.limits());
        let _ = tokio::time::timeout(Duration::from_micros(micros), run).await;
    }
    sandbox.close().await;
    until("the end of all", || cells_of(&name) == 0);
}

#[tokio::test]
async fn a_cell_that_died_while_it_waited_costs_nobody_a_run() {
    let state = tempfile::tempdir().unwrap();
    let mut settings = settings(state.path());
    settings.languages = vec![Language::Python];
    settings.limits.tmpfs = 12_345_678;
    let sandbox = Sandbox::open(&settings).await.unwrap();
    while sandbox.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    // The kernel's killer might choose what waits. It is known by the size of its working directory.
    let size = settings.limits.tmpfs.to_string();
    let cells = || {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let lines = entries
            .filter_map(|entry| Some((entry.file_name(), fs::read(entry.path().join("cmdline")).ok()?)));
        let ours = lines.filter(|(_, line)| String::from_utf8_lossy(line).contains(&size));
        ours.filter_map(|(pid, _)| pid.into_string().ok())
            .collect::<Vec<_>>()
    };
    assert!(
        Command::new("kill")
            .arg("-9")
            .args(cells())
            .status()
            .unwrap()
            .success()
    );
    until("its end", || cells().is_empty());
    assert_eq!(
        result(
            sandbox
                .run(&python("result = 7"), sandbox.limits())
                .await
                .unwrap()
        ),
        7
    );
    sandbox.close().await;
}

#[tokio::test]
async fn what_is_asked_for_tightens_and_nothing_loosens() {
    let state = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path())).await.unwrap();
    let hog =
        python("x = bytearray(100_000_000)\nfor i in range(0, len(x), 4096): x[i] = 1\nresult = 'had it'");
    let own = *sandbox.limits();
    assert_eq!(result(sandbox.run(&hog, &own).await.unwrap()), "had it");
    let tight = Limits {
        memory: 40 << 20,
        ..own
    };
    match sandbox.run(&hog, &tight).await.unwrap().ending {
        Ending::Limit(hit) => assert_eq!((hit.limit, hit.said.contains("40.0 MiB")), (Limit::Memory, true)),
        other => panic!("{other:?}"),
    }
    let mut large = python("result = len(inputs['text'])");
    large.inputs.insert("text".into(), "x".repeat(100 << 20).into());
    match sandbox.run(&large, &tight).await.unwrap().ending {
        Ending::Limit(hit) => assert_eq!(hit.limit, Limit::Memory),
        other => panic!("{other:?}"),
    }
    let loose = Limits {
        timeout: Duration::from_secs(1000),
        memory: u64::MAX,
        ..own
    };
    let huge =
        python("x = bytearray(400_000_000)\nfor i in range(0, len(x), 4096): x[i] = 1\nresult = 'had it'");
    match sandbox.run(&huge, &loose).await.unwrap().ending {
        Ending::Limit(hit) => assert!(hit.said.contains("256.0 MiB"), "{}", hit.said),
        other => panic!("{other:?}"),
    }
    sandbox.close().await;
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_its_remedy() {
    let state = tempfile::tempdir().unwrap();
    for (program, parts) in [
        ("/bin/false", ["/bin/false", "sandbox.bubblewrap"]),
        ("/no/such/program", ["No such file", "apt-get install bubblewrap"]),
    ] {
        let mut settings = settings(state.path());
        settings.bubblewrap = program.into();
        let refused = Sandbox::open(&settings).await.unwrap_err();
        assert!(matches!(refused, SandboxError::Refused(_)));
        for part in parts {
            assert!(refused.to_string().contains(part), "{refused}");
        }
    }
    let mut settings = settings(state.path());
    settings
        .roots
        .insert("javascript".into(), state.path().to_owned());
    let sandbox = Sandbox::open(&settings).await.unwrap();
    for (image, language, part) in [
        (
            Some("science"),
            Language::Python,
            "script/sandbox-images --roots DIR science",
        ),
        (None, Language::JavaScript, "no folder `usr`"),
    ] {
        let script = Script {
            language,
            image: image.map(str::to_owned),
            ..python("")
        };
        let error = sandbox
            .run(&script, sandbox.limits())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
    }
    sandbox.close().await;
}

/// An answer that the script forges itself, as it can find its mark, is taken for no more than an answer.
#[tokio::test]
async fn forged_answers_do_no_harm() {
    let state = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path())).await.unwrap();
    let forge = |answer: &str| {
        python(&format!(
            r#"
import os, sys
frame, found = sys._getframe(), []
while frame:
    found += [v if isinstance(v, bytes) else v.encode() for v in frame.f_locals.values() if isinstance(v, (str, bytes)) and len(v) == 32]
    frame = frame.f_back
mark = next(v for v in found if not v.strip(b"0123456789abcdef"))
answer = {answer}
os.write(2, mark)
os.write(1, mark + b" %d\n" % len(answer) + answer)
os._exit(0)
"#
        ))
    };
    for (answer, part) in [
        ("b'[' * 100000", "nested deeper than 128"),
        ("b'{\"result\": NaN}'", "cannot be read"),
        ("b'{\"result\": 1e999}'", "cannot be read"),
        ("b'\\xff\\xfe'", "cannot be read"),
        (
            "b'{\"result\": [' + b'{\"\": []},' * 100000 + b'0]}'",
            "more values than can be passed on",
        ),
        ("b'{\"files\": [\"%%%\"], \"result\": 1}'", "x.png"),
    ] {
        let script = Script {
            output_files: vec!["x.png".into()],
            ..forge(answer)
        };
        match sandbox.run(&script, sandbox.limits()).await.unwrap().ending {
            Ending::Error(error) => assert!(error.message.contains(part), "{answer}: {error:?}"),
            other => panic!("{answer}: {other:?}"),
        }
    }
    sandbox.close().await;
}

/// Every language, in what script/sandbox-images makes for it, and Python in this machine's own /usr.
#[tokio::test]
async fn every_language_runs() {
    let roots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/images/roots");
    let state = tempfile::tempdir().unwrap();
    let mut settings = settings(state.path());
    settings.warm = 0;
    for name in ["javascript", "shell", "scilab", "science"] {
        if !roots.join(name).is_dir() {
            println!(
                "SKIPPED sandbox-roots: no {}; script/test makes it",
                roots.join(name).display()
            );
            return;
        }
        settings.roots.insert(name.into(), roots.join(name));
    }
    let sandbox = Sandbox::open(&settings).await.unwrap();
    for (language, image, source, expected) in [
        (
            Language::Python,
            None,
            "def main(inputs):\n    return inputs['a'] * 21",
            json!(42),
        ),
        (Language::JavaScript, None, "return inputs.a * 21", json!(42)),
        (
            Language::JavaScript,
            None,
            "export default async ({ a }) => ({ twice: a * 2 })",
            json!({"twice": 4}),
        ),
        (Language::Shell, None, "jq '.a * 21'", json!(42)),
        (Language::Scilab, None, "result = a * 21", json!(42)),
        (
            Language::Python,
            Some("science"),
            "import numpy, scipy.optimize, pandas\nresult = [float(numpy.dot([1, 2], [3, 4])), pandas.Series([1, 2]).sum()]",
            json!([11.0, 3]),
        ),
    ] {
        let script = Script {
            language,
            image: image.map(str::to_owned),
            ..python(source)
        };
        let report = sandbox.run(&script, sandbox.limits()).await.unwrap();
        assert_eq!(result(report), expected, "{language}: {source}");
    }
    // In this machine's own /usr its libraries are where links in /etc would lead.
    if Path::new("/usr/bin/scilab-cli").exists() {
        let mut settings = settings.clone();
        settings.roots.clear();
        let plain = Sandbox::open(&settings).await.unwrap();
        let script = Script {
            language: Language::Scilab,
            ..python("result = sum([1 2; 3 4] * [1; 1]) * a")
        };
        assert_eq!(
            result(plain.run(&script, plain.limits()).await.unwrap()),
            json!(20)
        );
        plain.close().await;
    } else {
        println!("SKIPPED sandbox-scilab: no scilab-cli; script/test installs it");
    }
    let plot = Script {
        image: Some("science".into()),
        output_files: vec!["plot.png".into(), "not-there.png".into()],
        ..python("import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.savefig('plot.png')")
    };
    let report = sandbox.run(&plot, sandbox.limits()).await.unwrap();
    assert_eq!(report.files.len(), 1, "{report:?}");
    assert!(report.files[0].content.starts_with(b"\x89PNG"));
    sandbox.close().await;
}

#[tokio::test]
async fn a_shell_s_error_tells_its_line_and_what_it_said() {
    let state = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path())).await.unwrap();
    let shell = |source: &str| Script {
        language: Language::Shell,
        name: "steps.sh".into(),
        ..python(source)
    };
    for (source, line, part) in [
        (
            "echo one\nno_such_command",
            2,
            "no_such_command: command not found",
        ),
        ("echo one\nif", 2, "syntax error"),
    ] {
        match sandbox
            .run(&shell(source), sandbox.limits())
            .await
            .unwrap()
            .ending
        {
            Ending::Error(error) => {
                assert!(error.line.is_some_and(|at| at.abs_diff(line) <= 1), "{error:?}");
                assert!(error.traceback.contains(part), "{error:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    let bomb = "for i in $(seq 200); do sleep 60 & done; wait";
    match sandbox.run(&shell(bomb), sandbox.limits()).await.unwrap().ending {
        Ending::Limit(hit) => assert_eq!(hit.limit, Limit::Processes),
        other => panic!("{other:?}"),
    }
    sandbox.close().await;
}

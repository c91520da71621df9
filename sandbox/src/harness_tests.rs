//! The harnesses, run by the bare interpreters: what is said and answered, without a sandbox around.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

use crate::protocol::{Answer, READY, Reader, new_mark, order};
use crate::{InputFile, Language, Script};

mod javascript;
mod python;
mod scilab;
mod shell;

const DEADLINE: Duration = Duration::from_secs(60);
const ALLOWED: u64 = 64 << 20;

/// A harness that waits, in a working directory of its own. Whatever it leaves running goes with it.
struct Harness {
    child: Child,
    home: TempDir,
}

/// What came of a run.
struct Ran {
    stdout: String,
    stderr: String,
    answer: Json,
    files: Vec<(String, Vec<u8>)>,
    home: TempDir,
}

impl Ran {
    #[track_caller]
    fn result(&self) -> Json {
        assert!(self.answer.get("error").is_none(), "{}", self.answer);
        self.answer["result"].clone()
    }

    #[track_caller]
    fn error(&self, kind: &str, message: &str, line: Option<u32>) {
        let error = &self.answer["error"];
        assert_eq!(
            (&error["kind"], &error["message"], error["line"].as_u64()),
            (&json!(kind), &json!(message), line.map(u64::from)),
            "{}{}",
            self.answer,
            self.stderr
        );
    }

    fn message(&self) -> &str {
        self.answer["error"]["message"].as_str().unwrap_or_default()
    }

    fn traceback(&self) -> &str {
        self.answer["error"]["traceback"].as_str().unwrap_or_default()
    }
}

const PATH: &str = crate::cell::ENVIRONMENT[0].1;

impl Harness {
    /// Of a language; where its interpreter is missing, says so and gives none.
    fn start(test: &str, language: Language) -> Option<Self> {
        Self::start_as(test, language, &language.command())
    }

    /// The same by another command than the language's own.
    fn start_as(test: &str, language: Language, command: &[&str]) -> Option<Self> {
        let program = match language {
            Language::Scilab => "scilab-cli",
            _ => command[0],
        };
        // As a cell looks for it.
        let path = PATH.split(':').map(|folder| Path::new(folder).join(program));
        if !path.into_iter().any(|path| path.exists()) {
            assert!(
                std::env::var_os("CI").is_none(),
                "{test} must not be left out in continuous integration"
            );
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED harness {language} {test}: there is no {program}"
            );
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        let child = Command::new(command[0])
            .args(&command[1..])
            .current_dir(home.path())
            .env("PATH", PATH)
            .env_remove("NODE_EXTRA_CA_CERTS")
            .env_remove("NODE_OPTIONS")
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        Some(Self { child, home })
    }

    fn run(mut self, script: &Script) -> Ran {
        let mark = new_mark();
        let order = order(script, &mark).unwrap();
        let mut stdin = self.child.stdin.take().unwrap();
        thread::spawn(move || stdin.write_all(&order));
        let (send, came) = mpsc::channel();
        let mut stdout = self.child.stdout.take().unwrap();
        let mut stderr = self.child.stderr.take().unwrap();
        let mut ready = [0; READY.len()];
        stdout.read_exact(&mut ready).unwrap();
        assert_eq!(ready, READY);
        pass_on(stdout, true, send.clone());
        pass_on(stderr_of(&mut stderr), false, send);

        let (mut out, mut err) = (Reader::stdout(&mark), Reader::stderr(&mark));
        let deadline = Instant::now() + DEADLINE;
        while !(out.is_complete() && err.is_complete()) {
            let (is_out, bytes) = came
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .unwrap_or_else(|why| panic!("no answer ({why}): {} {}", out.printed(), err.printed()));
            let reader = if is_out { &mut out } else { &mut err };
            reader.take(&bytes, ALLOWED).unwrap();
        }
        let bytes = out.answer().unwrap();
        let answer =
            Answer::read(bytes).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(bytes)));
        let files = answer.files(&script.output_files).unwrap();
        Ran {
            stdout: out.printed(),
            stderr: err.printed(),
            answer: serde_json::from_slice(bytes).unwrap(),
            files: files.into_iter().map(|file| (file.name, file.content)).collect(),
            home: std::mem::replace(&mut self.home, tempfile::tempdir().unwrap()),
        }
    }

    /// Closes its standard input without an order: what it said, and how it ended.
    fn unused(mut self) -> (Vec<u8>, Option<i32>) {
        drop(self.child.stdin.take());
        let mut said = Vec::new();
        self.child.stdout.take().unwrap().read_to_end(&mut said).unwrap();
        self.child.stderr.take().unwrap().read_to_end(&mut said).unwrap();
        (said, self.child.wait().unwrap().code())
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        let _ = self.child.wait();
    }
}

fn stderr_of(stderr: &mut std::process::ChildStderr) -> std::fs::File {
    use std::os::fd::AsFd as _;
    stderr.as_fd().try_clone_to_owned().unwrap().into()
}

fn pass_on(mut stream: impl Read + Send + 'static, is_out: bool, send: mpsc::Sender<(bool, Vec<u8>)>) {
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            if send.send((is_out, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
}

fn script(language: Language, source: &str) -> Script {
    Script {
        language,
        image: None,
        name: format!("task.{}", language.extension()),
        source: source.to_owned(),
        inputs: Map::new(),
        files: Vec::new(),
        output_files: Vec::new(),
        result_variables: Vec::new(),
    }
}

/// Runs a source text with inputs.
fn run_with(test: &str, language: Language, source: &str, inputs: &Json) -> Option<Ran> {
    let mut script = script(language, source);
    script.inputs = inputs.as_object().unwrap().clone();
    Some(Harness::start(test, language)?.run(&script))
}

/// The same four programs in the four languages: make links and files, and say that they are through.
const FILE_MAKERS: [(Language, &str); 4] = [
    (
        Language::Python,
        "import os\nos.symlink('/etc/passwd', 'out')\nos.mkdir('d')\nopen('d/x', 'w').write('1')\nos.symlink('d/x', 'in')\n\
         os.symlink('..', 'up')\nos.mkfifo('pipe')\nopen('a\\nb', 'w')\nopen('copy', 'wb').write(open('é b', 'rb').read())",
    ),
    (
        Language::JavaScript,
        "const fs = require('fs'); fs.symlinkSync('/etc/passwd', 'out'); fs.mkdirSync('d'); fs.writeFileSync('d/x', '1');\n\
         fs.symlinkSync('d/x', 'in'); fs.symlinkSync('..', 'up'); require('child_process').execSync('mkfifo pipe');\n\
         fs.writeFileSync('a\\nb', ''); fs.copyFileSync('é b', 'copy')",
    ),
    (
        Language::Shell,
        "ln -s /etc/passwd out; mkdir d; printf 1 >d/x; ln -s d/x in; ln -s .. up; mkfifo pipe; : >$'a\\nb'; cp 'é b' copy",
    ),
    (
        Language::Scilab,
        "unix('ln -s /etc/passwd out; mkdir d; printf 1 >d/x; ln -s d/x in; ln -s .. up; mkfifo pipe; touch ''a\nb''')\n\
         copyfile('é b', 'copy');",
    ),
];

#[test]
fn files_go_in_and_only_those_of_the_working_directory_come_out() {
    for (language, source) in FILE_MAKERS {
        let Some(harness) = Harness::start("files", language) else {
            continue;
        };
        let secret = harness
            .home
            .path()
            .parent()
            .unwrap()
            .join("procos-harness-secret");
        std::fs::write(&secret, "secret").unwrap();
        let mut script = script(language, &source.replace("''a\nb''", "''ab''"));
        let content = b"\0\xff\r\n\n".to_vec();
        for (name, content) in [
            ("é b", content.clone()),
            ("empty", Vec::new()),
            ("-n", b"x".to_vec()),
        ] {
            script.files.push(InputFile {
                name: name.to_owned(),
                content,
            });
        }
        script.output_files = [
            "copy",
            "empty",
            "-n",
            "d/x",
            "in",
            "./d/../d/x",
            "out",
            "up/procos-harness-secret",
            "/etc/passwd",
            "d",
            "none",
            "pipe",
            "../procos-harness-secret",
            "*",
        ]
        .map(str::to_owned)
        .to_vec();
        let ran = harness.run(&script);
        let expected: Vec<(String, Vec<u8>)> = [
            ("copy", content),
            ("empty", Vec::new()),
            ("-n", b"x".to_vec()),
            ("d/x", b"1".to_vec()),
            ("in", b"1".to_vec()),
        ]
        .map(|(name, content)| (name.to_owned(), content))
        .to_vec();
        assert_eq!(ran.files, expected, "{language}: {}{}", ran.answer, ran.stderr);
        assert_eq!(
            ran.answer["files"].as_array().unwrap().len(),
            script.output_files.len()
        );
        assert!(ran.answer.get("error").is_none(), "{language}: {}", ran.answer);
        let left: Vec<_> = std::fs::read_dir(ran.home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('.'))
            .collect();
        assert!(left.is_empty(), "{language} leaves {left:?}");
    }
}

#[test]
fn a_cell_that_is_never_used_ends_silently() {
    for language in Language::ALL {
        let Some(harness) = Harness::start("unused", language) else {
            continue;
        };
        assert_eq!(harness.unused(), (READY.to_vec(), Some(0)), "{language}");
    }
}

#[test]
fn an_answer_comes_also_from_who_closes_what_it_writes_to() {
    for (language, source) in [
        (
            Language::Python,
            "import os\nos.close(1)\nos.close(2)\nresult = 1",
        ),
        (
            Language::JavaScript,
            "require('fs').closeSync(1); require('fs').closeSync(2); return 1",
        ),
        (Language::Shell, "exec >&- 2>&-"),
        (Language::Scilab, "mclose('all'); result = 1"),
    ] {
        let Some(harness) = Harness::start("closed", language) else {
            continue;
        };
        let ran = harness.run(&script(language, source));
        assert!(ran.answer.get("error").is_none(), "{language}: {}", ran.answer);
    }
}

#[test]
fn all_that_is_printed_stands_before_the_answer() {
    for (language, source) in [
        (
            Language::Python,
            "import sys\nsys.stdout.buffer.write(b'\\xff')\nprint('x' * 3_000_000)\nprint('é', file=sys.stderr)",
        ),
        (
            Language::JavaScript,
            "process.stdout.write(Buffer.from([255])); console.log('x'.repeat(3e6)); console.error('é')",
        ),
        (
            Language::Shell,
            "printf '\\377'; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo é >&2",
        ),
    ] {
        let Some(harness) = Harness::start("printed", language) else {
            continue;
        };
        let ran = harness.run(&script(language, source));
        assert!(
            ran.stdout.starts_with("\u{fffd}xx") && ran.stdout.ends_with("x\n"),
            "{language}"
        );
        assert_eq!(
            (ran.stdout.chars().count(), ran.stderr.as_str()),
            (3_000_002, "é\n"),
            "{language}"
        );
    }
}

#[test]
fn a_result_that_is_nested_too_deeply_is_told_so() {
    for (language, source) in [
        (
            Language::Python,
            "result = x = []\nfor _ in range(100_000):\n    x.append([])\n    x = x[0]",
        ),
        (
            Language::JavaScript,
            "const a = []; for (let i = 0, x = a; i < 1e5; i += 1) x = x[0] = []; return a",
        ),
        (
            Language::Scilab,
            "x = 1; for i = 1:500, x = list(x); end\nresult = x",
        ),
    ] {
        let Some(harness) = Harness::start("deep", language) else {
            continue;
        };
        let ran = harness.run(&script(language, source));
        assert!(
            ran.message().starts_with("the result is nested deeper than 1"),
            "{language}: {}",
            ran.answer
        );
    }
}

#[test]
fn what_is_not_deeper_than_that_can_be_read() {
    for (language, source) in [
        (
            Language::Python,
            "x = 1\nfor _ in range(120): x = [x]\nresult = x",
        ),
        (
            Language::JavaScript,
            "let x = 1; for (let i = 0; i < 120; i += 1) x = [x]; return x",
        ),
        (
            Language::Scilab,
            "x = 1; for i = 1:100, x = list(x); end\nresult = x",
        ),
    ] {
        let Some(harness) = Harness::start("deep", language) else {
            continue;
        };
        assert!(
            harness.run(&script(language, source)).result().is_array(),
            "{language}"
        );
    }
}

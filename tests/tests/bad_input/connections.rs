//! Engines that are away, refuse the login, or are something else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use tests::{Procos, free_port, procos_binary};

use crate::system::{Folder, System, USER_TASK, process, told};

/// Every command that talks to the engine; the model is for `deploy`.
fn commands(model: &str) -> Vec<Vec<&str>> {
    let mut all: Vec<Vec<&str>> = [
        "start waits",
        "message month-closed",
        "signal month-closed",
        "ps",
        "incidents",
        "retry abcdef",
        "cancel abcdef",
        "show last",
        "status",
        "check --unused",
    ]
    .iter()
    .map(|line| line.split(' ').collect())
    .collect();
    all.push(vec!["deploy", model]);
    all
}

#[test]
fn a_login_that_the_engine_refuses() {
    let system = System::shared();
    let folder = Folder::new("login");
    let model = folder.write("login.bpmn", process("login", USER_TASK));
    for entry in std::fs::read_dir(system.data_dir().join("secrets")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        folder.write(&format!("data/secrets/{name}"), "another-password");
    }
    for command in commands(&model) {
        let call = Procos::new(folder.path()).args(&command);
        let finished = call.env("PROCOS_ENGINE__URL", system.engine_url()).run();
        told(&finished, 2, &["401", "--data-dir"]);
        assert!(
            !finished.stderr.contains("another-password"),
            "{}",
            finished.stderr
        );
    }
    assert!(!system.definitions().contains_key("login"));
}

#[test]
fn no_login_at_all() {
    let folder = Folder::new("no-login");
    let model = folder.write("login.bpmn", process("login", USER_TASK));
    for command in commands(&model) {
        let finished = Procos::new(folder.path()).args(&command).run();
        told(&finished, 2, &["there is no login in", "--data-dir"]);
    }
}

#[test]
fn no_engine() {
    let folder = Folder::new("no-engine");
    let model = folder.write("away.bpmn", process("away", USER_TASK));
    let address = format!("http://127.0.0.1:{}/engine-rest", free_port());
    for command in commands(&model) {
        let finished = attached(&folder, &address, &command).run();
        told(&finished, 3, &[&address, "procos up"]);
        let finished = attached(&folder, &address, &command).args(["--json"]).run();
        assert!(finished.json().is_object());
        assert_eq!(finished.code, Some(3), "{command:?}");
    }
}

fn attached(folder: &Folder, url: &str, command: &[&str]) -> Procos {
    Procos::new(folder.path())
        .args(command)
        .env("PROCOS_ENGINE__KIND", "attached")
        .env("PROCOS_ENGINE__URL", url)
}

/// Answers everything with the same bytes; gives its address.
fn impostor(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { continue };
            thread::spawn(move || {
                // The whole head, so that closing is no reset.
                let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
                while !answer.is_empty() && !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    match connection.read(&mut buffer) {
                        Ok(0) | Err(_) => break,
                        Ok(read) => head.extend_from_slice(&buffer[..read]),
                    }
                }
                let _ = connection.write_all(answer);
            });
        }
    });
    format!("http://{address}/engine-rest")
}

#[test]
fn something_else_that_answers() {
    let folder = Folder::new("impostor");
    let model = folder.write("away.bpmn", process("away", USER_TASK));
    let page =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>";
    let missing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>";
    let broken = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let away = b"HTTP/1.1 302 Found\r\nlocation: https://login.example/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let object = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"hello\":1}";
    let short = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n[{\"id\": ";
    let answers: [&'static [u8]; 8] = [
        page,
        missing,
        broken,
        away,
        object,
        short,
        b"\x15\x03\x01\x00\x02\x02F\r\n\r\n",
        b"",
    ];
    for answer in answers {
        let url = impostor(answer);
        for command in commands(&model) {
            let finished = attached(&folder, &url, &command).run();
            told(&finished, 3, &["engine.url"]);
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let system = System::shared();
    let folder = Folder::new("pipe");
    let started = system.run(["start", "waits", "--json"]).expect_code(0).json();
    for arguments in [
        vec!["ps", "--all", "--json"],
        vec!["ps", "--all"],
        vec!["adapters", "--json"],
        vec!["config", "show"],
        vec!["config", "show", "--sources"],
        vec!["show", started["instance_id"].as_str().unwrap()],
        vec!["status"],
        vec!["--help"],
    ] {
        let mut child = Command::new(procos_binary())
            .current_dir(folder.path())
            .args(&arguments)
            .args(["--data-dir".into(), system.data_dir()])
            .env_clear()
            .env("PROCOS_ENGINE__URL", system.engine_url())
            .env("PROCOS_HTTP__LISTEN", system.http_address())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{arguments:?}");
    }
}

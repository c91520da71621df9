//! The launcher over its socket, with Docker behind it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a failed expectation is a failed test"
)]

mod daemon;

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::{
    BackendChoice, Ending, InputFile, LauncherError, Limit, Limits, Sandbox, SandboxError, Settings, serve,
};
use serde_json::{Value as Json, json};
use tempfile::{TempDir, tempdir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use daemon::{LONG, containers, docker, owners, python, result, settings, states, until, until_states};

/// A launcher that serves in the background.
struct Launcher {
    folder: TempDir,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), LauncherError>>,
}

impl Launcher {
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_in(tempdir().unwrap(), change).await
    }

    async fn start_in(folder: TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(folder.path(), 1);
        change(&mut settings);
        let sandbox = Sandbox::open(&settings).await.unwrap();
        let stop = CancellationToken::new();
        let (socket, until_stopped) = (socket_in(&folder), stop.clone());
        let serving = tokio::spawn(async move { serve(&socket, sandbox, until_stopped).await });
        let launcher = Self {
            folder,
            stop,
            serving,
        };
        until("it listens", async || launcher.socket().exists()).await;
        launcher
    }

    fn socket(&self) -> PathBuf {
        socket_in(&self.folder)
    }

    fn owner(&self) -> String {
        owners(self.folder.path()).remove(0)
    }

    async fn worker(&self) -> Sandbox {
        Sandbox::open(&of_a_worker(&self.socket())).await.unwrap()
    }

    async fn stop(self) -> TempDir {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        self.folder
    }
}

fn socket_in(folder: &TempDir) -> PathBuf {
    folder.path().join("launcher.sock")
}

/// A worker's settings: it has neither a backend of its own nor images.
fn of_a_worker(socket: &Path) -> Settings {
    let mut settings = Settings::new("/nowhere");
    settings.backend = BackendChoice::Launcher;
    settings.launcher = socket.to_owned();
    settings.limits = daemon::settings(Path::new("/nowhere"), 0).limits;
    settings
}

/// Asks without the client, as somebody else would: the status and the body.
async fn ask(socket: &Path, method: &str, path: &str, body: &[u8]) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // It may answer before it has read everything, and hang up.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).expect("a status line").parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

fn request() -> Json {
    let limits = of_a_worker(Path::new("/nowhere")).limits;
    json!({"script": python("result = 1"), "limits": limits})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_docker_runs_scripts_by_it() {
    if docker("launcher").await.is_none() {
        return;
    }
    let launcher = Launcher::start(|_| {}).await;
    let worker = launcher.worker().await;
    assert_eq!(worker.self_test().backend, "docker");
    assert!(!worker.self_test().probes.is_empty());
    let mut script =
        python("print('hello')\nopen('b', 'wb').write(open('a', 'rb').read()[::-1])\nresult = inputs['n']");
    script.inputs.insert("n".to_owned(), json!([1, "two", null]));
    script.files.push(InputFile {
        name: "a".to_owned(),
        content: vec![0, 255, 10],
    });
    script.output_files.push("b".to_owned());
    for _ in 0..3 {
        let report = worker.run(&script, worker.limits()).await.unwrap();
        assert_eq!(report.stdout, "hello\n");
        assert_eq!(report.files[0].content, [10, 255, 0]);
        assert_eq!(result(report), json!([1, "two", null]));
    }
    // Every byte of it needs six in JSON.
    let loud = python(
        "import sys\nsys.stdout.write('\\x01' * 2_000_000)\nsys.stderr.write('\\x02' * 2_000_000)\nresult = '\\x03' * 100_000",
    );
    let report = worker.run(&loud, worker.limits()).await.unwrap();
    assert_eq!((report.stdout.len(), report.stderr.len()), (2_000_000, 2_000_000));
    // What went wrong there arrives as it was.
    let mut script = python("result = 1");
    script.image = Some("unknown".to_owned());
    match worker.run(&script, worker.limits()).await {
        Err(SandboxError::Start {
            backend: "docker",
            what,
            ..
        }) => assert_eq!(what, "unknown"),
        other => panic!("{other:?}"),
    }
    launcher.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_more_than_the_launchers_own_limits() {
    if docker("launcher limits").await.is_none() {
        return;
    }
    let launcher = Launcher::start(|settings| {
        settings.limits.timeout = Duration::from_secs(3);
        settings.limits.memory = 64 << 20;
        settings.limits.output = 1000;
    })
    .await;
    let worker = launcher.worker().await;
    let mine = Limits {
        timeout: Duration::from_secs(100),
        memory: 1 << 30,
        output: 1 << 30,
        ..*worker.limits()
    };
    for (source, limit) in [
        ("while True:\n    pass", Limit::Time),
        ("x = b'x' * 100_000_000", Limit::Memory),
        ("print('x' * 2000)", Limit::Output),
    ] {
        let report = worker.run(&python(source), &mine).await.unwrap();
        assert!(report.duration < Duration::from_secs(30), "{:?}", report.duration);
        match report.ending {
            Ending::Limit(hit) => assert_eq!(hit.limit, limit),
            other => panic!("{source}: {other:?}"),
        }
    }
    launcher.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_script_and_its_limits_can_be_asked_for() {
    if docker("launcher requests").await.is_none() {
        return;
    }
    let launcher = Launcher::start(|_| {}).await;
    let socket = launcher.socket();
    let run = async |request: &Json| ask(&socket, "POST", "/runs", request.to_string().as_bytes()).await;

    let (status, body) = ask(&socket, "GET", "/", b"").await;
    let welcome: Json = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &welcome["version"]),
        (200, &json!(env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(run(&request()).await.0, 200);

    for (pointer, field, value) in [
        ("", "network", json!("host")),
        ("", "binds", json!(["/"])),
        ("/script", "command", json!(["id"])),
        ("/script", "privileged", json!(true)),
        ("/limits", "user", json!(0)),
    ] {
        let mut request = request();
        let place = request.pointer_mut(pointer).unwrap();
        place.as_object_mut().unwrap().insert(field.to_owned(), value);
        let (status, body) = run(&request).await;
        assert_eq!(status, 400, "{pointer}/{field}: {body}");
        assert!(body.contains(&format!("unknown field `{field}`")), "{body}");
    }
    let mut with_file = request();
    with_file["script"]["files"] = json!([{"name": "a", "content": "", "mode": 511}]);
    assert_eq!(run(&with_file).await.0, 400);

    // Neither an image of Docker's nor one that merely ends up there.
    for image in [
        "debian:bookworm-slim",
        "procos/script-shell:bookworm",
        "../python",
    ] {
        let mut request = request();
        request["script"]["image"] = json!(image);
        let (status, body) = run(&request).await;
        assert_eq!(status, 503, "{image}: {body}");
        assert!(body.contains("no image has this name"), "{body}");
    }
    for (method, path) in [
        ("GET", "/runs"),
        ("POST", "/"),
        ("GET", "/containers/json"),
        ("DELETE", "/runs"),
    ] {
        let (status, body) = ask(&socket, method, path, b"").await;
        assert_eq!(status, 404, "{method} {path}: {body}");
        assert_eq!(serde_json::from_str::<Json>(&body).unwrap()["error"], "request");
    }
    let (status, body) = ask(&socket, "POST", "/runs", b"{").await;
    assert_eq!(status, 400, "{body}");
    let (status, body) = ask(&socket, "POST", "/runs", &vec![b' '; (64 << 20) + 1]).await;
    assert_eq!(status, 413, "{body}");
    launcher.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_its_run() {
    let Some(docker) = docker("launcher cancellation").await else {
        return;
    };
    let launcher = Launcher::start(|settings| settings.warm = 0).await;
    let worker = launcher.worker().await;
    let owner = launcher.owner();
    until("the self-test's cells are gone", async || {
        containers(&docker, &owner).await.is_empty()
    })
    .await;
    let endless = python("while True:\n    pass");
    tokio::select! {
        report = worker.run(&endless, worker.limits()) => panic!("{report:?}"),
        () = until("it runs", async || states(&docker, &owner).await == ["running"]) => {}
    }
    until("it is removed", async || {
        containers(&docker, &owner).await.is_empty()
    })
    .await;
    // The worker goes on with another connection.
    assert_eq!(
        result(worker.run(&python("result = 2"), worker.limits()).await.unwrap()),
        json!(2)
    );
    launcher.stop().await;
}

/// Why it does not serve there.
async fn refused(socket: &Path, sandbox: &Sandbox) -> LauncherError {
    let serving = serve(socket, sandbox.clone(), CancellationToken::new());
    timeout(LONG, serving).await.expect("it serves").unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_launcher_alone_has_the_socket() {
    if docker("launcher socket").await.is_none() {
        return;
    }
    let folder = tempdir().unwrap();
    let socket = socket_in(&folder);
    // What a killed one leaves.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    fs::create_dir(folder.path().join("launcher.sock.new")).unwrap();
    let stale = fs::symlink_metadata(&socket).unwrap();
    assert!(stale.file_type().is_socket());
    let launcher = Launcher::start_in(folder, |_| {}).await;
    until("it is its own", async || {
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    })
    .await;
    let mode = fs::symlink_metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // It goes just after the socket has come.
    until("its scaffold goes", async || {
        !socket.with_extension("sock.new").exists()
    })
    .await;

    let second = tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(second.path(), 0)).await.unwrap();
    let error = refused(&socket, &sandbox).await;
    assert!(matches!(error, LauncherError::AlreadyRunning(_)), "{error:?}");
    assert!(error.to_string().contains("sandbox.launcher"), "{error}");
    assert_eq!(
        result(
            launcher
                .worker()
                .await
                .run(&python("result = 3"), sandbox.limits())
                .await
                .unwrap()
        ),
        json!(3)
    );

    let file = second.path().join("file");
    fs::write(&file, "precious").unwrap();
    let error = refused(&file, &sandbox).await;
    assert!(matches!(error, LauncherError::NoSocket(_)), "{error:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    let error = refused(Path::new("/proc/launcher.sock"), &sandbox).await;
    assert!(matches!(error, LauncherError::Socket { .. }), "{error:?}");

    let _folder = launcher.stop().await;
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_when_what_is_under_way_has_ended_and_may_start_again() {
    let Some(docker) = docker("launcher restart").await else {
        return;
    };
    let launcher = Launcher::start(|_| {}).await;
    let owner = launcher.owner();
    let worker = launcher.worker().await;
    until_states(&docker, &owner, &["running"]).await;
    // Long enough to be seen, and its end is waited for.
    let slow = python("import time\ntime.sleep(2)\nresult = 4");
    let slow_run = async { worker.run(&slow, worker.limits()).await };
    let stopped = async {
        until("a second cell is made, as the first one runs", async || {
            states(&docker, &owner).await == ["running", "running"]
        })
        .await;
        launcher.stop().await
    };
    let (report, folder) = tokio::join!(slow_run, stopped);
    assert_eq!(result(report.unwrap()), json!(4));
    assert_eq!(containers(&docker, &owner).await, []);

    match worker.run(&slow, worker.limits()).await {
        Err(SandboxError::Start {
            backend: "launcher",
            said,
            ..
        }) => {
            assert!(said.contains("procos sandbox-launcher"), "{said}");
        }
        other => panic!("{other:?}"),
    }
    let launcher = Launcher::start_in(folder, |_| {}).await;
    assert_eq!(
        result(worker.run(&python("result = 5"), worker.limits()).await.unwrap()),
        json!(5)
    );
    // Once more, so that the connection that is kept is a dead one.
    let launcher = Launcher::start_in(launcher.stop().await, |_| {}).await;
    assert_eq!(
        result(worker.run(&python("result = 6"), worker.limits()).await.unwrap()),
        json!(6)
    );
    launcher.stop().await;
}

#[tokio::test]
async fn where_none_is_the_remedy_is_told() {
    let folder = tempdir().unwrap();
    let socket = socket_in(&folder);
    let refused = Sandbox::open(&of_a_worker(&socket))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("procos sandbox-launcher"), "{refused}");
    assert!(refused.contains(&socket.display().to_string()), "{refused}");
    // Somebody else who listens there.
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let other = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let mut stream = listener.accept().unwrap().0;
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    });
    let refused = Sandbox::open(&of_a_worker(&socket))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("no sandbox launcher of this version"),
        "{refused}"
    );
    other.join().unwrap();
}

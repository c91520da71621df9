//! What a call costs the client: processor time and latency of calls to a server in this process that does nothing.
//!
//! `cargo run --release -p engine-client --example call_cost`

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use engine_client::{Completion, EngineClient, FetchRequest, FetchTopic, Login, Variable, Variables};
use rustix::time::{ClockId, clock_gettime};

const CALLS: u32 = 5_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/engine-rest", listener.local_addr()?);
    std::thread::spawn(move || serve(&listener));
    let login = Login::Basic {
        username: "demo".into(),
        password: "demo".into(),
    };
    let engine = EngineClient::new(url.parse()?, login)?;
    let done = Completion {
        variables: Variables::new(),
        local_variables: Variables::from([("answer".to_owned(), Variable::Integer(42))]),
    };
    let fetch = FetchRequest::new("w", 10, [FetchTopic::new("t", Duration::from_secs(60))]);

    println!("{:<22} {:>12} {:>12}", "call", "CPU µs", "latency µs");
    for round in ["warm-up", "version", "complete", "fetch 10 tasks"] {
        let (began, cpu) = (Instant::now(), thread_time());
        for _ in 0..CALLS {
            match round {
                "complete" => {
                    engine
                        .complete("6dd6f26d-c6a5-11f0-9f1f-0242ac110002", "w", &done)
                        .await?;
                }
                "fetch 10 tasks" => drop(engine.fetch_and_lock(&fetch).await?),
                _ => drop(engine.version().await?),
            }
        }
        let (cpu, elapsed) = (thread_time() - cpu, began.elapsed());
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(CALLS);
        println!("{round:<22} {:>12.1} {:>12.1}", each(cpu), each(elapsed));
    }
    Ok(())
}

/// This thread's processor time: the server's has a thread of its own.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

fn serve(listener: &TcpListener) {
    for connection in listener.incoming().flatten() {
        std::thread::spawn(move || answer(connection));
    }
}

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let task = r#"{"activityId":"step","activityInstanceId":"step:1","errorMessage":null,"errorDetails":null,
        "executionId":"e","id":"6dd6f26d-c6a5-11f0-9f1f-0242ac110002","lockExpirationTime":"2026-03-01T10:00:00.250+0000",
        "processDefinitionId":"p:1:1","processDefinitionKey":"p","processDefinitionVersionTag":null,"processInstanceId":"i",
        "retries":null,"suspended":false,"workerId":"w","topicName":"t","tenantId":null,"variables":{"amount":
        {"type":"Integer","value":2,"valueInfo":{}},"item":{"type":"String","value":"desk","valueInfo":{}}},"priority":0,
        "businessKey":"4711","extensionProperties":{"retry":"R3/PT1M"}}"#;
    let tasks = format!("[{}]", [task; 10].join(","));
    let json = |body: &str| {
        format!(
            "HTTP/1.1 200 \r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let (version, tasks) = (json(r#"{"version":"7.24.0"}"#), json(&tasks));
    let mut reader = BufReader::new(connection.try_clone()?);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let start = head.len();
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
            let line = head[start..].to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length])?;
        let answer = match head.split(' ').nth(1).and_then(|path| path.rsplit('/').next()) {
            Some("version") => &version,
            Some("fetchAndLock") => &tasks,
            _ => "HTTP/1.1 204 \r\n\r\n",
        };
        connection.write_all(answer.as_bytes())?;
    }
}

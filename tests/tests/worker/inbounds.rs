//! An inbound on the real engine: lines from a TCP connection, each an order, acknowledged when it is safe.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine_client::{EngineClient, InstanceQuery, Login};
use tests::{Engine, free_port, until};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use worker_api::{Failure, Inbound, InboundContext, PortError, ProcessPort, StartProcess, async_trait};
use worker_runtime::{EnginePort, InboundState, Inbounds};

use crate::bench::{Bench, SOON, task_process};

/// Starts a process for each line, and answers `ok LINE` when the engine has it.
struct Lines {
    address: SocketAddr,
    process: String,
}

#[async_trait]
impl Inbound for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    async fn run(&self, context: InboundContext) -> Result<(), Failure> {
        let unusable = |error| Failure::retryable(format!("cannot listen at {}: {error}", self.address));
        let listener = TcpListener::bind(self.address).await.map_err(unusable)?;
        context.ready();
        while let Some(connection) = context.stop.run_until_cancelled(listener.accept()).await {
            let (stream, _) = connection.map_err(unusable)?;
            let served = context
                .stop
                .run_until_cancelled(self.serve(stream, context.processes.as_ref()));
            served.await.transpose()?;
        }
        Ok(())
    }
}

impl Lines {
    async fn serve(&self, mut stream: TcpStream, processes: &dyn ProcessPort) -> Result<(), Failure> {
        let (read, mut write) = stream.split();
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line == "break" {
                panic!("a line that nobody foresaw");
            }
            match processes
                .start(StartProcess::new(&self.process).once_per(&line))
                .await
            {
                Ok(_) => {}
                // Not acknowledged, so it comes again.
                Err(error @ (PortError::Unavailable { .. } | PortError::OutcomeUnknown { .. })) => {
                    return Err(Failure::retryable(error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
            if write.write_all(format!("ok {line}\n").as_bytes()).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Sends a line until it is acknowledged, and says how often it had to.
async fn send(address: SocketAddr, line: &str) -> usize {
    let mut tries = 0;
    until(&format!("`{line}` is acknowledged"), SOON, async || {
        tries += 1;
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        if answer == format!("ok {line}\n") {
            Ok(())
        } else {
            Err(std::io::Error::other(format!("answered `{answer}`")))
        }
    })
    .await;
    tries
}

async fn bench(name: &str) -> Bench {
    let bench = Bench::new(name);
    bench.deploy(&task_process("", "")).await;
    bench
}

fn start(bench: &Bench, address: SocketAddr, engine: EngineClient) -> Inbounds {
    let lines = Lines {
        address,
        process: bench.key.clone(),
    };
    let processes: Arc<dyn ProcessPort> = Arc::new(EnginePort::new(engine));
    Inbounds::start(vec![Arc::new(lines)], &processes)
}

async fn ready(inbounds: &Inbounds) {
    until("the inbound is ready", SOON, async || {
        if inbounds.is_ready() {
            Ok(())
        } else {
            Err(format!("{:?}", inbounds.health()))
        }
    })
    .await;
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl Bench {
    async fn keys(&self) -> Vec<String> {
        let query = InstanceQuery {
            process_definition_key: Some(&self.key),
            ..InstanceQuery::default()
        };
        let instances = self.engine.instances(&query).await.unwrap();
        let mut keys: Vec<String> = instances.into_iter().filter_map(|one| one.business_key).collect();
        keys.sort();
        keys
    }
}

#[tokio::test]
async fn what_arrives_is_started_once_and_acknowledged_when_the_engine_has_it() {
    let bench = bench("inbound-lines").await;
    let address = local(free_port());
    let inbounds = start(&bench, address, bench.engine.clone());
    ready(&inbounds).await;
    for line in ["a", "b", "a"] {
        assert_eq!(send(address, line).await, 1);
        assert!(
            bench.keys().await.contains(&line.to_owned()),
            "acknowledged and not there: {line}"
        );
    }
    assert_eq!(bench.keys().await, ["a", "b"]);
    assert!(inbounds.stop(SOON).await.is_empty());
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn what_arrives_while_the_engine_is_away_is_not_acknowledged_and_not_lost() {
    let bench = bench("inbound-away").await;
    let (address, road) = (local(free_port()), local(free_port()));
    let login = Login::Basic {
        username: "kernel".into(),
        password: Engine::shared().password("kernel").into(),
    };
    let engine = EngineClient::new(format!("http://{road}/engine-rest").parse().unwrap(), login).unwrap();
    let inbounds = start(&bench, address, engine);
    ready(&inbounds).await;

    // The road to the engine is opened only when the inbound has met its end.
    let (tries, ()) = tokio::join!(send(address, "a"), async {
        until("the inbound has failed", SOON, async || {
            let health = inbounds.health().remove(0);
            match health.last_failure {
                Some(text) if text.contains("cannot start the process") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        assert!(bench.keys().await.is_empty());
        let listener = TcpListener::bind(road).await.unwrap();
        let engine = Engine::shared().address().replace("http://", "");
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                let engine = engine.clone();
                tokio::spawn(async move {
                    let mut there = TcpStream::connect(engine).await.unwrap();
                    let _ = copy_bidirectional(&mut here, &mut there).await;
                });
            }
        });
    });
    assert!(tries > 1);
    assert_eq!(bench.keys().await, ["a"]);
    assert!(inbounds.stop(SOON).await.is_empty());
}

#[tokio::test]
async fn a_taken_port_and_a_panic_are_survived() {
    let bench = bench("inbound-survives").await;
    let taken = TcpListener::bind(local(0)).await.unwrap();
    let address = taken.local_addr().unwrap();
    let inbounds = start(&bench, address, bench.engine.clone());
    until("the inbound has failed", SOON, async || {
        let health = inbounds.health().remove(0);
        match health.last_failure {
            Some(text) if text.contains("cannot listen") => {
                let _: () = assert!(!inbounds.is_ready());
                Ok(())
            }
            _ => Err("not yet"),
        }
    })
    .await;
    drop(taken);
    ready(&inbounds).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"break\n").await.unwrap();
    until("the panic is told", Duration::from_secs(5), async || {
        let health = inbounds.health().remove(0);
        match health.last_failure {
            Some(text) if text.contains("nobody foresaw") => Ok(()),
            other => Err(format!("{other:?}, {:?}", health.state)),
        }
    })
    .await;
    send(address, "after").await;
    assert_eq!(inbounds.health()[0].state, InboundState::Ready);
    assert_eq!(bench.keys().await, ["after"]);
    assert!(inbounds.stop(SOON).await.is_empty());
}

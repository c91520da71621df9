//! Failure paths of inbounds, by a paused clock.

use std::sync::atomic::{AtomicUsize, Ordering};

use worker_api::{NoProcesses, async_trait};

use super::*;

type Script =
    dyn Fn(usize, InboundContext) -> futures::future::BoxFuture<'static, Result<(), Failure>> + Send + Sync;

/// Runs as its script says for the number of the run, from 1.
struct Scripted {
    script: Box<Script>,
    runs: AtomicUsize,
}

#[async_trait]
impl Inbound for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn run(&self, context: InboundContext) -> Result<(), Failure> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        (self.script)(run, context).await
    }
}

fn scripted<F>(script: impl Fn(usize, InboundContext) -> F + Send + Sync + 'static) -> Arc<Scripted>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    Arc::new(Scripted {
        script: Box::new(move |run, context| Box::pin(script(run, context))),
        runs: AtomicUsize::new(0),
    })
}

fn start(inbounds: &[&Arc<Scripted>]) -> Inbounds {
    let inbounds = inbounds.iter().map(|one| Arc::clone(one) as Arc<dyn Inbound>);
    let processes: Arc<dyn ProcessPort> = Arc::new(NoProcesses);
    Inbounds::start(inbounds.collect(), &processes)
}

async fn waits(context: InboundContext) -> Result<(), Failure> {
    context.ready();
    context.stop.cancelled().await;
    Ok(())
}

impl Scripted {
    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

/// Lets the (paused) time pass and everything happen that is due then.
async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_when_it_says_so_and_ends_when_it_is_told() {
    let inbound = scripted(|_, context| async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        waits(context).await
    });
    let inbounds = start(&[&inbound]);
    pass(1).await;
    assert!(!inbounds.is_ready());
    pass(2).await;
    assert!(inbounds.is_ready());
    let health = inbounds.running[0].health.clone();
    assert_eq!(inbounds.stop(Duration::from_secs(5)).await, Vec::<String>::new());
    assert_eq!(lock(&health).state, InboundState::Stopped);
    assert_eq!(inbound.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn errors_panics_and_early_ends_are_run_again_and_cost_the_others_nothing() {
    let steady = scripted(|_, context| waits(context));
    let shaky = scripted(|run, context| async move {
        match run {
            1 => Err(Failure::retryable("no route to host")),
            2 => panic!("out of range"),
            3 => Ok(()),
            _ => waits(context).await,
        }
    });
    let inbounds = start(&[&steady, &shaky]);
    let mut said = Vec::new();
    while !inbounds.is_ready() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let health = inbounds.health().remove(1);
        assert_eq!(inbounds.health()[0].failures, 0);
        if said.last() != health.last_failure.as_ref() {
            said.extend(health.last_failure);
        }
    }
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].contains("no route") && said[1].contains("out of range") && said[2].contains("ended"));
    assert_eq!((steady.runs(), shaky.runs()), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn delays_grow_and_begin_anew_only_after_it_was_ready_for_a_while() {
    let starts = Arc::new(Mutex::new(Vec::new()));
    let inbound = scripted({
        let starts = Arc::clone(&starts);
        move |run, context| {
            starts.lock().unwrap().push(Instant::now());
            async move {
                context.ready();
                if run == 12 {
                    tokio::time::sleep(STEADY).await;
                }
                Err(Failure::retryable("no"))
            }
        }
    });
    let _inbounds = start(&[&inbound]);
    pass(600).await;
    let starts = starts.lock().unwrap().clone();
    let delays: Vec<Duration> = starts.windows(2).map(|two| two[1] - two[0]).collect();
    // Each doubled, up to ten seconds, and with up to as much again as jitter.
    assert!(delays[0] < Duration::from_millis(250), "{delays:?}");
    assert!(
        delays[10] >= Duration::from_secs(10) && delays[10] <= Duration::from_secs(21),
        "{delays:?}"
    );
    assert!(delays[11] < STEADY + Duration::from_millis(250), "{delays:?}");
    assert!(starts.len() < 100, "{} starts in ten minutes", starts.len());
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_stands_still_and_a_peers_wish_is_heeded() {
    let hopeless = scripted(|_, _| async { Err(Failure::permanent("wrong password")) });
    let later = scripted(|_, _| async {
        Err(Failure::retryable("come back later").with_retry(Retry::NotBefore(Duration::from_secs(100))))
    });
    let inbounds = start(&[&hopeless, &later]);
    pass(350).await;
    assert_eq!((hopeless.runs(), later.runs()), (1, 4));
    let health = inbounds.health();
    assert_eq!(
        (health[0].state, health[1].state),
        (InboundState::Failed, InboundState::Waiting)
    );
    assert_eq!(health[0].last_failure.as_deref(), Some("wrong password"));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_is_given_up_by_name() {
    let stubborn = scripted(|_, context| async move {
        context.ready();
        std::future::pending().await
    });
    let obedient = scripted(|_, context| waits(context));
    let inbounds = start(&[&stubborn, &obedient]);
    pass(1).await;
    let began = Instant::now();
    assert_eq!(inbounds.stop(Duration::from_secs(3)).await, ["scripted"]);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    pass(1).await;
    assert_eq!(Arc::strong_count(&stubborn), 1, "its future is gone");
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_delay() {
    let inbound = scripted(|_, _| async {
        Err(Failure::retryable("later").with_retry(Retry::NotBefore(Duration::from_secs(3600))))
    });
    let inbounds = start(&[&inbound]);
    pass(1).await;
    let began = Instant::now();
    assert!(inbounds.stop(Duration::from_secs(10)).await.is_empty());
    assert_eq!(began.elapsed(), Duration::ZERO);
}

//! What the sandbox of a pool is: one that cannot be used, one of its own, one that a launcher has.

use std::time::Duration;

use rustix::process::Signal;
use tests::Procos;

use crate::world::{Bench, System, configured, variables};

#[tokio::test(flavor = "multi_thread")]
async fn script_tasks_are_incidents_that_say_why_and_others_go_on() {
    let own = "routes:
  refused_script: {adapter: script, topic: python_script}
  refused_format: {adapter: core, topic: response_formatting}
sandbox: {backend: bubblewrap, bubblewrap: /bin/false}
workers: {pools: [{name: refused, capacity: 4, topics: [refused_script, refused_format]}]}
";
    let scratch = configured("refused", own);
    let up = Procos::new(scratch.path()).args(["up"]).spawn();
    up.wait_for_line("Ctrl-C stops everything", Duration::from_secs(120));
    let said = up.stdout();
    let line = |part: &str| {
        said.iter()
            .find(|line| line.contains(part))
            .unwrap_or_else(|| panic!("{part}: {said:?}"))
    };
    assert!(
        line("pool refused").trim_end().ends_with("4 slots, 2 topics"),
        "{said:?}"
    );
    let refused = line("! sandbox");
    assert!(
        refused.contains("bubblewrap") && refused.contains("others are worked off"),
        "{refused}"
    );

    let script = Bench::elsewhere("refused_script").input("script", "result = 1");
    let (incident, _) = script.incident().await;
    Bench::told(&incident, &["scripts are not run", "bubblewrap"]);
    let format = Bench::elsewhere("refused_format")
        .input("template", "fine")
        .input("value", "1");
    let instance = format.start(&variables(&[])).await;
    format.completed(&instance).await;

    let doctor = Procos::new(scratch.path()).args(["doctor"]).run().expect_code(1);
    assert!(doctor.stdout.contains("✗ sandbox"), "{}", doctor.stdout);
    up.signal(Signal::TERM);
    assert!(up.wait_for_end(Duration::from_secs(60)).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn up_says_what_the_sandbox_is_and_stopping_it_leaves_nothing() {
    let system = System::shared();
    let said = system.up.stdout();
    let workers = said.iter().find(|line| line.contains("pool generic")).unwrap();
    let (_, sandbox) = workers
        .split_once(" topics, sandbox bubblewrap (self-test ")
        .unwrap_or_else(|| panic!("{workers}"));
    let (stopped, all) = sandbox.split(')').next().unwrap().split_once('/').unwrap();
    assert!(stopped == all && all.parse::<u32>().unwrap() > 20, "{workers}");
    let doctor = Procos::new(system.scratch.path()).args(["doctor"]).run().stdout;
    assert!(
        doctor.contains("✓ sandbox") && doctor.contains("self-test"),
        "{doctor}"
    );

    let own = "routes: {own_script: {adapter: script, topic: python_script}}
sandbox: {backend: bubblewrap}
workers: {pools: [{name: own, capacity: 4, topics: [own_script]}]}
";
    let scratch = configured("stopped", own);
    let worker = Procos::new(scratch.path()).args(["worker"]).spawn();
    worker.wait_for_line("pool starts", Duration::from_secs(60));
    let bench = Bench::elsewhere("own_script").input("script", "result = 1");
    assert_eq!(bench.answer().await["result"], 1);
    let family = worker.family();
    worker.signal(Signal::TERM);
    assert!(worker.wait_for_end(Duration::from_secs(60)).success());
    family.wait_gone(Duration::from_secs(10)).await;
}

/// A worker without a sandbox of its own, and with nothing that could make one.
#[tokio::test(flavor = "multi_thread")]
async fn a_launcher_runs_the_scripts_of_workers() {
    let scratch = configured("launcher", "sandbox: {backend: bubblewrap}\n");
    let socket = scratch.path().join("launcher.sock");
    let listen = ["sandbox-launcher", "--listen", socket.to_str().unwrap()];
    let launcher = Procos::new(scratch.path()).args(listen).spawn();
    launcher.wait_for_line("the sandbox launcher serves", Duration::from_secs(60));
    let own = format!(
        "routes: {{launched_script: {{adapter: script, topic: python_script}}}}
sandbox: {{backend: launcher, launcher: {}, bubblewrap: /bin/false}}
workers: {{pools: [{{name: launched, capacity: 4, topics: [launched_script]}}]}}
",
        socket.display()
    );
    let scratch = configured("launched", &own);
    let worker = Procos::new(scratch.path()).args(["worker"]).spawn();
    worker.wait_for_line("pool starts", Duration::from_secs(60));
    let bench = Bench::elsewhere("launched_script")
        .input("script", "result = inputs['a']")
        .input("a", "${40 + 2}");
    assert_eq!(bench.answer().await["result"], 42);
    let doctor = Procos::new(scratch.path()).args(["doctor"]).run().stdout;
    assert!(doctor.contains("✓ sandbox"), "{doctor}");
    for process in [worker, launcher] {
        process.signal(Signal::TERM);
        assert!(process.wait_for_end(Duration::from_secs(60)).success());
    }
    assert!(!socket.exists());
}

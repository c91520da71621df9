//! The same on the engine in a container: kind `docker`, with the image that `script/engine-image` builds.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tests::{docker_daemon, skip};

use crate::journeys;
use crate::world::{IMAGE, Kind, System};

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .expect("docker runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The containers of one data directory's engine, running or not.
fn containers(url: &str) -> Vec<String> {
    let port = url
        .trim_start_matches("http://127.0.0.1:")
        .split('/')
        .next()
        .expect("a port");
    let all = docker(&[
        "ps",
        "--all",
        "--filter",
        "label=procos.engine",
        "--format",
        "{{.ID}} {{.Ports}} {{.State}}",
    ]);
    all.lines()
        .filter(|line| line.contains(&format!(":{port}->")))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_container_runs_the_examples_and_does_not_outlive_its_parent() {
    let name = "a_container_runs_the_examples_and_does_not_outlive_its_parent";
    if let Err(why) = docker_daemon() {
        return skip(name, why);
    }
    if docker(&["image", "inspect", "--format", "{{.Id}}", IMAGE]).is_empty() {
        return skip(
            name,
            format!("there is no image {IMAGE}: run script/engine-image"),
        );
    }
    let mut system = System::boot("docker", Kind::Docker);
    system.deploy_examples();
    let url = system.ready["engine_url"]
        .as_str()
        .expect("an address")
        .to_owned();
    let [container] = &containers(&url)[..] else {
        panic!("one container runs: {:?}", containers(&url))
    };
    let id = container.split(' ').next().expect("an id");
    let volume = docker(&["inspect", "--format", "{{range .Mounts}}{{.Name}}{{end}}", id]);
    journeys::an_order_is_priced_and_confirmed(&system);
    journeys::a_large_order_asks_for_a_deposit(&system);
    journeys::a_boundary_error_event_takes_each_business_error(&system);
    journeys::both_branches_of_a_parallel_gateway_run_and_join(&system);
    journeys::an_incident_is_told_with_its_place_and_mended_by_retry(&system);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    system.up.kill9();
    runtime.block_on(tests::until(
        "the container of the killed parent is gone",
        Duration::from_secs(60),
        async || {
            let left = containers(&url);
            if left.iter().all(|line| line.ends_with("exited")) {
                Ok(())
            } else {
                Err(left.join(", "))
            }
        },
    ));

    // The next start clears it away and finds the same data: the example is still deployed.
    let (up, ready) = System::start(&system.scratch);
    (system.up, system.ready) = (up, ready);
    journeys::an_order_is_priced_and_confirmed(&system);
    system.up.signal(Signal::TERM);
    assert_eq!(system.up.wait_for_end(Duration::from_secs(60)).code(), Some(0));
    assert_eq!(
        containers(&url),
        Vec::<String>::new(),
        "an orderly stop removes the container"
    );
    assert_eq!(
        docker(&["volume", "rm", &volume]),
        volume,
        "the data was kept in a named volume"
    );
}

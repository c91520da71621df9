//! Limits, named where they are hit; and `sandbox_config`, which tightens them.

use crate::world::{Bench, variables};

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_is_named_with_what_is_allowed() {
    for (source, config, parts) in [
        (
            "while True: pass",
            r#"{"timeout": "1s"}"#,
            ["its time limit", "it may take 1 s"],
        ),
        (
            "x = bytearray(10**9)",
            r#"{"memory_limit": "64Mi"}"#,
            ["its memory limit", "64.0 MiB"],
        ),
        (
            "import threading, time\nfor _ in range(50): threading.Thread(target=time.sleep, args=(5,)).start()",
            r#"{"pids_limit": 8}"#,
            ["its process limit", "8 processes"],
        ),
        (
            "print('x' * 100000)",
            r#"{"output_limit": "10Ki"}"#,
            ["its output limit", "10.0 KiB"],
        ),
    ] {
        let bench = Bench::new("python_script")
            .input("script", source)
            .input("sandbox_config", config)
            .property("retry", "R1/PT1S");
        let (incident, details) = bench.incident().await;
        Bench::told(&incident, &parts);
        assert!(details.contains("sandbox_config"), "{details}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_can_be_made_a_bpmn_error_by_its_code() {
    let bench = Bench::new("python_script")
        .input("script", "print('begun', flush=True)\nwhile True: pass")
        .input("sandbox_config", r#"{"timeout": "1s"}"#)
        .property("errorMap", "SCRIPT_TIMEOUT -> TOO_SLOW at once")
        .catching("TOO_SLOW");
    let instance = bench.start(&variables(&[])).await;
    bench.completed(&instance).await;
    let answer = bench.variable(&instance, "answer").await;
    assert!(
        answer["details"]
            .as_str()
            .unwrap()
            .contains("standard output:\nbegun"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_more_than_the_operator_allows() {
    let source = "import os\nresult = os.statvfs('.').f_blocks * os.statvfs('.').f_frsize";
    let bytes = async |config: &str| {
        let bench = Bench::new("python_script")
            .input("script", source)
            .input("sandbox_config", config);
        bench.answer().await["result"].as_u64().unwrap()
    };
    assert_eq!(
        bytes(r#"{"tmpfs_limit": "10Gi", "level": "low"}"#).await,
        64 << 20
    );
    assert_eq!(bytes(r#"{"level": "high"}"#).await, 16 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_own_time_ends_a_script_in_time_to_tell_of_it() {
    let bench = Bench::new("python_script")
        .input("script", "print('begun', flush=True)\nwhile True: pass")
        .property("timeout", "PT2S")
        .property("retry", "R1/PT1S");
    let (incident, details) = bench.incident().await;
    Bench::told(
        &incident,
        &[
            "its time limit",
            "the task itself may take 2 s: raise its `timeout`",
        ],
    );
    assert!(details.contains("begun"), "{details}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_limit_is_refused() {
    let bench = Bench::new("python_script")
        .input("script", "1")
        .input("sandbox_config", r#"{"memory": "1Mi"}"#);
    Bench::told(
        &bench.incident().await.0,
        &["`sandbox_config`", "`memory`", "memory_limit"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_not_known_is_refused_with_the_nearest() {
    let bench = Bench::new("python_script")
        .input("script", "1")
        .input("image", "sience");
    Bench::told(&bench.incident().await.0, &["`sience`", "did you mean `science`"]);
}

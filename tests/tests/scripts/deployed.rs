//! Scripts in files: of the process's deployment, and of the operator's directories.

use serde_json::json;
use tests::Procos;

use crate::world::{Bench, System, variables};

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_found_in_the_deployment_and_else_in_the_operators_directories() {
    let bench = Bench::new("python_script")
        .file("lib/price.py", "result = 'deployed ${literally}'")
        .input("script_path", "lib/price.py");
    assert_eq!(bench.answer().await["result"], "deployed ${literally}");
    let bench = Bench::new("python_script").input("script_path", "operators.py");
    assert_eq!(bench.answer().await["result"], "of the operator");
    let both = Bench::new("python_script")
        .file("operators.py", "result = 'of the model'")
        .input("script_path", "operators.py");
    assert_eq!(both.answer().await["result"], "of the model");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_nowhere_is_an_incident_that_says_where_it_was_looked_for() {
    let bench = Bench::new("python_script").input("script_path", "missing.py");
    let (incident, _) = bench.incident().await;
    Bench::told(
        &incident,
        &["`missing.py`", &bench.key, "scripts", "procos deploy"],
    );
    let outside = Bench::new("python_script").input("script_path", "../procos.yml");
    Bench::told(&outside.incident().await.0, &["`../procos.yml`", "holds `..`"]);
}

/// The second version of the script is that of the second version of the process: an instance keeps its own.
#[tokio::test(flavor = "multi_thread")]
async fn procos_deploy_takes_the_scripts_along() {
    let system = System::shared();
    let folder = system.scratch.path().join("orders");
    std::fs::create_dir_all(folder.join("lib")).unwrap();
    let bench = Bench::new("python_script").input("script_path", "lib/price.py");
    let model = bench.text();
    std::fs::write(folder.join("orders.bpmn"), &model).unwrap();
    let deploy = || {
        Procos::new(system.scratch.path())
            .args(["deploy", "orders"])
            .run()
    };
    let without = deploy().expect_code(0);
    assert!(
        without
            .stdout
            .contains("the script lib/price.py of `price` (price) is not there"),
        "{}",
        without.stdout
    );
    for (version, text) in [(2, "result = 'first'"), (3, "result = 'second'")] {
        std::fs::write(folder.join("lib/price.py"), text).unwrap();
        let deployed = deploy().expect_code(0).stdout;
        assert!(
            deployed.contains(&format!("version {version}")) && deployed.contains("new"),
            "{deployed}"
        );
        assert!(!deployed.contains("missing-script"), "{deployed}");
        let again = deploy().expect_code(0).stdout;
        assert!(again.contains("unchanged"), "{again}");
        let instance = bench
            .engine
            .start_instance(&bench.key, None, None, &variables(&[]))
            .await
            .unwrap()
            .id;
        bench.completed(&instance).await;
        let expected = text.split('\'').nth(1).unwrap();
        assert_eq!(
            bench.variable(&instance, "answer").await["result"],
            json!(expected)
        );
    }
}

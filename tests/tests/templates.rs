//! The element templates that are kept in the checkout are what the adapters say of themselves, and what Modeler makes
//! of them passes the checks. How Modeler takes them is tried in `tests/modeler`.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::fs;
use std::path::Path;

use tests::{Finished, Procos, Scratch, workspace};

fn templates(scratch: &Scratch, folder: &Path, more: &[&str]) -> Finished {
    let call = Procos::new(scratch.path()).args(["adapters", "templates", "--out"]);
    call.args([folder]).args(more).run()
}

#[test]
fn those_in_the_checkout_are_up_to_date() {
    let scratch = Scratch::new("templates");
    let folder = workspace().join("processes/modeler/templates");
    let checked = templates(&scratch, &folder, &["--check", "--json"]).json();
    let checked = checked["templates"].as_array().unwrap();
    assert!(
        checked.iter().all(|it| it["state"] == "unchanged") && !checked.is_empty(),
        "run `procos adapters templates --out processes/modeler/templates`: {checked:?}"
    );
}

#[test]
fn a_check_names_what_is_out_of_date_and_writes_nothing() {
    let scratch = Scratch::new("templates-check");
    let folder = scratch.path().join("forms");
    templates(&scratch, &folder, &[]).expect_code(0);
    templates(&scratch, &folder, &["--check"]).expect_code(0);
    fs::write(folder.join("http_request.json"), "{}").unwrap();
    fs::remove_file(folder.join("shell_script.json")).unwrap();
    fs::write(folder.join("gone.json"), r#"{"id": "procos.gone"}"#).unwrap();
    let said = templates(&scratch, &folder, &["--check"]).expect_code(1).stdout;
    for line in [
        "outdated",
        "http_request.json",
        "missing",
        "shell_script.json",
        "left over",
        "gone.json",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("python_script.json"), "{said}");
    assert_eq!(
        fs::read_to_string(folder.join("http_request.json")).unwrap(),
        "{}"
    );
}

#[test]
fn a_route_has_a_template_without_what_it_fixes() {
    let scratch = Scratch::new("templates-routes");
    let routes = "routes: {fetch_bill: {adapter: http, with: {connection: procos}}}\n";
    fs::write(scratch.path().join("procos.yml"), routes).unwrap();
    let folder = scratch.path().join("forms");
    templates(&scratch, &folder, &[]).expect_code(0);
    let text = fs::read_to_string(folder.join("fetch_bill.json")).unwrap();
    assert!(text.contains(r#""value": "fetch_bill""#), "{text}");
    assert!(
        text.contains(r#""name": "url""#) && !text.contains(r#""name": "connection""#),
        "{text}"
    );
}

#[test]
fn what_modeler_makes_of_them_passes_the_checks() {
    let scratch = Scratch::new("templates-applied");
    let applied = workspace().join("tests/modeler/templates/applied");
    let check = Procos::new(scratch.path())
        .args(["check", "--json"])
        .args([applied]);
    let said = check.run().expect_code(0).json();
    let others = said["diagnostics"].as_array().unwrap().iter();
    // The models are to show the forms; that nothing catches their errors is meant.
    let others: Vec<_> = others.filter(|it| it["code"] != "uncaught-error").collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn the_reference_is_what_the_adapters_say() {
    let scratch = Scratch::new("reference");
    let reference = |folder: &Path, more: &[&str]| {
        let call = Procos::new(scratch.path()).args(["adapters", "reference", "--out"]);
        call.args([folder]).args(more).run()
    };
    let own = reference(&workspace().join("docs/reference"), &["--check", "--json"]).json();
    let own = own["pages"].as_array().unwrap();
    assert!(
        own.iter().all(|it| it["state"] == "unchanged") && own.len() > 8,
        "run `procos adapters reference --out docs/reference`: {own:?}"
    );
    let folder = scratch.path().join("pages");
    reference(&folder, &[]).expect_code(0);
    fs::write(folder.join("http.md"), "").unwrap();
    fs::remove_file(folder.join("sql.md")).unwrap();
    fs::write(
        folder.join("gone.md"),
        "<!-- written by `procos adapters reference`: gone -->\n",
    )
    .unwrap();
    fs::write(folder.join("own.md"), "# Ours\n").unwrap();
    let said = reference(&folder, &["--check"]).expect_code(1).stdout;
    for line in ["outdated", "http.md", "missing", "sql.md", "left over", "gone.md"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("own.md") && !said.contains("core.md"), "{said}");
}

//! What is read of models, how often, and for how long it is kept.

use bpmn::security::NAMESPACE;
use engine_client::fake::{FakeEngine, Fault, LinearProcess, TaskStep};
use futures::future::join_all;
use worker_api::SandboxLevel;

use super::*;

fn deployed(fake: &FakeEngine, key: &str) -> String {
    fake.deploy(LinearProcess::new(key).then(TaskStep::new("work", "a")))
}

#[tokio::test]
async fn first_tasks_that_come_together_cost_one_read() {
    let fake = FakeEngine::new();
    let id = deployed(&fake, "p");
    let definitions = Definitions::new(fake.client());
    let all = join_all((0..50).map(|_| definitions.get(&id))).await;
    assert!(all.iter().all(Result::is_ok));
    definitions.clone().get(&id).await.unwrap();
    assert_eq!(fake.calls("/xml"), 1);
}

#[tokio::test]
async fn a_read_that_fails_is_not_remembered() {
    let fake = FakeEngine::new();
    let id = deployed(&fake, "p");
    fake.inject(Fault::on("/xml").answer(500, Some(0)));
    let definitions = Definitions::new(fake.client());
    assert!(definitions.get(&id).await.is_err());
    assert!(definitions.get(&id).await.is_ok());
}

#[test]
fn what_was_asked_for_longest_ago_goes_first() {
    let mut slots = Slots::default();
    let first = slots.slot("0");
    for id in 1..MOST_KEPT {
        slots.slot(&id.to_string());
    }
    assert!(Arc::ptr_eq(&first, &slots.slot("0")));
    slots.slot("one more");
    assert_eq!(slots.by_id.len(), MOST_KEPT);
    assert!(slots.by_id.contains_key("0") && !slots.by_id.contains_key("1"));
}

fn of_file(inside: &str, key: &str) -> Declared {
    let xml = format!(
        "<b:definitions xmlns:b=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" xmlns:p=\"{NAMESPACE}\" \
         xmlns:q=\"urn:procos:bpmn:2\">\n{inside}</b:definitions>"
    );
    Policies::read("d", xml.as_bytes()).of(key)
}

fn of_process(extensions: &str) -> Declared {
    let process =
        format!("<b:process id=\"k\"><b:extensionElements>{extensions}</b:extensionElements></b:process>");
    of_file(&process, "k")
}

#[test]
fn each_process_of_a_file_has_its_own_policy() {
    let list = |topic| {
        format!("<p:security><p:allowedTasks><p:task topic=\"{topic}\"/></p:allowedTasks></p:security>")
    };
    let process = |key: &str, topic| {
        let security = list(topic);
        format!("<b:process id=\"{key}\"><b:extensionElements>{security}</b:extensionElements></b:process>")
    };
    let file = process("k", "a") + &process("l", "b") + "<b:process id=\"m\"/>";
    for (key, topic) in [("k", "a"), ("l", "b")] {
        let Declared::Security(security) = of_file(&file, key) else {
            panic!("{key}")
        };
        let allowed = security.allowed_tasks.as_ref().unwrap();
        assert_eq!(allowed.keys().collect::<Vec<_>>(), [topic]);
    }
    assert!(matches!(of_file(&file, "m"), Declared::Nothing));
    assert!(matches!(of_file(&file, "n"), Declared::Unreadable(_)));
}

#[test]
fn everything_that_a_policy_says_is_kept_and_of_two_levels_the_stricter() {
    let declared = of_process(
        "<p:security><p:allowedTasks><p:task topic=\"a\" sandboxLevel=\"high\"/><p:task topic=\"a\"/>\
         <p:task topic=\"b\"/></p:allowedTasks><p:dataClassification level=\"internal\"/>\
         <p:accessControl roles=\"clerk\"/><p:encrypted variables=\"iban\"/></p:security>",
    );
    let Declared::Security(security) = declared else {
        panic!("{declared:?}")
    };
    let expected = worker_api::ProcessSecurity {
        allowed_tasks: Some([("a".into(), Some(SandboxLevel::High)), ("b".into(), None)].into()),
        data_classification: Some(worker_api::DataClassification::Internal),
        roles: Some(vec!["clerk".into()]),
        encrypted: vec!["iban".into()],
    };
    assert_eq!(*security, expected);
}

#[test]
fn whatever_may_be_meant_as_a_policy_and_is_none_is_unreadable_with_its_line() {
    let inside = [
        ("\n<p:security><p:allow/></p:security>", "line 3: `allow`"),
        ("<p:securty/>", "line 2: `securty`"),
        (
            "\n\n<q:security/>",
            "line 4: the namespace of `security` is `urn:procos:bpmn:2`",
        ),
        (
            "<p:security><p:allowedTasks><p:task topic=\"a\" sandboxLevel=\"hihg\"/></p:allowedTasks></p:security>",
            "hihg",
        ),
    ];
    for (extensions, part) in inside {
        let declared = of_process(extensions);
        assert!(
            matches!(&declared, Declared::Unreadable(why) if why.contains(part)),
            "{extensions}: {declared:?}"
        );
    }
    let elsewhere = [
        ("<b:process id=\"k\"><p:security/></b:process>", "nowhere else"),
        ("<p:security/><b:process id=\"k\"/>", "nowhere else"),
        (
            "<b:process id=\"k\"><b:task><b:extensionElements><p:security/></b:extensionElements></b:task></b:process>",
            "nowhere else",
        ),
        ("<b:process id=\"k\"/><b:process id=\"k\"/>", "two processes"),
        ("<b:process id=\"k\">", "line"),
    ];
    for (file, part) in elsewhere {
        let declared = of_file(file, "k");
        assert!(
            matches!(&declared, Declared::Unreadable(why) if why.contains(part)),
            "{file}: {declared:?}"
        );
    }
}

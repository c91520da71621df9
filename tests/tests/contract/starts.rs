//! Starting instances: which definition, where, and what the answer tells.

use engine_client::fake::{LinearProcess, TaskStep};
use engine_client::{DefinitionRef, EngineError, StartInstruction, StartRequest, Variable, Variables};
use serde_json::json;

use crate::models::{flow, model};
use crate::subject::Subject;

contract! {
    a_start_answers_with_the_variables;
    a_start_may_be_over_with_its_answer;
    an_older_version_is_started_by_its_id;
    a_tenants_definition_is_started_by_its_tenant;
    what_no_definition_is_there_for_is_refused;
    a_start_with_a_wrong_value_starts_nothing;
    an_instance_begins_where_it_is_told_to on camunda operaton;
    an_instance_begins_in_several_places on camunda operaton;
    mappings_are_left_out_where_asked_for on camunda operaton;
    an_instruction_that_cannot_be_carried_out_is_refused on camunda operaton;
}

fn one(name: &str, value: &str) -> Variables {
    Variables::from([(name.to_owned(), Variable::String(value.to_owned()))])
}

async fn a_start_answers_with_the_variables(subject: Subject) {
    subject.deploy_task(|work| work.input("copy", "${given}")).await;
    let request = StartRequest {
        business_key: Some("bk"),
        variables: one("given", "x"),
        ..StartRequest::default()
    };
    let client = subject.client();
    let key = DefinitionRef::Key(&subject.key);
    let started = client.start(key, &request).await.unwrap();
    assert!(!started.instance.ended);
    assert_eq!(started.instance.business_key.as_deref(), Some("bk"));
    // Those of the process: what is the task's own is not among them.
    assert_eq!(started.variables, one("given", "x"));
    let instance = client.instance(&started.instance.id).await.unwrap();
    assert_eq!(instance.business_key.as_deref(), Some("bk"));
}

async fn a_start_may_be_over_with_its_answer(subject: Subject) {
    subject.deploy(LinearProcess::new(&subject.key)).await;
    let client = subject.client();
    let request = StartRequest {
        variables: one("given", "x"),
        ..StartRequest::default()
    };
    let key = DefinitionRef::Key(&subject.key);
    let started = client.start(key, &request).await.unwrap();
    assert!(started.instance.ended);
    assert_eq!(started.variables, one("given", "x"));
    let gone = client.instance(&started.instance.id).await;
    assert!(gone.unwrap_err().is_not_found());
}

async fn an_older_version_is_started_by_its_id(subject: Subject) {
    let client = subject.client();
    subject.deploy_task(|work| work.priority(1)).await;
    let first = client.definition_by_key(&subject.key, None).await.unwrap();
    subject.deploy_task(|work| work.priority(2)).await;
    let definition = DefinitionRef::Id(&first.id);
    let started = client.start(definition, &StartRequest::default()).await.unwrap();
    assert_eq!(started.instance.definition_id, first.id);
    assert_eq!(subject.fetch_one().await["priority"], json!(1));
}

async fn a_tenants_definition_is_started_by_its_tenant(subject: Subject) {
    let key = subject.key.as_str();
    for tenant in [None, Some(key)] {
        let process = LinearProcess::new(key).then(TaskStep::new("work", key));
        let process = match tenant {
            Some(tenant) => process.tenant(tenant),
            None => process,
        };
        subject.deploy(process).await;
    }
    let client = subject.client();
    for tenant in [None, Some(key)] {
        let definition = DefinitionRef::latest(key, tenant);
        let started = client.start(definition, &StartRequest::default()).await.unwrap();
        assert_eq!(started.instance.tenant_id.as_deref(), tenant);
        let none = Variables::new();
        let started = client.start_instance(key, tenant, None, &none).await.unwrap();
        assert_eq!(started.tenant_id.as_deref(), tenant);
    }
}

async fn what_no_definition_is_there_for_is_refused(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let client = subject.client();
    let request = StartRequest::default();
    for missing in [
        DefinitionRef::Key("none"),
        DefinitionRef::TenantKey {
            key: &subject.key,
            tenant_id: "nobody",
        },
    ] {
        let refused = client.start(missing, &request).await;
        assert!(refused.unwrap_err().is_not_found(), "{missing:?}");
    }
    // Not so of an id.
    let refused = client.start(DefinitionRef::Id("none"), &request).await;
    assert!(refused.unwrap_err().is_internal());
}

async fn a_start_with_a_wrong_value_starts_nothing(subject: Subject) {
    subject.deploy_task(|work| work).await;
    // Refused here, before anything is sent.
    let request = StartRequest {
        variables: Variables::from([("v".to_owned(), Variable::Double(f64::NAN))]),
        ..StartRequest::default()
    };
    let key = DefinitionRef::Key(&subject.key);
    let refused = subject.client().start(key, &request).await.unwrap_err();
    assert!(matches!(refused, EngineError::Unrepresentable(_)), "{refused:?}");
    assert!(subject.fetch().await.is_empty());
}

/// `first` and then `second`, each with an input parameter.
async fn deploy_two(subject: &Subject) {
    let step = |id: &str| TaskStep::new(id, &subject.key).input("own", id);
    let process = LinearProcess::new(&subject.key)
        .then(step("first"))
        .then(step("second"));
    subject.deploy(process).await;
}

async fn begin(subject: &Subject, instructions: Vec<StartInstruction<'_>>, skip: bool) -> Vec<String> {
    let request = StartRequest {
        instructions,
        skip_io_mappings: skip,
        ..StartRequest::default()
    };
    let key = DefinitionRef::Key(&subject.key);
    let started = subject.client().start(key, &request).await.unwrap();
    subject.visited(&started.instance.id).await
}

async fn an_instance_begins_where_it_is_told_to(subject: Subject) {
    deploy_two(&subject).await;
    let at = |id| StartInstruction::Before { activity_id: id };
    let after = |id| StartInstruction::After { activity_id: id };
    let on = |id| StartInstruction::Transition { transition_id: id };
    for (instruction, expected) in [
        (at("start"), ["start", "first"].as_slice()),
        (at("first"), &["first"]),
        (at("second"), &["second"]),
        (after("first"), &["second"]),
        (after("second"), &["end"]),
        (on("first-second"), &["second"]),
    ] {
        let visited = begin(&subject, vec![instruction], false).await;
        assert_eq!(visited, expected, "{instruction:?}");
    }
}

async fn an_instance_begins_in_several_places(subject: Subject) {
    deploy_two(&subject).await;
    let instructions = ["first", "second"].map(|activity_id| StartInstruction::Before { activity_id });
    begin(&subject, instructions.to_vec(), false).await;
    let tasks = subject.fetch().await;
    let mut steps: Vec<_> = tasks
        .iter()
        .map(|it| it["activityId"].as_str().unwrap())
        .collect();
    steps.sort_unstable();
    assert_eq!(steps, ["first", "second"]);
    assert_eq!(tasks[0]["processInstanceId"], tasks[1]["processInstanceId"]);
}

async fn mappings_are_left_out_where_asked_for(subject: Subject) {
    deploy_two(&subject).await;
    for (skip, expected) in [(false, json!("first")), (true, json!(null))] {
        let first = StartInstruction::Before { activity_id: "first" };
        begin(&subject, vec![first], skip).await;
        let task = subject.fetch_one().await;
        assert_eq!(task["variables"]["own"]["value"], expected);
    }
}

async fn an_instruction_that_cannot_be_carried_out_is_refused(subject: Subject) {
    // Behind `fork` there are two ways.
    let process = "<startEvent id=\"start\"/>\n<parallelGateway id=\"fork\"/>\n<endEvent id=\"one\"/>\n\
                   <endEvent id=\"two\"/>\n"
        .to_owned()
        + &flow("start", "fork")
        + &flow("fork", "one")
        + &flow("fork", "two");
    subject.deploy_model(model(&subject.key, "", &process)).await;
    let client = subject.client();
    for instruction in [
        StartInstruction::Before { activity_id: "none" },
        StartInstruction::After { activity_id: "none" },
        StartInstruction::After { activity_id: "fork" },
        StartInstruction::After { activity_id: "one" },
        StartInstruction::Transition {
            transition_id: "none",
        },
    ] {
        let request = StartRequest {
            instructions: vec![instruction],
            ..StartRequest::default()
        };
        let key = DefinitionRef::Key(&subject.key);
        let refused = client.start(key, &request).await;
        assert!(refused.unwrap_err().is_internal(), "{instruction:?}");
    }
    let records = client
        .instance_records(Some(&subject.key), None, 10)
        .await
        .unwrap();
    assert!(records.is_empty(), "{records:?}");
}

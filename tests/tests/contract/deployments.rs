//! Deployments: what is new in them, what is refused, and what is left of them.

use std::collections::BTreeSet;

use bytes::Bytes;
use engine_client::{Deployed, DeploymentQuery, DeploymentRequest, EngineClient, EngineError, Resource};
use serde_json::json;

use crate::models::{broken_flow, model, row};
use crate::subject::Subject;

contract! {
    what_has_not_changed_is_not_deployed_again on camunda operaton;
    of_changed_files_alone_or_of_all_there_is_a_new_version on camunda operaton;
    a_refused_model_is_told_with_its_file_and_line on camunda operaton;
    a_file_that_is_no_xml_is_an_internal_error on camunda operaton;
    deployments_are_found_by_each_filter on camunda operaton;
    deployments_come_newest_first_and_in_pages on camunda operaton;
    the_files_of_a_deployment_come_as_they_went on camunda operaton;
    a_deployment_goes_with_its_instances_and_their_history on camunda operaton;
}

fn file(name: &str, content: String) -> Resource {
    Resource {
        name: name.to_owned(),
        content: content.into(),
    }
}

/// A file `NAME.bpmn` with a process `KEY-NAME` that ends at once; another `step` is another content.
fn process(subject: &Subject, name: &str, step: &str) -> Resource {
    let step_of = format!("<intermediateThrowEvent id=\"{step}\"/>\n");
    let key = format!("{}-{name}", subject.key);
    file(&format!("{name}.bpmn"), row(&key, &[(step, &step_of)]))
}

async fn deploy(
    subject: &Subject,
    changed_only: bool,
    resources: Vec<Resource>,
) -> Result<Deployed, EngineError> {
    let request = DeploymentRequest {
        name: &subject.key,
        source: "contract",
        tenant_id: None,
        resources,
        changed_only,
    };
    subject.client().deploy(&request).await
}

/// What is new, as `NAME vVERSION`.
fn new(deployed: &Deployed) -> BTreeSet<String> {
    let definitions = deployed.deployed_process_definitions.values();
    definitions
        .map(|it| format!("{} v{}", it.key.rsplit('-').next().unwrap(), it.version))
        .collect()
}

async fn what_has_not_changed_is_not_deployed_again(subject: Subject) {
    for changed_only in [true, false] {
        let files = || vec![process(&subject, "a", "one"), process(&subject, "b", "one")];
        let first = deploy(&subject, changed_only, files()).await.unwrap();
        let again = deploy(&subject, changed_only, files()).await.unwrap();
        assert_eq!(again.id, first.id);
        assert!(again.deployed_process_definitions.is_empty(), "{again:?}");
    }
}

async fn of_changed_files_alone_or_of_all_there_is_a_new_version(subject: Subject) {
    let files = |step| vec![process(&subject, "a", step), process(&subject, "b", "one")];
    let first = deploy(&subject, true, files("one")).await.unwrap();
    assert_eq!(new(&first), ["a v1", "b v1"].map(str::to_owned).into());
    let changed = deploy(&subject, true, files("two")).await.unwrap();
    assert_eq!(new(&changed), ["a v2"].map(str::to_owned).into());
    assert_ne!(changed.id, first.id);
    let all = deploy(&subject, false, files("three")).await.unwrap();
    assert_eq!(new(&all), ["a v3", "b v2"].map(str::to_owned).into());
}

async fn a_refused_model_is_told_with_its_file_and_line(subject: Subject) {
    let broken = model(
        &format!("{}-broken", subject.key),
        "",
        &format!("<startEvent id=\"start\"/>\n{}", broken_flow("start", "nowhere")),
    );
    let line = broken
        .lines()
        .position(|line| line.contains("start-nowhere"))
        .unwrap()
        + 1;
    let files = vec![process(&subject, "good", "one"), file("broken.bpmn", broken)];
    let refused = deploy(&subject, true, files).await.unwrap_err();
    assert!(refused.is_bad_request() && !refused.is_internal());
    let EngineError::ModelsRefused { problems, .. } = refused else {
        panic!("{refused:?}")
    };
    // It may find more in it, such as a reference to nothing at its end.
    let flow = problems
        .iter()
        .find(|it| it.element.as_deref() == Some("start-nowhere"))
        .unwrap();
    assert_eq!(flow.line, u32::try_from(line).ok());
    assert!(!flow.is_warning && flow.column.is_some(), "{flow:?}");
    assert!(
        problems.iter().all(|it| it.resource == "broken.bpmn"),
        "{problems:?}"
    );
    // All or none: the good one is not there, either.
    let good = format!("{}-good", subject.key);
    let missing = subject.client().definition_by_key(&good, None).await;
    assert!(missing.unwrap_err().is_not_found());
}

async fn a_file_that_is_no_xml_is_an_internal_error(subject: Subject) {
    let text = file("text.bpmn", "no XML".to_owned());
    let refused = deploy(&subject, true, vec![text]).await.unwrap_err();
    assert!(refused.is_internal(), "{refused:?}");
}

async fn deploy_empty(client: &EngineClient, name: &str, source: &str, tenant: Option<&str>) -> String {
    let request = DeploymentRequest {
        name,
        source,
        tenant_id: tenant,
        resources: vec![file("a.txt", name.to_owned())],
        changed_only: true,
    };
    client.deploy(&request).await.unwrap().id
}

async fn deployments_are_found_by_each_filter(subject: Subject) {
    let client = subject.client();
    let key = subject.key.as_str();
    let (first, second) = (format!("{key}-1"), format!("{key}-2"));
    let one = deploy_empty(&client, &first, key, None).await;
    // The engine's times are milliseconds: the next one must not have the same.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let two = deploy_empty(&client, &second, key, Some(key)).await;
    let all = DeploymentQuery {
        source: Some(key),
        ..DeploymentQuery::default()
    };
    let found = client.deployments(&all).await.unwrap();
    let earlier = found.iter().find(|it| it.id == one).unwrap();
    assert_eq!(earlier.name.as_deref(), Some(first.as_str()));
    assert_eq!(
        (earlier.source.as_deref(), &earlier.tenant_id),
        (Some(key), &None)
    );
    let time = earlier.deployment_time.unwrap();
    for (query, expected) in [
        (all.clone(), vec![&two, &one]),
        (
            DeploymentQuery {
                name: Some(&first),
                ..DeploymentQuery::default()
            },
            vec![&one],
        ),
        (
            // Not that moment itself.
            DeploymentQuery {
                after: Some(time),
                ..all.clone()
            },
            vec![&two],
        ),
        (
            DeploymentQuery {
                after: Some(time - std::time::Duration::from_millis(1)),
                ..all.clone()
            },
            vec![&two, &one],
        ),
        (
            DeploymentQuery {
                tenant_id: Some(key),
                ..DeploymentQuery::default()
            },
            vec![&two],
        ),
        (
            DeploymentQuery {
                source: Some("nobody"),
                ..DeploymentQuery::default()
            },
            vec![],
        ),
    ] {
        let found = client.deployments(&query).await.unwrap();
        let ids: Vec<_> = found.iter().map(|it| &it.id).collect();
        assert_eq!(ids, expected, "{query:?}");
    }
}

async fn deployments_come_newest_first_and_in_pages(subject: Subject) {
    let client = subject.client();
    let source = subject.key.as_str();
    for name in ["first", "second", "third"] {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        deploy_empty(&client, name, source, None).await;
    }
    for (first, max, expected) in [
        (None, None, vec!["third", "second", "first"]),
        (Some(1), None, vec!["second", "first"]),
        (Some(1), Some(1), vec!["second"]),
    ] {
        let query = DeploymentQuery {
            source: Some(source),
            first_result: first,
            max_results: max,
            ..DeploymentQuery::default()
        };
        let found = client.deployments(&query).await.unwrap();
        let names: Vec<_> = found.iter().map(|it| it.name.as_deref().unwrap()).collect();
        assert_eq!(names, expected, "{query:?}");
    }
}

async fn the_files_of_a_deployment_come_as_they_went(subject: Subject) {
    let client = subject.client();
    // More than arrives in one part, and no text.
    let content = Bytes::from_iter((0..300_000_u32).map(|number| (number % 251) as u8));
    let resource = Resource {
        name: "folder/ä b.bin".to_owned(),
        content: content.clone(),
    };
    let files = vec![process(&subject, "a", "one"), resource];
    let id = deploy(&subject, true, files).await.unwrap().id;
    let mut files = client.deployment_resources(&id).await.unwrap();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    let names: Vec<_> = files.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a.bpmn", "folder/ä b.bin"]);
    let file = files[1].id.as_str();
    let download = client.deployment_resource(&id, file, 300_000).await.unwrap();
    assert_eq!(download.whole().await.unwrap(), content);
    // Of so much the engine does not tell the length: the limit shows at the part that is too much.
    let download = client.deployment_resource(&id, file, 299_999).await.unwrap();
    let more = download.whole().await;
    assert!(
        matches!(more, Err(EngineError::TooLarge { limit: 299_999, .. })),
        "{more:?}"
    );
    // Unlike every other question about a deployment that is not there.
    for (deployment, file) in [(id.as_str(), "none"), ("none", file), ("none", "none")] {
        let missing = client.deployment_resource(deployment, file, 1).await;
        assert!(missing.unwrap_err().is_internal(), "{deployment} {file}");
    }
    assert!(
        client
            .deployment_resources("none")
            .await
            .unwrap_err()
            .is_not_found()
    );
}

async fn a_deployment_goes_with_its_instances_and_their_history(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let instance = subject.start(json!({})).await;
    let client = subject.client();
    let definition = client.definition_by_key(&subject.key, None).await.unwrap();
    let deployment = definition.deployment_id.unwrap();
    client.delete_deployment(&deployment).await.unwrap();
    for missing in [
        client.definition(&definition.id).await.map(drop),
        client.instance(&instance).await.map(drop),
        client.instance_record(&instance).await.map(drop),
        client.delete_deployment(&deployment).await,
    ] {
        assert!(missing.unwrap_err().is_not_found());
    }
    assert!(subject.fetch().await.is_empty());
}

//! Questions for definitions, and what stands at them.

use engine_client::fake::{LinearProcess, TaskStep};
use engine_client::{DefinitionQuery, DefinitionRef, ExternalTaskQuery, StartRequest};
use serde_json::json;

use crate::models::{row, task};
use crate::subject::Subject;

contract! {
    definitions_are_found_by_each_filter;
    definitions_come_by_key_and_in_pages;
    a_definition_is_found_by_its_key_and_tenant;
    the_source_is_found_by_id_key_and_tenant;
    a_suspended_definition_starts_nothing on camunda operaton;
    a_definition_is_suspended_with_its_instances on camunda operaton;
    a_key_that_is_not_there_cannot_be_suspended on camunda operaton;
    statistics_count_instances_and_incidents on camunda operaton;
}

/// Two versions that belong to nobody, the second with a tag, and one of a tenant called as the key.
async fn deploy_three(subject: &Subject) {
    let process = |priority| {
        let work = TaskStep::new("work", &subject.key).priority(priority);
        LinearProcess::new(&subject.key).then(work)
    };
    subject.deploy(process(1)).await;
    subject.deploy(process(2).version_tag("tagged")).await;
    subject.deploy(process(1).tenant(&subject.key)).await;
}

async fn definitions_are_found_by_each_filter(subject: Subject) {
    deploy_three(&subject).await;
    let client = subject.client();
    let key = subject.key.as_str();
    let all = DefinitionQuery {
        key: Some(key),
        ..DefinitionQuery::default()
    };
    let found = client.find_definitions(&all).await.unwrap();
    let second = found.iter().find(|it| it.version == 2).unwrap();
    assert_eq!(second.version_tag.as_deref(), Some("tagged"));
    assert_eq!(second.resource, Some(format!("{key}.bpmn")));
    // Each as `(version, whether of the tenant)`.
    let (first, tagged, tenants) = ((1, false), (2, false), (1, true));
    for (query, expected) in [
        (all.clone(), vec![first, tenants, tagged]),
        (
            DefinitionQuery {
                version: Some(1),
                ..all.clone()
            },
            vec![first, tenants],
        ),
        (
            DefinitionQuery {
                version_tag: Some("tagged"),
                ..all.clone()
            },
            vec![tagged],
        ),
        (
            DefinitionQuery {
                latest_version: true,
                ..all.clone()
            },
            vec![tenants, tagged],
        ),
        (
            DefinitionQuery {
                deployment_id: second.deployment_id.as_deref(),
                ..all.clone()
            },
            vec![tagged],
        ),
        (
            DefinitionQuery {
                tenant_id: Some(key),
                ..all.clone()
            },
            vec![tenants],
        ),
        (
            DefinitionQuery {
                without_tenant_id: true,
                ..all.clone()
            },
            vec![first, tagged],
        ),
        (
            DefinitionQuery {
                suspended: true,
                ..all.clone()
            },
            vec![],
        ),
    ] {
        let found = client.find_definitions(&query).await.unwrap();
        let mut shown: Vec<_> = found
            .iter()
            .map(|it| (it.version, it.tenant_id.is_some()))
            .collect();
        shown.sort_unstable();
        assert_eq!(shown, expected, "{query:?}");
        let count = client.count_definitions(&query).await.unwrap();
        assert_eq!(count, expected.len() as u64, "{query:?}");
    }
}

async fn definitions_come_by_key_and_in_pages(subject: Subject) {
    let tenant = subject.key.as_str();
    for name in ["b", "c", "a"] {
        let process = LinearProcess::new(format!("{tenant}-{name}")).tenant(tenant);
        subject.deploy(process).await;
    }
    for (first, max, expected) in [
        (None, None, vec!["a", "b", "c"]),
        (Some(1), None, vec!["b", "c"]),
        (None, Some(2), vec!["a", "b"]),
        (Some(1), Some(1), vec!["b"]),
    ] {
        let query = DefinitionQuery {
            tenant_id: Some(tenant),
            first_result: first,
            max_results: max,
            ..DefinitionQuery::default()
        };
        let found = subject.client().find_definitions(&query).await.unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|it| it.key.rsplit('-').next().unwrap())
            .collect();
        assert_eq!(names, expected, "{query:?}");
    }
}

async fn a_definition_is_found_by_its_key_and_tenant(subject: Subject) {
    deploy_three(&subject).await;
    let client = subject.client();
    let key = subject.key.as_str();
    for (tenant, version) in [(None, 2), (Some(key), 1)] {
        let found = client.definition_by_key(key, tenant).await.unwrap();
        assert_eq!((found.tenant_id.as_deref(), found.version), (tenant, version));
        assert_eq!(client.definition(&found.id).await.unwrap(), found);
    }
    for (key, tenant) in [("none", None), (key, Some("nobody")), ("none", Some(key))] {
        let missing = client.definition_by_key(key, tenant).await;
        assert!(missing.unwrap_err().is_not_found(), "{key} {tenant:?}");
    }
}

async fn the_source_is_found_by_id_key_and_tenant(subject: Subject) {
    deploy_three(&subject).await;
    let client = subject.client();
    let key = subject.key.as_str();
    let query = DefinitionQuery {
        key: Some(key),
        version: Some(1),
        without_tenant_id: true,
        ..DefinitionQuery::default()
    };
    let first = client.find_definitions(&query).await.unwrap().remove(0);
    for (definition, has_tag) in [
        (DefinitionRef::Key(key), true),
        (DefinitionRef::TenantKey { key, tenant_id: key }, false),
        (DefinitionRef::Id(&first.id), false),
    ] {
        let xml = client.xml_of(definition).await.unwrap();
        assert_eq!(xml.contains("tagged"), has_tag, "{definition:?}: {xml}");
    }
    for missing in [
        DefinitionRef::Key("none"),
        DefinitionRef::TenantKey {
            key,
            tenant_id: "nobody",
        },
        DefinitionRef::Id("none"),
    ] {
        let missing = client.xml_of(missing).await;
        assert!(missing.unwrap_err().is_not_found());
    }
}

async fn a_suspended_definition_starts_nothing(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let instance = subject.start(json!({})).await;
    let client = subject.client();
    let definition = DefinitionRef::Key(&subject.key);
    client.suspend_definition(definition, true, false).await.unwrap();
    let suspended = DefinitionQuery {
        key: Some(&subject.key),
        suspended: true,
        ..DefinitionQuery::default()
    };
    assert!(client.find_definitions(&suspended).await.unwrap()[0].suspended);
    let request = StartRequest::default();
    let start = || client.start(definition, &request);
    assert!(start().await.unwrap_err().is_internal());
    // What runs already goes on.
    assert!(!client.instance(&instance).await.unwrap().suspended);
    subject.fetch_one().await;
    client.suspend_definition(definition, false, false).await.unwrap();
    assert_eq!(client.count_definitions(&suspended).await.unwrap(), 0);
    assert!(start().await.is_ok());
}

async fn a_definition_is_suspended_with_its_instances(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let instance = subject.start(json!({})).await;
    let client = subject.client();
    let id = client.instance(&instance).await.unwrap().definition_id;
    let definition = DefinitionRef::Id(&id);
    let query = ExternalTaskQuery {
        topic_name: Some(&subject.key),
        suspended: true,
        ..ExternalTaskQuery::default()
    };
    for suspended in [true, false] {
        client
            .suspend_definition(definition, suspended, true)
            .await
            .unwrap();
        assert_eq!(client.instance(&instance).await.unwrap().suspended, suspended);
        let tasks = client.external_tasks(&instance).await.unwrap();
        assert_eq!(tasks[0].suspended, suspended);
        let found = client.count_external_tasks(&query).await.unwrap();
        assert_eq!(found, u64::from(suspended));
        assert_eq!(subject.fetch().await.is_empty(), suspended);
    }
}

async fn a_key_that_is_not_there_cannot_be_suspended(subject: Subject) {
    let client = subject.client();
    for missing in [
        DefinitionRef::Key("none"),
        DefinitionRef::TenantKey {
            key: "none",
            tenant_id: "nobody",
        },
    ] {
        let refused = client.suspend_definition(missing, true, false).await;
        assert!(refused.unwrap_err().is_not_found(), "{missing:?}");
    }
    // Of an id Operaton does not look, and Camunda breaks where it asks whether the caller may.
    let answer = client
        .suspend_definition(DefinitionRef::Id("none"), true, false)
        .await;
    match answer {
        Ok(()) => assert!(subject.is_operaton()),
        Err(error) => assert!(!subject.is_operaton() && error.is_internal(), "{error:?}"),
    }
}

async fn statistics_count_instances_and_incidents(subject: Subject) {
    let key = subject.key.as_str();
    let steps = [("first", task("first", key)), ("second", task("second", key))];
    let steps = steps.each_ref().map(|(id, step)| (*id, step.as_str()));
    subject.deploy_model(row(key, &steps)).await;
    for _ in 0..3 {
        subject.start(json!({})).await;
    }
    let mut body = subject.fetch_body();
    body["maxTasks"] = json!(2);
    let tasks = subject.fetch_with(body).await.items();
    let id = |number: usize| tasks[number]["id"].as_str().unwrap();
    subject.report(id(0), "complete", json!({})).await.is_done();
    let failure = json!({ "retries": 0 });
    subject.report(id(1), "failure", failure).await.is_done();

    let client = subject.client();
    let definition = client.definition_by_key(key, None).await.unwrap();
    let all = client.statistics().await.unwrap();
    let own = all.iter().find(|it| it.id == definition.id).unwrap();
    assert_eq!((own.instances, own.failed_jobs), (3, 0));
    assert_eq!(own.incidents(), [("failedExternalTask", 1)].into());

    for definition in [DefinitionRef::Key(key), DefinitionRef::Id(&definition.id)] {
        let mut steps = client.activity_statistics(definition).await.unwrap();
        steps.sort_by(|one, other| one.id.cmp(&other.id));
        let shown: Vec<_> = steps
            .iter()
            .map(|it| (it.id.as_str(), it.instances, it.incidents().len()))
            .collect();
        assert_eq!(shown, [("first", 2, 1), ("second", 1, 0)]);
    }
    let missing = client.activity_statistics(DefinitionRef::Key("none")).await;
    assert!(missing.unwrap_err().is_not_found());
    // Of an id Operaton does not look, and Camunda breaks where it asks whether the caller may.
    match client.activity_statistics(DefinitionRef::Id("none")).await {
        Ok(none) => assert!(subject.is_operaton() && none.is_empty(), "{none:?}"),
        Err(error) => assert!(!subject.is_operaton() && error.is_internal(), "{error:?}"),
    }
}

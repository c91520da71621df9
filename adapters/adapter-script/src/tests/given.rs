use sandbox::Level;
use serde_json::{Map, json};
use worker_api::{File, Value};

use super::context;
use crate::given::collect;

fn file(name: &str, content: &str) -> Value {
    Value::File(File {
        name: name.into(),
        media_type: None,
        encoding: None,
        content: content.to_owned().into(),
    })
}

#[tokio::test]
async fn every_variable_that_is_none_of_the_tasks_own_is_an_input() {
    let date = "2026-11-26T00:00:00Z".parse::<Value2>().unwrap().0;
    let mut context = context(&[
        ("script", "pass".into()),
        ("sandbox_config", "{}".into()),
        ("rate", Value::Double(1.17)),
        ("order", json!({"amount": 3}).into()),
        ("text", "007".into()),
        ("nothing", Value::Null),
        ("since", date),
        ("amount", Value::Integer(1)),
        ("fixed", Value::Integer(1)),
    ]);
    context.settings.insert("fixed".into(), json!(7));
    context.settings.insert("language".into(), json!("python"));
    let inputs = Map::from_iter([("amount".to_owned(), json!(2)), ("fixed".to_owned(), json!(2))]);
    let given = collect(&context, Some(inputs), &Level::Medium.limits())
        .await
        .unwrap();
    assert_eq!(
        json!(given.inputs),
        json!({
            "rate": 1.17, "order": {"amount": 3}, "text": "007", "nothing": null, "since": "2026-11-26T00:00:00Z",
            "amount": 2, "fixed": 7
        })
    );
    assert!(given.files.is_empty());
}

struct Value2(Value);

impl std::str::FromStr for Value2 {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Value::Date(serde_json::from_value(json!(text))?)))
    }
}

#[tokio::test]
async fn bytes_and_files_lie_in_the_working_directory_and_are_inputs_by_their_names() {
    let context = context(&[
        ("invoice", file("invoice 1.csv", "a,b")),
        ("raw", Value::Bytes(vec![0, 1].into())),
        ("unread", file("unread.txt", "x")),
    ]);
    let inputs = Map::from_iter([("unread".to_owned(), json!("no"))]);
    let given = collect(&context, Some(inputs), &Level::Medium.limits())
        .await
        .unwrap();
    assert_eq!(
        json!(given.inputs),
        json!({"invoice": "invoice 1.csv", "raw": "raw", "unread": "no"})
    );
    let files: Vec<(&str, &[u8])> = given
        .files
        .iter()
        .map(|file| (file.name.as_str(), &*file.content))
        .collect();
    assert_eq!(files, [("invoice 1.csv", b"a,b".as_slice()), ("raw", &[0, 1])]);
}

#[tokio::test]
async fn a_file_that_cannot_lie_there_is_named_with_its_variable() {
    let limits = sandbox::Limits {
        tmpfs: 4,
        ..Level::High.limits()
    };
    for (variables, parts) in [
        (vec![("a", file("../x", "1"))], ["`a`", "`../x`", "cannot be"]),
        (vec![("a", file("", "1"))], ["`a`", "``", "cannot be"]),
        (
            vec![("a", file("x", "1")), ("b", file("x", "2"))],
            ["`b`", "`x`", "another variable's"],
        ),
        (vec![("a", file("x", "12345"))], ["`a`", "4 bytes", "smaller"]),
        (
            vec![("a", file("x", "123")), ("b", Value::Bytes(vec![0; 2].into()))],
            ["`b`", "4 bytes", "smaller"],
        ),
    ] {
        let failure = collect(&context(&variables), None, &limits).await.unwrap_err();
        assert!(
            parts.iter().all(|part| failure.message.contains(part)),
            "{failure}"
        );
        assert_eq!(failure.retry, worker_api::Retry::Never);
    }
}

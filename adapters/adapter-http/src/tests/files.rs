//! Files to and from a service.

use axum::Router;
use axum::extract::Multipart;
use axum::http::StatusCode;
use axum::routing::{get, post};
use worker_api::{File, Retry};

use super::*;

async fn read(mut form: Multipart) -> axum::Json<Json> {
    let mut parts = Vec::new();
    while let Some(part) = form.next_field().await.unwrap() {
        let (name, file) = (
            part.name().map(str::to_owned),
            part.file_name().map(str::to_owned),
        );
        let kind = part.content_type().map(str::to_owned);
        let content = String::from_utf8_lossy(&part.bytes().await.unwrap()).into_owned();
        parts.push(json!({"name": name, "file": file, "type": kind, "content": content}));
    }
    axum::Json(parts.into())
}

fn with_file(inputs: Json, name: &str, media_type: Option<&str>) -> TaskContext {
    let mut context = context(inputs);
    let file = File {
        name: name.to_owned(),
        media_type: media_type.map(str::to_owned),
        encoding: None,
        content: bytes::Bytes::from_static(b"%PDF \xff").into(),
    };
    context.variables.insert("invoice".to_owned(), Value::File(file));
    context
}

#[tokio::test]
async fn fields_and_files_go_in_one_body() {
    let address = serve(Router::new().route("/", post(read))).await;
    let inputs = json!({
        "url": format!("http://{address}/"), "method": "POST", "body_type": "multipart",
        "body": {"number": 7, "tag": ["a", "ä"], "none": null}, "files": {"document": "invoice"},
    });
    let context = with_file(inputs.clone(), "A \"1\".pdf", Some("application/pdf"));
    let answer = local().execute(context).await.unwrap();
    assert_eq!(
        body(&answer),
        json!([
            {"name": "number", "file": null, "type": null, "content": "7"},
            {"name": "tag", "file": null, "type": null, "content": "a"},
            {"name": "tag", "file": null, "type": null, "content": "ä"},
            {"name": "document", "file": "A \"1\".pdf", "type": "application/pdf", "content": "%PDF \u{fffd}"},
        ])
    );
    let missing = failure(run(&local(), inputs.clone()).await);
    assert!(
        missing
            .message
            .contains("`files.document` names the input `invoice`")
            && missing.nothing_done,
        "{missing}"
    );
    let wrong = failure(local().execute(with_file(inputs, "x", Some("no type"))).await);
    assert!(wrong.message.contains("\"no type\""), "{wrong}");
}

#[tokio::test]
async fn an_answer_is_what_the_task_says_it_is() {
    let router = Router::new()
        .route(
            "/bills/2026.pdf",
            get(|| async { ([("content-type", "application/pdf")], b"%PDF".to_vec()) }),
        )
        .route(
            "/",
            get(|| async { ([("content-type", "text/plain")], r#"{"a": 1}"#) }),
        )
        .route("/none", get(|| async { StatusCode::NO_CONTENT }));
    let address = serve(router).await;
    let get = async |path: &str, form: &str| {
        run(
            &local(),
            json!({"url": format!("http://{address}{path}"), "as": form}),
        )
        .await
    };
    let answer = get("/bills/2026.pdf", "file").await.unwrap();
    let Value::File(file) = &answer.fields()["body"] else {
        panic!("no file: {answer:?}");
    };
    assert_eq!(
        (file.name.as_str(), file.media_type.as_deref()),
        ("2026.pdf", Some("application/pdf"))
    );
    assert_eq!(file.content.bytes().await.unwrap().as_ref(), b"%PDF");
    for (form, value) in [
        ("auto", Value::String(r#"{"a": 1}"#.into())),
        ("text", Value::String(r#"{"a": 1}"#.into())),
        ("json", Value::Json(json!({"a": 1}))),
        ("bytes", Value::Bytes(br#"{"a": 1}"#.to_vec().into())),
    ] {
        assert_eq!(get("/", form).await.unwrap().fields()["body"], value, "{form}");
    }
    let failure = failure(get("/bills/2026.pdf", "json").await);
    assert!(
        failure.message.contains("a body that is no JSON") && failure.retry == Retry::Never,
        "{failure}"
    );
}

//! Variables where they stand: one by one, by upload and by download.

use bytes::Bytes;
use engine_client::{EngineError, Scope, Upload, Variable, Variables};
use serde_json::json;

use crate::subject::Subject;

contract! {
    one_variable_is_read_from_its_scope_alone;
    variables_are_set_and_taken_away_at_once;
    a_variable_is_taken_away_once_or_more;
    a_scope_that_is_gone_is_an_internal_error;
    a_file_is_uploaded_with_its_name_and_type;
    a_files_encoding_is_kept;
    a_file_without_a_type_is_any_bytes;
    bytes_are_uploaded_and_read;
    an_upload_may_hold_what_looks_like_its_own_form;
    an_upload_of_no_media_type_is_refused_before_it_is_sent;
    a_download_has_a_limit;
    what_is_no_content_cannot_be_downloaded;
    more_than_json_can_carry_is_uploaded_and_read_in_parts on camunda operaton;
}

const LIMIT: u64 = 1 << 20;

fn number(name: &str, value: i64) -> Variables {
    Variables::from([(name.to_owned(), Variable::Integer(value))])
}

fn upload(file_name: Option<&str>, media_type: Option<&str>, content: &'static [u8]) -> Upload {
    Upload {
        file_name: file_name.map(str::to_owned),
        media_type: media_type.map(str::to_owned),
        content: Bytes::from_static(content),
    }
}

/// An instance with `outer`, at a task with `inner`: its id, and the task's execution.
async fn two_scopes(subject: &Subject) -> (String, String) {
    subject.deploy_task(|work| work.input("inner", "text")).await;
    let instance = subject.start(json!({ "outer": { "value": 1 } })).await;
    let execution = subject.fetch_one().await["executionId"].clone();
    (instance, execution.as_str().unwrap().to_owned())
}

async fn one_variable_is_read_from_its_scope_alone(subject: Subject) {
    let (instance, execution) = two_scopes(&subject).await;
    let client = subject.client();
    let (outer, inner) = (Scope::Instance(&instance), Scope::Execution(&execution));
    assert_eq!(
        client.variable(outer, "outer").await.unwrap(),
        Variable::Integer(1)
    );
    let text = Variable::String("text".to_owned());
    assert_eq!(client.variable(inner, "inner").await.unwrap(), text);
    for (scope, name) in [(outer, "inner"), (inner, "outer"), (outer, "none")] {
        let missing = client.variable(scope, name).await;
        assert!(missing.unwrap_err().is_not_found(), "{scope:?} {name}");
    }
}

async fn variables_are_set_and_taken_away_at_once(subject: Subject) {
    let (instance, execution) = two_scopes(&subject).await;
    let client = subject.client();
    for scope in [Scope::Instance(&instance), Scope::Execution(&execution)] {
        let mut set = number("new", 2);
        set.insert("other".to_owned(), Variable::Null);
        let delete = ["outer", "inner", "none"];
        client.change_variables(scope, &set, &delete).await.unwrap();
        assert_eq!(client.variables(scope).await.unwrap(), set);
        // Of one that is set and taken away, nothing is left.
        client
            .change_variables(scope, &number("new", 3), &["new"])
            .await
            .unwrap();
        let left = client.variables(scope).await.unwrap();
        assert_eq!(left.keys().collect::<Vec<_>>(), ["other"]);
    }
    // One that cannot be kept, and nothing is sent.
    let mut wrong = number("good", 1);
    wrong.insert("wrong".to_owned(), Variable::Double(f64::INFINITY));
    let scope = Scope::Instance(&instance);
    let refused = client.change_variables(scope, &wrong, &["other"]).await;
    assert!(matches!(refused, Err(EngineError::Unrepresentable(_))));
    let left = client.variables(scope).await.unwrap();
    assert_eq!(left.keys().collect::<Vec<_>>(), ["other"]);
}

async fn a_variable_is_taken_away_once_or_more(subject: Subject) {
    let (instance, execution) = two_scopes(&subject).await;
    let client = subject.client();
    for (scope, name) in [
        (Scope::Instance(instance.as_str()), "outer"),
        (Scope::Execution(execution.as_str()), "inner"),
    ] {
        client.delete_variable(scope, name).await.unwrap();
        let gone = client.variable(scope, name).await;
        assert!(gone.unwrap_err().is_not_found());
        client.delete_variable(scope, name).await.unwrap();
    }
}

async fn a_scope_that_is_gone_is_an_internal_error(subject: Subject) {
    let client = subject.client();
    for scope in [Scope::Instance("none"), Scope::Execution("none")] {
        for refused in [
            client.variables(scope).await.map(drop),
            client.variable(scope, "v").await.map(drop),
            client.change_variables(scope, &number("v", 1), &[]).await,
            client.delete_variable(scope, "v").await,
            client.upload_variable(scope, "v", upload(None, None, b"x")).await,
            client.download_variable(scope, "v", LIMIT).await.map(drop),
        ] {
            let refused = refused.unwrap_err();
            assert!(refused.is_internal(), "{scope:?}: {refused:?}");
        }
    }
}

async fn a_file_is_uploaded_with_its_name_and_type(subject: Subject) {
    let (instance, execution) = two_scopes(&subject).await;
    let client = subject.client();
    for scope in [Scope::Instance(&instance), Scope::Execution(&execution)] {
        let file = upload(Some("ä b.csv"), Some("text/csv"), b"a,b\n");
        client.upload_variable(scope, "file", file).await.unwrap();
        let expected = Variable::File {
            name: "ä b.csv".to_owned(),
            media_type: Some("text/csv".to_owned()),
            encoding: None,
            content: None,
        };
        assert_eq!(client.variable(scope, "file").await.unwrap(), expected);
        let download = client.download_variable(scope, "file", LIMIT).await.unwrap();
        assert_eq!(download.media_type(), Some("text/csv"));
        assert_eq!(download.length(), Some(4));
        assert_eq!(download.whole().await.unwrap(), "a,b\n");
    }
}

async fn a_files_encoding_is_kept(subject: Subject) {
    let (instance, _) = two_scopes(&subject).await;
    let client = subject.client();
    let scope = Scope::Instance(&instance);
    // The engine itself looks for `encoding`, and the client sees to that.
    for media_type in ["text/csv; charset=utf-8", "text/csv; encoding=utf-8"] {
        let file = upload(Some("a.csv"), Some(media_type), b"a,b\n");
        client.upload_variable(scope, "file", file).await.unwrap();
        let expected = Variable::File {
            name: "a.csv".to_owned(),
            media_type: Some("text/csv".to_owned()),
            encoding: Some("utf-8".to_owned()),
            content: None,
        };
        assert_eq!(client.variable(scope, "file").await.unwrap(), expected);
        let download = client.download_variable(scope, "file", LIMIT).await.unwrap();
        assert_eq!(download.media_type(), Some("text/csv;charset=utf-8"));
    }
}

async fn a_file_without_a_type_is_any_bytes(subject: Subject) {
    let (instance, _) = two_scopes(&subject).await;
    let client = subject.client();
    let scope = Scope::Instance(&instance);
    let file = upload(Some("a"), None, b"");
    client.upload_variable(scope, "file", file).await.unwrap();
    let kept = client.variable(scope, "file").await.unwrap();
    let Variable::File { media_type, .. } = kept else {
        panic!("{kept:?}")
    };
    assert_eq!(media_type.as_deref(), Some("application/octet-stream"));
    let download = client.download_variable(scope, "file", LIMIT).await.unwrap();
    assert_eq!(download.media_type(), Some("application/octet-stream"));
    assert!(download.whole().await.unwrap().is_empty());
}

async fn bytes_are_uploaded_and_read(subject: Subject) {
    let (instance, execution) = two_scopes(&subject).await;
    let client = subject.client();
    for scope in [Scope::Instance(&instance), Scope::Execution(&execution)] {
        let bytes = upload(None, Some("image/png"), &[0, 255, 13, 10]);
        client.upload_variable(scope, "bytes", bytes).await.unwrap();
        let kept = client.variable(scope, "bytes").await.unwrap();
        assert_eq!(kept, Variable::Bytes(Bytes::from_static(&[0, 255, 13, 10])));
        let download = client.download_variable(scope, "bytes", LIMIT).await.unwrap();
        // The media type of bytes is not kept.
        assert_eq!(download.media_type(), Some("application/octet-stream"));
        assert_eq!(download.whole().await.unwrap(), [0, 255, 13, 10].as_slice());
    }
}

async fn an_upload_may_hold_what_looks_like_its_own_form(subject: Subject) {
    let (instance, _) = two_scopes(&subject).await;
    let client = subject.client();
    let scope = Scope::Instance(&instance);
    let content = b"\r\n--\r\n--x--\r\n\r\nContent-Disposition: form-data; name=\"valueType\"\r\n";
    for file_name in [None, Some("a \"quoted\" name.txt")] {
        let sent = upload(file_name, None, content);
        client.upload_variable(scope, "v", sent).await.unwrap();
        if let Variable::File { name, .. } = client.variable(scope, "v").await.unwrap() {
            assert_eq!(
                name, "a \\\"quoted\\\" name.txt",
                "the engine leaves the backslashes in"
            );
        }
        let download = client.download_variable(scope, "v", LIMIT).await.unwrap();
        assert_eq!(download.whole().await.unwrap(), content.as_slice());
    }
}

async fn an_upload_of_no_media_type_is_refused_before_it_is_sent(subject: Subject) {
    let (instance, _) = two_scopes(&subject).await;
    let client = subject.client();
    let scope = Scope::Instance(&instance);
    let file = upload(Some("a.txt"), Some("no type"), b"x");
    let refused = client.upload_variable(scope, "file", file).await;
    assert!(matches!(refused, Err(EngineError::Unrepresentable(_))));
    let missing = client.variable(scope, "file").await;
    assert!(missing.unwrap_err().is_not_found());
}

async fn a_download_has_a_limit(subject: Subject) {
    let (instance, _) = two_scopes(&subject).await;
    let client = subject.client();
    let scope = Scope::Instance(&instance);
    for file_name in [None, Some("a.txt")] {
        let sent = upload(file_name, None, b"0123456789");
        client.upload_variable(scope, "v", sent).await.unwrap();
        let download = client.download_variable(scope, "v", 10).await.unwrap();
        assert_eq!(download.whole().await.unwrap(), "0123456789");
        // Of so little the engine tells the length: it is known before anything is read.
        let more = client.download_variable(scope, "v", 9).await;
        assert!(
            matches!(more, Err(EngineError::TooLarge { limit: 9, .. })),
            "{more:?}"
        );
    }
}

async fn what_is_no_content_cannot_be_downloaded(subject: Subject) {
    let (instance, _) = two_scopes(&subject).await;
    let client = subject.client();
    let scope = Scope::Instance(&instance);
    let refused = client.download_variable(scope, "outer", LIMIT).await;
    assert!(refused.unwrap_err().is_bad_request());
    let missing = client.download_variable(scope, "none", LIMIT).await;
    assert!(missing.unwrap_err().is_not_found());
}

async fn more_than_json_can_carry_is_uploaded_and_read_in_parts(subject: Subject) {
    let (instance, _) = two_scopes(&subject).await;
    let client = subject.client();
    let scope = Scope::Instance(&instance);
    // As JSON it would be more than the engine reads, in base64.
    const LENGTH: usize = engine_client::limits::LARGEST_CONTENT + 1_000_001;
    let content = Bytes::from_iter((0..LENGTH).map(|number| (number % 251) as u8));
    for file_name in [None, Some("large.bin")] {
        let sent = Upload {
            file_name: file_name.map(str::to_owned),
            media_type: None,
            content: content.clone(),
        };
        client.upload_variable(scope, "large", sent).await.unwrap();
        let limit = LENGTH as u64;
        let mut download = client.download_variable(scope, "large", limit).await.unwrap();
        let (mut parts, mut length) = (0, 0);
        while let Some(part) = download.chunk().await.unwrap() {
            assert_eq!(part, content.slice(length..length + part.len()));
            length += part.len();
            parts += 1;
        }
        assert_eq!(length, LENGTH);
        assert!(parts > 1, "it comes bit by bit");
        // Of so much the engine does not tell the length: the limit shows at the part that is too much.
        let download = client.download_variable(scope, "large", limit - 1).await.unwrap();
        assert_eq!(download.length(), None);
        let more = download.whole().await;
        assert!(
            matches!(more, Err(EngineError::TooLarge { .. })),
            "it is read whole"
        );
    }
}

use std::path::PathBuf;

use sandbox::Language;
use serde_json::json;
use worker_api::{Adapter, Failure, File, Retry, Value};

use super::{context, failure};
use crate::inputs::Inputs;
use crate::source::{Source, find};
use crate::{ScriptAdapter, ScriptSettings};

async fn source(variables: &[(&str, Value)], directories: &[PathBuf]) -> Result<Source, Failure> {
    let context = context(variables);
    let inputs: Inputs = context.inputs()?;
    find(&context, &inputs, Language::Python, directories).await
}

fn is(name: &str, text: &str) -> Source {
    Source {
        name: name.into(),
        text: text.into(),
    }
}

#[tokio::test]
async fn a_script_stands_in_the_model_or_is_a_file_that_a_person_has_given() {
    assert_eq!(
        source(&[("script", "x = 1".into())], &[]).await.unwrap(),
        is("price.py", "x = 1")
    );
    let file = Value::File(File {
        name: "theirs.py".into(),
        media_type: None,
        encoding: None,
        content: "\u{feff}x = 2".to_owned().into(),
    });
    assert_eq!(
        source(&[("script", file)], &[]).await.unwrap(),
        is("theirs.py", "x = 2")
    );
    let bytes = Value::Bytes("x = 3".into());
    assert_eq!(
        source(&[("script", bytes)], &[]).await.unwrap(),
        is("price.py", "x = 3")
    );
}

#[tokio::test]
async fn a_file_is_found_in_the_first_directory_that_has_it() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(two.path().join("lib")).unwrap();
    std::fs::write(two.path().join("lib/a.py"), "two").unwrap();
    std::fs::write(two.path().join("b.py"), "two").unwrap();
    std::fs::write(one.path().join("b.py"), "one").unwrap();
    let directories = [one.path().join("missing"), one.path().into(), two.path().into()];
    for (path, found) in [("lib/a.py", is("a.py", "two")), (" b.py ", is("b.py", "one"))] {
        assert_eq!(
            source(&[("script_path", path.into())], &directories)
                .await
                .unwrap(),
            found
        );
    }
    std::fs::write(one.path().join("secret"), "hunter2").unwrap();
    std::os::unix::fs::symlink(one.path().join("secret"), two.path().join("link.py")).unwrap();
    let error = source(&[("script_path", "link.py".into())], &directories[2..])
        .await
        .unwrap_err();
    assert!(
        error.message.contains("leads out of") && !error.message.contains("hunter2"),
        "{error}"
    );
    let folder = source(&[("script_path", "lib".into())], &directories)
        .await
        .unwrap_err();
    assert!(folder.message.contains("`lib`"), "{folder}");
}

#[tokio::test]
async fn what_names_no_script_is_told_with_what_to_do() {
    let both = [("script", "1".into()), ("script_path", "a.py".into())];
    for (variables, part) in [
        (vec![], "gives no script"),
        (vec![("script_path", " ".into())], "gives no script"),
        (both.to_vec(), "leave one out"),
        (vec![("script", " \n".into())], "an empty script"),
        (vec![("script", Value::Bytes(vec![0xff].into()))], "UTF-8"),
        (vec![("script_path", "/etc/passwd".into())], "is absolute"),
        (vec![("script_path", "../a.py".into())], "holds `..`"),
        (vec![("script_path", "a//b.py".into())], "an empty part"),
        (vec![("script_path", "a\\b.py".into())], "holds `\\`"),
        // There is no engine here, and so no deployment.
        (vec![("script_path", "a.py".into())], "no process engine"),
    ] {
        let failure = source(&variables, &[]).await.unwrap_err();
        assert!(failure.message.contains(part), "{failure}");
        assert_eq!(failure.retry, Retry::Never);
    }
}

#[tokio::test]
async fn inputs_that_contradict_are_refused_before_any_sandbox_is_opened() {
    let adapter = ScriptAdapter::new(ScriptSettings::new("/nonexistent"));
    for (name, value, parts) in [
        ("language", json!("shell"), ["shell", "shell_script"]),
        ("language", json!("cobol"), ["`language`", "python"]),
        ("image", json!("scienc"), ["`scienc`", "did you mean `science`"]),
        (
            "output_files",
            json!({"result": "a.png"}),
            ["`result`", "another name"],
        ),
        (
            "output_files",
            json!({"plot": "../a.png"}),
            ["`../a.png`", "working directory"],
        ),
        (
            "output_files",
            json!({"a": "x", "b": "x"}),
            ["`b`", "one is enough"],
        ),
        (
            "sandbox_config",
            json!({"memory": "1Mi"}),
            ["`memory`", "memory_limit"],
        ),
        (
            "sandbox_config",
            json!("{\"timeout\": \"soon\"}"),
            ["`timeout`", "5s"],
        ),
        ("inputs", json!([1]), ["`inputs`", "a map"]),
    ] {
        let context = context(&[("script", "1".into()), (name, value.into())]);
        let failure = failure(adapter.execute(context).await);
        assert!(
            parts.iter().all(|part| failure.message.contains(part)),
            "{name}: {failure}"
        );
        assert_eq!(failure.retry, Retry::Never);
    }
    let mut other = context(&[("script", "1".into())]);
    other.operation = "perl_script".into();
    assert!(
        failure(adapter.execute(other).await)
            .message
            .contains("scilab_compute")
    );
}

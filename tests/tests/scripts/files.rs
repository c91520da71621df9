//! Files in and out.

use engine_client::{Scope, Variable};
use serde_json::json;

use crate::world::{Bench, has_root, variables};

#[tokio::test(flavor = "multi_thread")]
async fn files_lie_in_the_working_directory_and_others_come_back() {
    let source = "
import os
rows = open(inputs['table']).read().splitlines()
raw = open(inputs['raw'], 'rb').read()
with open('plot.png', 'wb') as file:
    file.write(b'\\x89PNG' + raw)
os.mkdir('out')
with open('out/summary.csv', 'w') as file:
    file.write('rows\\n%d\\n' % len(rows))
result = sorted(os.listdir('.'))";
    let table = Variable::File {
        name: "my table.csv".into(),
        media_type: Some("text/csv".into()),
        encoding: None,
        content: Some("a\nb\n".into()),
    };
    let given = variables(&[
        ("theirs", table),
        ("bytes", Variable::Bytes(vec![0, 1, 2].into())),
    ]);
    let bench = Bench::new("python_script")
        .input("script", source)
        .input("table", "${execution.getVariableTyped('theirs')}")
        .input("raw", "${bytes}")
        .input(
            "output_files",
            r#"{"plot": "plot.png", "summary": "out/summary.csv"}"#,
        )
        .output("picture", "${execution.getVariableTyped('plot')}")
        .output("summary", "${execution.getVariableTyped('summary')}")
        .output("listed", "${result}")
        .property("timeout", "PT30S")
        .keeping();
    let instance = bench.start(&given).await;
    bench.waits(&instance).await;
    let stored = bench.engine.variables(Scope::Instance(&instance)).await.unwrap();
    assert_eq!(
        stored["listed"].to_json(),
        json!(["my table.csv", "out", "plot.png", "raw"])
    );
    for (variable, name, media_type, content) in [
        (
            "picture",
            "plot.png",
            "image/png",
            b"\x89PNG\0\x01\x02".as_slice(),
        ),
        ("summary", "summary.csv", "text/csv", b"rows\n2\n"),
    ] {
        let Variable::File {
            name: stored_name,
            media_type: stored_type,
            ..
        } = &stored[variable]
        else {
            panic!("{stored:?}")
        };
        assert_eq!(
            (stored_name.as_str(), stored_type.as_deref()),
            (name, Some(media_type))
        );
        let data = bench
            .engine
            .variable_data(&instance, &instance, variable, 1000)
            .await
            .unwrap();
        assert_eq!(data.whole().await.unwrap(), content, "{variable}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_script_has_not_written_is_its_error() {
    let bench = Bench::new("python_script")
        .input("script", "result = 1")
        .input("output_files", r#"{"plot": "plot.png"}"#);
    let (incident, _) = bench.incident().await;
    Bench::told(
        &incident,
        &["SCRIPT_ERROR", "price.py", "has not written `plot.png`"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_the_operators_draws_a_plot() {
    if !has_root("science", "science") {
        return;
    }
    let source = "
import matplotlib.pyplot as plt
import numpy as np
x = np.linspace(0, 1, 20)
plt.plot(x, x ** 2)
plt.savefig('plot.png')
result = {'mean': x.mean(), 'squares': x[:3] ** 2}";
    let bench = Bench::new("python_script")
        .input("script", source)
        .input("image", "science")
        .input("output_files", r#"{"plot": "plot.png"}"#)
        .output("picture", "${execution.getVariableTyped('plot')}")
        .keeping();
    let instance = bench.start(&variables(&[])).await;
    bench.waits(&instance).await;
    let picture = bench
        .engine
        .variable_data(&instance, &instance, "picture", 1 << 20)
        .await
        .unwrap();
    assert_eq!(picture.media_type(), Some("image/png"));
    assert!(picture.whole().await.unwrap().starts_with(b"\x89PNG"));
    let answer = bench.variable(&instance, "answer").await;
    assert_eq!(answer["result"]["mean"], json!(0.5), "{answer}");
    assert_eq!(answer["result"]["squares"][0], json!(0.0), "{answer}");
}

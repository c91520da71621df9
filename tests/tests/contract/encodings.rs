//! Models in other encodings than UTF-8: the engine reads of their bytes what the deploy gate reads of them.

use bpmn::tree::Tree;
use bytes::Bytes;
use engine_client::{DeploymentRequest, Resource};

use crate::models::row;
use crate::subject::Subject;

contract! {
    a_model_in_any_encoding_is_read_as_the_gate_reads_it on camunda operaton;
}

/// Encodings of one byte, as declarations name them.
const SINGLE: &[&str] = &[
    "ISO-8859-1",
    "latin1",
    "ISO8859_1",
    "ISO-8859-2",
    "ISO-8859-3",
    "ISO-8859-4",
    "ISO-8859-5",
    "ISO-8859-6",
    "ISO-8859-7",
    "ISO-8859-8",
    "ISO-8859-13",
    "ISO-8859-15",
    "ISO-8859-16",
    "KOI8-R",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "Cp1252",
    "windows-1253",
    "windows-1254",
    "windows-1256",
    "windows-1257",
];

/// Characters of two and three bytes, and one of two units in UTF-16.
const NAME: &str = "é€𝄞";

/// A process with that name, in bytes.
fn process(key: &str, encoding: &str, name: &[u8]) -> Vec<u8> {
    let text = row(key, &[]).replace("\"UTF-8\"", &format!("\"{encoding}\""));
    let (before, after) = text.split_once("isExecutable").unwrap();
    [
        before.as_bytes(),
        b"name=\"",
        name,
        b"\" isExecutable",
        after.as_bytes(),
    ]
    .concat()
}

fn utf16(key: &str, mark: [u8; 2], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let text = String::from_utf8(process(key, "UTF-16", NAME.as_bytes())).unwrap();
    mark.into_iter()
        .chain(text.encode_utf16().flat_map(bytes))
        .collect()
}

/// The bytes beyond ASCII that are something in an encoding.
fn defined(encoding: &str) -> Vec<u8> {
    let is_read = |byte: &u8| bpmn::decode("a", &process("a", encoding, &[*byte])).is_ok();
    (0x80..=0xff).filter(is_read).collect()
}

/// A model for each encoding, by the process's key, with all characters that it has beyond ASCII.
fn files(subject: &Subject) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let key = |name: &str| format!("{}-{name}", subject.key);
    for encoding in SINGLE {
        let name = defined(encoding);
        assert!(name.len() > 60, "{encoding}: {}", name.len());
        files.push((key(encoding), process(&key(encoding), encoding, &name)));
    }
    files.push((key("ascii"), process(&key("ascii"), "US-ASCII", b"plain")));
    let little = utf16(&key("little"), [0xff, 0xfe], u16::to_le_bytes);
    files.push((key("little"), little));
    let big = utf16(&key("big"), [0xfe, 0xff], u16::to_be_bytes);
    files.push((key("big"), big));
    let marked = process(&key("marked"), "UTF-8", NAME.as_bytes());
    files.push((key("marked"), [b"\xef\xbb\xbf".as_slice(), &marked].concat()));
    files
}

async fn a_model_in_any_encoding_is_read_as_the_gate_reads_it(subject: Subject) {
    let files = files(&subject);
    let resources = files.iter().map(|(key, model)| Resource {
        name: format!("{key}.bpmn"),
        content: Bytes::from(model.clone()),
    });
    let request = DeploymentRequest {
        name: &subject.key,
        source: "contract",
        tenant_id: None,
        resources: resources.collect(),
        changed_only: false,
    };
    let client = subject.client();
    let deployed = client.deploy(&request).await.unwrap();
    let stored = client.deployment_resources(&deployed.id).await.unwrap();
    let definitions: Vec<_> = deployed.deployed_process_definitions.into_values().collect();
    assert_eq!(definitions.len(), files.len());
    for (key, model) in &files {
        let text = bpmn::decode(key, model).unwrap();
        let tree = Tree::read(key, &text).unwrap();
        let process = &tree.root().children[0];
        let definition = definitions.iter().find(|it| it.key == *key).unwrap();
        assert_eq!(definition.name.as_deref(), process.value("name"), "{key}");
        // What is stored are the bytes as they were sent.
        let mut stored = stored.iter();
        let file = stored.find(|it| it.name == format!("{key}.bpmn")).unwrap();
        let download = client.deployment_resource(&deployed.id, &file.id, 1 << 20).await;
        assert_eq!(download.unwrap().whole().await.unwrap(), *model, "{key}");
    }
}

//! The form with which a file or bytes variable is uploaded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use mime::Mime;
use serde_json::{Map, Value as Json, json};

use crate::TypedValue;

/// What the form says, as the client writes it: a part `data`, and a part `valueType`.
#[derive(Debug, Default)]
pub(super) struct Upload<'a> {
    kind: Option<&'a str>,
    file_name: Option<String>,
    media_type: Option<&'a str>,
    content: &'a [u8],
}

impl<'a> Upload<'a> {
    /// None where it is no form, or has no `data`.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let end = find(body, b"\r\n")?;
        // Before each part but the first there is a line's end.
        let boundary = [b"\r\n", body.get(..end)?].concat();
        let mut rest = body.get(end..)?;
        let mut upload = Self::default();
        let mut has_data = false;
        while let Some(part) = rest.strip_prefix(b"\r\n") {
            let (head, content) = split(part, b"\r\n\r\n")?;
            let (content, next) = split(content, &boundary)?;
            let head = str::from_utf8(head).ok()?;
            let value = |name: &str| {
                let quoted = head.split_once(&format!("; {name}=\""))?.1;
                // As the engine has it: the backslash before a quote stays.
                let mut before = '"';
                let end =
                    quoted.find(|letter| std::mem::replace(&mut before, letter) != '\\' && letter == '"')?;
                Some(quoted.get(..end)?.to_owned())
            };
            match value("name")?.as_str() {
                "data" => {
                    let header = |line: &'a str| line.split_once(": ");
                    let mut headers = head.lines().filter_map(header);
                    let kind = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
                    upload.media_type = kind.map(|(_, kind)| kind);
                    upload.file_name = value("filename");
                    upload.content = content;
                    has_data = true;
                }
                "valueType" => upload.kind = str::from_utf8(content).ok(),
                _ => {}
            }
            rest = next;
        }
        has_data.then_some(upload)
    }
}

impl From<Upload<'_>> for TypedValue {
    fn from(upload: Upload<'_>) -> Self {
        let kind = upload.kind.unwrap_or("Bytes");
        let mut info = Map::new();
        if kind == "File" {
            let given = upload.media_type.and_then(|kind| kind.parse::<Mime>().ok());
            let media_type = given
                .as_ref()
                .map_or("application/octet-stream", Mime::essence_str);
            info.insert("filename".to_owned(), json!(upload.file_name));
            info.insert("mimeType".to_owned(), json!(media_type));
            // So the engine calls it: it does not look for `charset`.
            if let Some(encoding) = given.as_ref().and_then(|kind| kind.get_param("encoding")) {
                info.insert("encoding".to_owned(), json!(encoding.as_str()));
            }
        }
        Self {
            value: Json::from(BASE64.encode(upload.content)),
            kind: Some(kind.to_owned()),
            value_info: Some(info),
        }
    }
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = find(bytes, at)?;
    Some((bytes.get(..found)?, bytes.get(found + at.len()..)?))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

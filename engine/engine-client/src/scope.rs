//! Variables where they stand: of a running instance, or of one of its executions.

use std::borrow::Cow;

use bytes::Bytes;
use mime::Mime;
use reqwest::multipart::{Form, Part};

use crate::limits::UnrepresentableValue;
use crate::{Download, EngineClient, EngineError, Variable, Variables, encode};

/// Whose variables are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The process's own, by the process instance's id.
    Instance(&'a str),
    /// Those of one execution's own scope alone, such as a task's input parameters, by the execution's id.
    Execution(&'a str),
}

impl<'a> Scope<'a> {
    fn path<'b>(self, more: &[&'b str]) -> Vec<&'b str>
    where
        'a: 'b,
    {
        let mut path = match self {
            Self::Instance(id) => vec!["process-instance", id, "variables"],
            Self::Execution(id) => vec!["execution", id, "localVariables"],
        };
        path.extend(more);
        path
    }
}

/// Content for a variable, of any size that the engine's database takes: it does not travel as JSON.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The file's name: it makes a File; without one it is Bytes. Quotes and backslashes in it come back with a
    /// backslash before them.
    pub file_name: Option<String>,
    /// The file's media type, such as `text/csv; charset=UTF-8`, any bytes unless given; the engine keeps none of Bytes.
    pub media_type: Option<String>,
    /// The content.
    pub content: Bytes,
}

impl EngineClient {
    /// Every variable of a scope. The content of files is left out. May be repeated.
    ///
    /// # Errors
    /// `is_internal` where there is no such instance or execution: the engines have no 404 for it.
    pub async fn variables(&self, scope: Scope<'_>) -> Result<Variables, EngineError> {
        self.get(&scope.path(&[])).query(DESERIALIZE).read().await
    }

    /// One variable of a scope. The content of a file is left out. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the scope has no such variable, `is_internal` where there is no such scope.
    pub async fn variable(&self, scope: Scope<'_>, name: &str) -> Result<Variable, EngineError> {
        let query = [("deserializeValue", "false")];
        self.get(&scope.path(&[name])).query(&query).read().await
    }

    /// Sets variables of a scope and takes others away, in one transaction. May be repeated.
    ///
    /// # Errors
    /// [`EngineError::Unrepresentable`] where the engine cannot keep a value; nothing was sent then. `is_internal` where
    /// there is no such scope.
    pub async fn change_variables(
        &self,
        scope: Scope<'_>,
        set: &Variables,
        delete: &[&str],
    ) -> Result<(), EngineError> {
        let body = serde_json::json!({ "modifications": encode(set)?, "deletions": delete });
        self.post(&scope.path(&[])).json(&body).done().await
    }

    /// Takes a variable away; none of the name is as good. May be repeated.
    ///
    /// # Errors
    /// `is_internal` where there is no such scope.
    pub async fn delete_variable(&self, scope: Scope<'_>, name: &str) -> Result<(), EngineError> {
        self.delete(&scope.path(&[name])).done().await
    }

    /// Sets a variable to a file or bytes. May be repeated.
    ///
    /// # Errors
    /// [`EngineError::Unrepresentable`] where the media type is none; nothing was sent then. `is_internal` where there
    /// is no such instance or execution.
    pub async fn upload_variable(
        &self,
        scope: Scope<'_>,
        name: &str,
        upload: Upload,
    ) -> Result<(), EngineError> {
        let kind = if upload.file_name.is_some() {
            "File"
        } else {
            "Bytes"
        };
        let mut part = Part::stream(upload.content);
        if let Some(file_name) = upload.file_name {
            part = part.file_name(file_name);
        }
        if let Some(media_type) = upload.media_type {
            let wrong = || UnrepresentableValue {
                name: name.to_owned(),
                problem: format!("is a file of the media type `{media_type}`"),
                remedy: "give one such as text/csv",
            };
            let parsed: Mime = media_type.parse().map_err(|_| wrong())?;
            part = part
                .mime_str(&with_encoding(&media_type, &parsed))
                .map_err(|_| wrong())?;
        }
        let form = Form::new().part("data", part).text("valueType", kind);
        let call = self.post(&scope.path(&[name, "data"]));
        call.form(form).await.done().await
    }

    /// The content of a file or bytes, bit by bit: at most `limit` bytes. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the scope has no such variable, `is_bad_request` where it is neither file nor bytes,
    /// `is_internal` where there is no such scope, [`EngineError::TooLarge`] where it has more bytes.
    pub async fn download_variable(
        &self,
        scope: Scope<'_>,
        name: &str,
        limit: u64,
    ) -> Result<Download, EngineError> {
        self.get(&scope.path(&[name, "data"])).download(limit).await
    }
}

/// The media type as the engine understands it: what encoding a file has it looks for under a name of its own.
fn with_encoding<'a>(media_type: &'a str, parsed: &Mime) -> Cow<'a, str> {
    match parsed.get_param(mime::CHARSET) {
        Some(charset) if parsed.get_param("encoding").is_none() => {
            format!("{media_type}; encoding={charset}").into()
        }
        _ => media_type.into(),
    }
}

/// Deserialised, an Object would need its class.
const DESERIALIZE: &[(&str, &str)] = &[("deserializeValues", "false")];

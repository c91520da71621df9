pub(crate) fn assignments(_: &serde_json::Map<String, serde_json::Value>) -> Result<String, String> { Ok(String::new()) }

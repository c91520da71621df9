//! `sandbox_config`: limits that a model tightens.

use std::fmt::Display;
use std::time::Duration;

use bytesize::ByteSize;
use sandbox::{Level, Tightened};
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

/// Limits for one run; more than the operator allows is not to be had.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SandboxConfig {
    /// No more than a run at this level may use: `low`, `medium` or, the strictest, `high`.
    #[serde(deserialize_with = "worker_api::flexible")]
    level: Option<Level>,
    /// Memory with all that lies in the working directory, such as `64Mi`.
    memory_limit: Option<Given>,
    /// Processors, such as 0.5.
    cpu_limit: Option<Given>,
    /// Processes and threads at once.
    pids_limit: Option<Given>,
    /// How long it may take, such as `5s` or `PT5S`.
    timeout: Option<Given>,
    /// What it may write to standard output, to standard error and as its result, each, such as `64Ki`.
    output_limit: Option<Given>,
    /// What may lie in its working directory, such as `16Mi`.
    tmpfs_limit: Option<Given>,
}

/// The keys.
const KEYS: [&str; 7] = [
    "level",
    "memory_limit",
    "cpu_limit",
    "pids_limit",
    "timeout",
    "output_limit",
    "tmpfs_limit",
];

/// A number, or text that holds one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a number, or text such as 64Mi or 5s")]
enum Given {
    /// A number.
    Number(serde_json::Number),
    /// Text.
    Text(String),
}

impl Display for Given {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(formatter),
            Self::Text(text) => formatter.write_str(text.trim()),
        }
    }
}

/// Reads the limits, an object or text that holds one.
///
/// # Errors
/// A key that there is not, with the nearest one, or a value that is no limit.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tightened, D::Error> {
    let given = worker_api::structured(deserializer)?;
    tightened(&given).map_err(D::Error::custom)
}

fn tightened(given: &Json) -> Result<Tightened, String> {
    let keys = match given {
        Json::Null => return Ok(Tightened::default()),
        Json::String(text) if text.trim().is_empty() => return Ok(Tightened::default()),
        Json::Object(keys) => keys,
        other => {
            return Err(format!(
                "expected an object such as {{\"timeout\": \"5s\"}}, found {other}"
            ));
        }
    };
    if let Some(unknown) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let near = nearest(unknown, KEYS).map(|near| format!(" did you mean `{near}`?"));
        return Err(format!(
            "there is no limit `{unknown}`;{} there are: {}",
            near.unwrap_or_default(),
            KEYS.join(", ")
        ));
    }
    let config: SandboxConfig = serde_path_to_error::deserialize(given)
        .map_err(|error| format!("`{}`: {}", error.path(), error.inner()))?;
    Ok(Tightened {
        level: config.level,
        memory: size("memory_limit", config.memory_limit.as_ref())?,
        cpus: parsed(
            "cpu_limit",
            config.cpu_limit.as_ref(),
            "a number of processors such as 0.5",
            |text| {
                text.parse()
                    .ok()
                    .filter(|cpus: &f64| cpus.is_finite() && *cpus > 0.0)
            },
        )?,
        pids: parsed(
            "pids_limit",
            config.pids_limit.as_ref(),
            "a number of processes such as 16",
            |text| text.parse().ok().filter(|pids| *pids > 0),
        )?,
        timeout: parsed(
            "timeout",
            config.timeout.as_ref(),
            "a duration such as 5s or PT5S",
            |text| worker_api::parse_duration(text).filter(|timeout| *timeout > Duration::ZERO),
        )?,
        output: size("output_limit", config.output_limit.as_ref())?,
        tmpfs: size("tmpfs_limit", config.tmpfs_limit.as_ref())?,
    })
}

fn size(key: &str, given: Option<&Given>) -> Result<Option<u64>, String> {
    parsed(key, given, "a size such as 64Mi", |text| {
        let size = text.parse::<ByteSize>().ok()?.as_u64();
        (size > 0).then_some(size)
    })
}

fn parsed<T>(
    key: &str,
    given: Option<&Given>,
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    given
        .map(|given| {
            parse(&given.to_string()).ok_or_else(|| format!("`{key}` is `{given}`; write {expected}"))
        })
        .transpose()
}

/// The known name that is nearest to a misspelt one, where it is near at all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |known: &str| strsim::damerau_levenshtein(name, known);
    let near = known.into_iter().min_by_key(|known| distance(known))?;
    (distance(near) <= name.chars().count().div_ceil(3)).then_some(near)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_and_text_are_read_alike() {
        let object = json!({
            "level": "high", "memory_limit": "64Mi", "cpu_limit": 0.25, "pids_limit": 8, "timeout": "5s",
            "output_limit": 1024, "tmpfs_limit": "1Mi"
        });
        let expected = Tightened {
            level: Some(Level::High),
            memory: Some(64 << 20),
            cpus: Some(0.25),
            pids: Some(8),
            timeout: Some(Duration::from_secs(5)),
            output: Some(1024),
            tmpfs: Some(1 << 20),
        };
        assert_eq!(read(object.clone()).unwrap(), expected);
        assert_eq!(read(json!(object.to_string())).unwrap(), expected);
        assert_eq!(
            tightened(&json!({"cpu_limit": "0.25", "timeout": "PT5S"}))
                .unwrap()
                .cpus,
            Some(0.25)
        );
        for nothing in [json!(null), json!(" "), json!({})] {
            assert_eq!(read(nothing).unwrap(), Tightened::default());
        }
    }

    #[test]
    fn what_makes_no_sense_is_named_with_what_does() {
        for (given, parts) in [
            (
                json!({"memory_limt": 1}),
                ["`memory_limt`", "did you mean `memory_limit`"],
            ),
            (json!({"network": true}), ["`network`", "there are: level"]),
            (
                json!({"memory_limit": "much"}),
                ["`memory_limit` is `much`", "64Mi"],
            ),
            (json!({"memory_limit": 0}), ["`memory_limit` is `0`", "64Mi"]),
            (json!({"cpu_limit": -1}), ["`cpu_limit` is `-1`", "0.5"]),
            (json!({"cpu_limit": "NaN"}), ["`cpu_limit` is `NaN`", "0.5"]),
            (json!({"pids_limit": 0}), ["`pids_limit`", "16"]),
            (json!({"timeout": "0s"}), ["`timeout`", "PT5S"]),
            (json!({"timeout": 5}), ["`timeout` is `5`", "5s"]),
            (json!({"timeout": ["5s"]}), ["`timeout`", "64Mi or 5s"]),
            (json!({"level": "none"}), ["`level`", "medium"]),
            (json!([1]), ["an object", "[1]"]),
        ] {
            let error = tightened(&given).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{given}: {error}");
        }
    }
}

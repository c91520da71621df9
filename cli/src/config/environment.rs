//! Configuration from environment variables: `PROCOS_ENGINE__URL` is `engine: {url: …}`.

use super::layer::Layer;
use super::{ConfigError, yaml};

const PREFIX: &str = "PROCOS_";
const SECRET_PREFIX: &str = "PROCOS_SECRET_";
const DATA_DIR: &str = "PROCOS_DATA_DIR";

/// A layer for each variable that sets a key; `PROCOS_SECRET_…`, those without a double underscore and empty ones
/// are passed over.
pub(super) fn layers(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Layer>, ConfigError> {
    let mut variables: Vec<_> = variables
        .into_iter()
        .filter(|(name, value)| !value.is_empty() && !name.starts_with(SECRET_PREFIX))
        .collect();
    variables.sort();
    let mut layers = Vec::new();
    for (name, value) in variables {
        let place = format!("environment variable {name}");
        if name == DATA_DIR {
            layers.push(Layer::value("data_dir", &place, value));
            continue;
        }
        let Some(key) = name.strip_prefix(PREFIX).filter(|key| key.contains("__")) else {
            continue;
        };
        let key = key.to_lowercase();
        let path: Vec<&str> = key.split("__").collect();
        if path
            .iter()
            .any(|name| name.is_empty() || name.contains(['.', '[']))
        {
            return Err(ConfigError::new(
                place,
                "sets no key: two underscores stand between a section and its key, as in PROCOS_ENGINE__URL",
            ));
        }
        let mut layer = Layer::default();
        yaml::set_from_text(&mut layer, &path, &place, &value)?;
        layers.push(layer);
    }
    Ok(layers)
}

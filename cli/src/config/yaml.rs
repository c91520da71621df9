//! A layer from YAML text, with the position of every key.

use config::{Map, Value, ValueKind};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::layer::Layer;
use super::{ConfigError, join};

/// More text than this is not a configuration.
const LARGEST: usize = 1 << 20;

/// Deeper nesting than any key has.
const DEEPEST: usize = 64;

/// Reads the content of a configuration file. An empty one says nothing.
pub(super) fn layer(file: &str, content: &[u8]) -> Result<Layer, ConfigError> {
    if content.len() > LARGEST {
        return Err(ConfigError::new(
            file,
            "is larger than 1 MiB; this is no configuration file",
        ));
    }
    let text = std::str::from_utf8(content).map_err(|error| {
        let line = 1 + content[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        ConfigError::new(format!("{file}:{line}"), "is not UTF-8 text; save it as UTF-8")
    })?;
    let Some(document) = document(file, text)? else {
        return Ok(Layer::default());
    };
    let mut reader = Reader {
        place: &|node| at(file, node),
        layer: Layer::default(),
    };
    let root = reader.node("", &document)?;
    match root.kind {
        ValueKind::Table(values) => {
            let mut layer = reader.layer;
            layer.values = values;
            Ok(layer)
        }
        ValueKind::Nil => Ok(Layer::default()),
        _ => Err(ConfigError::new(
            at(file, &document),
            "the file must consist of `key: value` lines, such as `data_dir: ./data`",
        )),
    }
}

/// Sets a key to a value that is given as text from outside a file: a YAML scalar, or a list or section in flow
/// style (`[a, b]`). Text that is nothing else is taken as it is, to its last character.
pub(super) fn set_from_text(
    layer: &mut Layer,
    path: &[&str],
    place: &str,
    text: &str,
) -> Result<(), ConfigError> {
    let key = path.join(".");
    let is_flow = text.trim_start().starts_with(['[', '{', '"', '\'']);
    let node = if is_flow {
        document(place, text)?
    } else {
        Some(MarkedYaml::value_from_str(text))
    };
    let Some(node) = node else { return Ok(()) };
    let mut reader = Reader {
        place: &|_| place.to_owned(),
        layer: std::mem::take(layer),
    };
    let value = reader.node(&key, &node)?;
    *layer = reader.layer;
    layer.set(path, place, value);
    Ok(())
}

/// The one document of a text, where it has any.
fn document<'a>(file: &str, text: &'a str) -> Result<Option<MarkedYaml<'a>>, ConfigError> {
    let mut documents = MarkedYaml::load_from_str(text).map_err(|error| {
        let marker = error.marker();
        ConfigError::new(
            format!("{file}:{}:{}", marker.line(), marker.col() + 1),
            format!("is not valid YAML: {}", error.info()),
        )
    })?;
    if documents.len() > 1 {
        return Err(ConfigError::new(
            at(file, &documents[1]),
            "a second document begins here; put everything into one (remove the line `---`)",
        ));
    }
    Ok(documents.pop())
}

fn at(file: &str, node: &MarkedYaml) -> String {
    format!("{file}:{}:{}", node.span.start.line(), node.span.start.col() + 1)
}

struct Reader<'a> {
    place: &'a dyn Fn(&MarkedYaml) -> String,
    layer: Layer,
}

impl Reader<'_> {
    fn node(&mut self, key: &str, node: &MarkedYaml) -> Result<Value, ConfigError> {
        let place = (self.place)(node);
        if key.matches(['.', '[']).count() > DEEPEST {
            return Err(ConfigError::new(place, "is nested deeper than any key is"));
        }
        let kind = match &node.data {
            YamlData::Value(scalar) => scalar_kind(scalar),
            YamlData::Sequence(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let key = format!("{key}[{index}]");
                    self.layer.places.insert(key.clone(), (self.place)(item));
                    values.push(self.node(&key, item)?);
                }
                ValueKind::Array(values)
            }
            YamlData::Mapping(fields) => {
                let mut values = Map::new();
                for (name, value) in fields {
                    let name = self.name(key, name)?;
                    let key = join(key, &name);
                    values.insert(name, self.node(&key, value)?);
                }
                ValueKind::Table(values)
            }
            YamlData::Tagged(tag, _) => {
                let message = format!("the tag `{tag}` means nothing here; remove it");
                return Err(ConfigError::new(place, message));
            }
            YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {
                return Err(ConfigError::new(place, "is no value; put text in quotes"));
            }
        };
        if !matches!(kind, ValueKind::Table(_)) {
            self.layer.replaced.push(key.to_owned());
        }
        Ok(Value::new(Some(&place), kind))
    }

    /// The name of a key in a section, and its place.
    fn name(&mut self, section: &str, name: &MarkedYaml) -> Result<String, ConfigError> {
        let place = (self.place)(name);
        let Some(text) = name.data.as_str() else {
            let message = "this key is not text; put it in quotes";
            return Err(ConfigError::new(place, message));
        };
        // The crate that merges takes these apart.
        if section.is_empty() && text.contains(['.', '[']) {
            let message = format!("unknown key `{text}`: write nested keys as `section: {{key: value}}`");
            return Err(ConfigError::new(place, message));
        }
        self.layer.places.insert(join(section, text), place);
        Ok(text.to_owned())
    }
}

fn scalar_kind(scalar: &Scalar) -> ValueKind {
    match scalar {
        Scalar::Null => ValueKind::Nil,
        Scalar::Boolean(value) => ValueKind::Boolean(*value),
        Scalar::Integer(value) => ValueKind::I64(*value),
        Scalar::FloatingPoint(value) => ValueKind::Float(value.into_inner()),
        Scalar::String(value) => ValueKind::String(value.to_string()),
    }
}

//! What is deployed together.

use bytes::Bytes;

use crate::scripts;

/// A file to deploy.
#[derive(Clone, Debug)]
pub struct Model {
    /// The resource's name in the engine: relative to the root that was given, with `/` between the parts, so that
    /// it is the same wherever the checkout lies.
    pub resource: String,
    /// The file as its user named it, for messages.
    pub file: String,
    /// What it holds.
    pub content: Bytes,
}

impl Model {
    /// Whether it is a script, which goes to the engine beside the model that names it.
    #[must_use]
    pub fn is_script(&self) -> bool {
        scripts::is_script(&self.resource)
    }

    /// Whether it is a BPMN model: decision tables and forms go to the engine as they are.
    #[must_use]
    pub fn is_bpmn(&self) -> bool {
        self.resource.ends_with(".bpmn")
    }
}

/// Models that are deployed together, and the name under which the engine keeps them.
#[derive(Clone, Debug)]
pub struct Bundle {
    name: String,
    models: Vec<Model>,
}

impl Bundle {
    /// A bundle of models that are at hand. The engine looks for unchanged files among the deployments of the same
    /// name, so the name stays the same from one deployment to the next.
    #[must_use]
    pub fn new(name: impl Into<String>, models: Vec<Model>) -> Self {
        Self {
            name: name.into(),
            models,
        }
    }

    /// A bundle of models that a program carries inside: pairs of resource name and content.
    #[must_use]
    pub fn embedded(name: impl Into<String>, files: &[(&str, &'static [u8])]) -> Self {
        let models = files.iter().map(|&(resource, content)| Model {
            resource: resource.to_owned(),
            file: resource.to_owned(),
            content: Bytes::from_static(content),
        });
        Self::new(name, models.collect())
    }

    /// The deployment's name, unless another is asked for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a model refers to others of its own deployment (`calledElementBinding="deployment"`,
    /// `camunda-forms:deployment:x.form` and the like), so that they have to be deployed together. Taken too
    /// widely it costs new versions, taken too narrowly it keeps a form from being seen. A script, too, is looked for in
    /// the deployment of its process.
    pub(crate) fn holds_together(&self) -> bool {
        let refers = |model: &Model| {
            bpmn::decode(&model.file, &model.content).is_ok_and(|text| {
                ["\"deployment\"", "'deployment'", ":deployment:"]
                    .iter()
                    .any(|mark| text.contains(mark))
            })
        };
        self.models
            .iter()
            .any(|model| model.is_script() || model.is_bpmn() && refers(model))
    }

    /// The models, and the scripts that go along with them, by resource name.
    #[must_use]
    pub fn models(&self) -> &[Model] {
        &self.models
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{bundle, process};

    #[test]
    fn a_script_and_its_model_hold_together() {
        assert!(bundle(&[("plain.bpmn", &process("plain")), ("lib/a.py", "pass")]).holds_together());
    }

    #[test]
    fn models_that_refer_to_their_own_deployment_hold_together() {
        let plain = process("plain");
        let with = |attribute: &str| process("with").replace("<userTask", &format!("<userTask {attribute}"));
        for (text, wanted) in [
            (plain.clone(), false),
            (
                with("camunda:formKey=\"camunda-forms:deployment:order.form\""),
                true,
            ),
            (with("camunda:formRefBinding=\"deployment\""), true),
            (with("camunda:formRefBinding='deployment'"), true),
            (with("name=\"deployment of the week\""), false),
        ] {
            let bundle = bundle(&[("plain.bpmn", &plain), ("with.bpmn", &text)]);
            assert_eq!(bundle.holds_together(), wanted, "{text}");
        }
    }

    #[test]
    fn a_reference_is_seen_in_every_encoding() {
        let text = process("p").replace("<userTask", "<userTask camunda:formRefBinding=\"deployment\"");
        let wide = text.encode_utf16().flat_map(u16::to_le_bytes);
        let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain(wide).collect();
        let model = Model {
            resource: "a.bpmn".to_owned(),
            file: "a.bpmn".to_owned(),
            content: bytes.into(),
        };
        assert!(Bundle::new("x", vec![model]).holds_together());
    }
}

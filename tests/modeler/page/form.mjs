// Runs in the browser: applies element templates as Camunda Modeler does, and fills in their forms.

let modeler;

/**
 * Opens the model, applies templates to tasks and fills in what is given: {TASK_ID: {template: ID, values: {NAME: TEXT}}}.
 * A name is an input's or extension property's; `out:FIELD` the process variable for a field of the answer.
 * Answers {xml, errors}: what Modeler would save, and what it says against the templates.
 */
export async function apply(xml, templates, tasks) {
  modeler?.destroy();
  modeler = new window.BpmnModeler({
    container: "#canvas",
    propertiesPanel: { parent: "#properties" },
    alignToOrigin: { alignOnSave: false },
  });
  const errors = [];
  modeler.on("elementTemplates.errors", ({ errors: found }) => errors.push(...found.map(({ message }) => message)));
  modeler.get("elementTemplatesLoader").setTemplates(templates);
  const { warnings } = await modeler.importXML(xml);
  errors.push(...warnings.map(({ message }) => message));
  const registry = modeler.get("elementRegistry");
  const elementTemplates = modeler.get("elementTemplates");
  for (const [id, { template, values = {} }] of Object.entries(tasks)) {
    const chosen = elementTemplates.getAll(registry.get(id)).find((it) => it.id === template);
    if (!chosen) {
      errors.push(`no template ${template} for ${id}`);
      continue;
    }
    const element = elementTemplates.applyTemplate(registry.get(id), chosen);
    for (const [name, value] of Object.entries(values)) {
      if (!fillIn(element, name, value)) errors.push(`the template of ${id} has no ${name}`);
    }
  }
  return { xml: (await modeler.saveXML({ format: true })).xml, errors };
}

/** Opens a task's form with these groups unfolded; answers their labels and the fields' in order. */
export async function show(id, unfolded) {
  modeler.get("selection").select(modeler.get("elementRegistry").get(id));
  const settled = () => new Promise((resolve) => setTimeout(resolve, 300));
  await settled();
  const label = (group) => group.querySelector(".bio-properties-panel-group-header-title")?.textContent;
  const groups = [...document.querySelectorAll(".bio-properties-panel-group")];
  for (const group of groups) {
    const header = group.querySelector(".bio-properties-panel-group-header");
    const isOpen = header.classList.contains("open");
    if (isOpen !== unfolded.includes(label(group))) header.click();
  }
  await settled();
  return groups.map((group) => ({
    group: label(group),
    fields: [...group.querySelectorAll(".bio-properties-panel-label, .bio-properties-panel-collapsible-entry-header-title")].map((it) => it.textContent),
  }));
}

/** Sets a field as its control would. */
function fillIn(element, name, value) {
  const modeling = modeler.get("modeling");
  const extensions = element.businessObject.extensionElements.get("values");
  const inputOutput = extensions.find((it) => it.$type === "camunda:InputOutput");
  const properties = extensions.find((it) => it.$type === "camunda:Properties");
  if (name.startsWith("out:")) {
    const output = inputOutput.get("outputParameters").find((it) => it.value.includes(`'${name.slice(4)}'`));
    if (output) modeling.updateModdleProperties(element, output, { name: value });
    return Boolean(output);
  }
  const field =
    inputOutput.get("inputParameters").find((it) => it.name === name) ??
    properties.get("values").find((it) => it.name === name);
  if (field) modeling.updateModdleProperties(element, field, { value });
  return Boolean(field);
}

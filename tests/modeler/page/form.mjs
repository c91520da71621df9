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
  // A task that has become another kind of task has a drawing with an id made up anew.
  registry.forEach((element) => element.di && (element.di.id = `${element.id}_di`));
  return { xml: (await modeler.saveXML({ format: true })).xml, errors };
}

/** Opens a task's form with these groups unfolded; answers all groups with the labels of their fields, in order. */
export async function show(id, unfolded) {
  const element = modeler.get("elementRegistry").get(id);
  const { name } = element.businessObject;
  const selection = modeler.get("selection");
  const isShown = () => text(document, ".bio-properties-panel-header-label") === name && groups().length > 0;
  await until(() => {
    // A panel that has just been made does not listen yet.
    if (!isShown()) selection.select(null), selection.select(element);
    return isShown();
  });
  const isAsWanted = (group) => isOpen(group) === unfolded.includes(title(group));
  groups().filter((group) => !isAsWanted(group)).forEach((group) => header(group).click());
  await until(() => groups().every(isAsWanted));
  return groups().map((group) => ({ group: title(group), fields: labels(group) }));
}

const HEADER = ".bio-properties-panel-group-header";
const groups = () => [...document.querySelectorAll(".bio-properties-panel-group")];
const header = (group) => group.querySelector(HEADER);
const title = (group) => text(group, `${HEADER}-title`);
// A group without anything in it, such as a list, cannot be opened.
const isOpen = (group) => header(group).classList.contains("open");
const text = (within, selector) => within.querySelector(selector)?.textContent;
const labels = (group) => [...group.querySelectorAll(".bio-properties-panel-label")].map((label) => label.textContent);

/** Waits, a frame at a time, and no longer than ten seconds: the panel draws itself when it likes. */
async function until(isSo) {
  for (const end = Date.now() + 10_000; !isSo(); ) {
    if (Date.now() > end) throw new Error(`the properties panel does not come to ${isSo}`);
    await new Promise(requestAnimationFrame);
  }
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

// What Modeler makes of `procos:security` with this project's descriptor and plug-in.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { BpmnModdle } from "bpmn-moddle";

const require = createRequire(import.meta.url);
const file = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const text = (path) => readFileSync(file(path), "utf8");

// Read anew each time: moddle writes into what it is given.
const procos = () => JSON.parse(text("processes/modeler/procos-moddle.json"));
const camunda = () => JSON.parse(readFileSync(require.resolve("camunda-bpmn-moddle/resources/camunda.json"), "utf8"));
const withPlugIn = () => new BpmnModdle({ procos: procos(), camunda: camunda() });
const offer = text("docs/examples/offer.bpmn");

const read = async (moddle, xml) => {
  const { rootElement, warnings } = await moddle.fromXML(xml);
  return { definitions: rootElement, warnings: warnings.map(({ message }) => message) };
};
const securityOf = (definitions) => definitions.rootElements[0].extensionElements.values[0];

/** The extension's tags in their order. */
const elements = (xml) => xml.match(/<procos:[^>]*>/g).map((tag) => tag.replace(/\s*\/>/, "/>"));

test("a policy is read with its types and written as it was", async () => {
  const moddle = withPlugIn();
  const { definitions, warnings } = await read(moddle, offer);
  assert.deepEqual(warnings, []);
  const security = securityOf(definitions);
  assert.equal(security.$type, "procos:Security");
  assert.deepEqual(
    security.allowedTasks.tasks.map(({ $type, topic, sandboxLevel }) => [$type, topic, sandboxLevel]),
    [
      ["procos:Task", "python_script", "high"],
      ["procos:Task", "response_formatting", "none"],
    ],
  );
  assert.equal(security.dataClassification.level, "internal");
  const { xml } = await moddle.toXML(definitions, { format: true });
  assert.deepEqual(elements(xml), elements(offer));
  assert.deepEqual((await read(moddle, xml)).warnings, []);
});

test("a policy that is made in Modeler is one that ProcOS reads", async () => {
  const moddle = withPlugIn();
  const { definitions } = await read(moddle, offer);
  const security = securityOf(definitions);
  security.allowedTasks.tasks.push(moddle.create("procos:Task", { topic: "http_request" }));
  security.encrypted = moddle.create("procos:Encrypted", { variables: "iban" });
  const { xml } = await moddle.toXML(definitions, { format: true });
  assert.match(xml, /<procos:task topic="http_request" ?\/>\s*<\/procos:allowedTasks>/);
  assert.match(xml, /<procos:encrypted variables="iban" ?\/>\s*<\/procos:security>/);
});

test("a misspelt part is a warning as the model is opened", async () => {
  const { warnings } = await read(withPlugIn(), offer.replace(/procos:dataClassification/g, "procos:dataClass"));
  assert.match(warnings.join("\n"), /procos:dataClass/);
});

test("the plug-in gives Modeler the descriptor", () => {
  const folder = "processes/modeler/procos-plugin/";
  const plugin = require(file(`${folder}index.js`));
  const window = {};
  vm.runInNewContext(text(folder + plugin.script), { window });
  // Through JSON: objects of another context are none of this one's.
  assert.deepEqual(JSON.parse(JSON.stringify(window.plugins)), [{ plugin: procos(), type: "bpmn.modeler.moddleExtension" }]);
  vm.runInNewContext(text(folder + plugin.script), { window });
  assert.equal(window.plugins.length, 2, "others' plug-ins are left alone");
});

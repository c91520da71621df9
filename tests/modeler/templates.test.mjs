// The element templates in processes/modeler/templates/: Camunda's own schema accepts them, and Modeler makes of them
// the models in templates/applied/, which the end-to-end tests check and run. `UPDATE_APPLIED=1` writes these.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { validate } from "@bpmn-io/element-templates-validator";
import { openForm } from "./canvas.mjs";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const FOLDER = file("../../processes/modeler/templates/");
const read = (path) => readFileSync(file(path), "utf8");

const templates = readdirSync(FOLDER).map((name) => JSON.parse(readFileSync(FOLDER + name, "utf8")));
const forms = JSON.parse(read("templates/forms.json"));
/** Where to keep pictures of the forms for people, if anywhere. */
const pictures = process.env.SCREENSHOTS;

let page;
before(async () => {
  page = await openForm();
  if (pictures) mkdirSync(pictures, { recursive: true });
});
after(() => page?.close());

for (const template of templates) {
  test(`${template.id} is a template of Camunda 7`, () => {
    const { valid, errors } = validate(template);
    assert.ok(valid, JSON.stringify(errors, null, 2));
    // The schema lets unknown words pass, and Modeler overlooks them.
    const groups = template.groups.map(({ id }) => id);
    for (const { binding, group } of template.properties) {
      assert.ok(group === undefined || groups.includes(group), `${binding.name}: no group ${group}`);
    }
  });
}

test("every template is applied somewhere", () => {
  const applied = Object.values(forms).flatMap((tasks) => Object.values(tasks).map(({ template }) => template));
  assert.deepEqual(applied.sort(), templates.map(({ id }) => id).sort());
});

for (const [name, tasks] of Object.entries(forms)) {
  test(`Modeler makes ${name}.bpmn what the end-to-end tests run`, async () => {
    const { xml, errors } = await page.apply(read(`templates/${name}.bpmn`), templates, tasks);
    assert.deepEqual(errors, []);
    const applied = `templates/applied/${name}.bpmn`;
    if (process.env.UPDATE_APPLIED) writeFileSync(file(applied), xml);
    assert.equal(xml, read(applied), `${applied} is another; look at what has changed, then UPDATE_APPLIED=1 npm test`);
  });
}

for (const [name, tasks] of Object.entries(forms)) {
  for (const [id, { template: templateId }] of Object.entries(tasks)) {
    const template = templates.find((it) => it.id === templateId);
    test(`${templateId} is a form in which nothing is missing`, async () => {
      await page.apply(read(`templates/${name}.bpmn`), templates, tasks);
      for (const [index, open] of [["Outputs", "What it is given"], ["More inputs", "The whole answer"], ["When it fails", "Not too many at once"]].entries()) {
        const picture = pictures && `${pictures}/${templateId}-${index + 1}.png`;
        const shown = await page.show(id, open, picture);
        for (const { id: group, label } of template.groups) {
          const wanted = template.properties.filter((it) => it.group === group).map((it) => it.label);
          assert.deepEqual(shown.find((it) => it.group === label)?.fields, wanted, label);
        }
      }
    });
  }
}

// bpmnlint's recommended rules, warnings included: what Modeler's own problems panel would show.
import { BpmnModdle } from "bpmn-moddle";
import { Linter } from "bpmnlint";
import NodeResolver from "bpmnlint/lib/resolver/node-resolver.js";

const config = { extends: "bpmnlint:recommended" };

/** Findings as {code: "lint/RULE", message}. A model that cannot be read has none: opening it says so. */
export async function lint(xml) {
  let definitions;
  try {
    definitions = (await new BpmnModdle().fromXML(xml)).rootElement;
  } catch {
    return [];
  }
  // One linter a model: some rules remember what they have seen.
  const reports = await new Linter({ config, resolver: new NodeResolver() }).lint(definitions);
  return Object.entries(reports).flatMap(([rule, list]) =>
    list.map(({ id, message }) => ({ code: `lint/${rule}`, message: `${id}: ${message}` })),
  );
}

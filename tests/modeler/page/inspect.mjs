// Runs in the browser: opens one model in Camunda Modeler's canvas and says what is wrong with it.
import { untidy } from "./geometry.mjs";

const MARGIN = 40;
// Room for the bpmn.io watermark below the drawing.
const WATERMARK = 25;
// Drawn around or behind others on purpose.
const BACKDROPS = ["bpmn:Lane", "bpmn:Group"];
const CONTAINERS = ["bpmn:SubProcess", "bpmn:Participant"];
const DRAWING = ["http://www.omg.org/spec/BPMN/20100524/DI", "http://www.omg.org/spec/DD/20100524/DI", "http://www.omg.org/spec/DD/20100524/DC"];

let modeler;

/** Opens the model; answers {findings: [{code, message}], shapes, edges, size}, `size` absent where nothing is drawn. */
export async function inspect(xml) {
  modeler?.destroy();
  // Modeler moves a drawing near to the origin as it saves; the picture is to show the file as it is.
  modeler = new window.BpmnModeler({ container: "#canvas", alignToOrigin: { alignOnSave: false } });
  let findings;
  try {
    const { warnings } = await modeler.importXML(xml);
    findings = warnings.map(importWarning);
  } catch (error) {
    const findings = [{ code: "not-opened", message: error.message }, ...(error.warnings ?? []).map(importWarning)];
    return { findings, shapes: 0, edges: 0 };
  }
  const canvas = modeler.get("canvas");
  canvas.zoom(1);
  const drawing = read(modeler.get("elementRegistry"), canvas);
  findings.push(...notDrawn(), ...untidy(drawing), ...(await lostByRoundTrip(xml)));
  return { findings, shapes: drawing.shapes.length, edges: drawing.edges.length, size: extent(drawing) };
}

/** Shows the whole drawing, once the window has the size that `inspect` answered. */
export async function fit({ x, y, width, height }) {
  while (window.innerWidth !== width || window.innerHeight !== height) await new Promise(requestAnimationFrame);
  const canvas = modeler.get("canvas");
  canvas.resized();
  canvas.viewbox({ x, y, width, height });
}

const importWarning = ({ message }) => ({ code: "import-warning", message });

/** The canvas's elements as the plain drawing that geometry.mjs judges. */
function read(registry, canvas) {
  const root = canvas.getRootElement();
  const visible = registry.filter((element) => element !== root && canvas.findRoot(element) === root && !element.hidden);
  const name = (element) => element.businessObject?.name;
  const isA = (element, types) => types.some((type) => element.businessObject?.$instanceOf?.(type));
  const ancestors = (element) => (element.parent && element.parent !== root ? [element.parent.id, ...ancestors(element.parent)] : []);
  const solid = visible.filter((element) => !element.waypoints && element.type !== "label" && !isA(element, BACKDROPS));
  const shapes = solid.map((element) => ({
    id: element.id,
    name: name(element),
    form: isA(element, ["bpmn:Event"]) ? "circle" : isA(element, ["bpmn:Gateway"]) ? "diamond" : "rectangle",
    box: { x: element.x, y: element.y, width: element.width, height: element.height },
    ancestors: ancestors(element),
    host: element.host?.id ?? null,
    container: isA(element, CONTAINERS),
  }));
  const edges = visible
    .filter((element) => element.waypoints)
    .map((element) => ({
      id: element.id,
      name: name(element),
      points: element.waypoints.map(({ x, y }) => ({ x, y })),
      source: element.source.id,
      target: element.target.id,
    }));
  const texts = visible
    .map((element) => ({ element, text: writtenText(registry.getGraphics(element), canvas) }))
    .filter(({ text }) => text)
    .map(({ element, text }) => {
      const owner = element.labelTarget ?? element;
      return { id: owner.id, name: name(owner), ...text, within: solid.includes(element) ? element.id : null };
    });
  return { shapes, edges, texts };
}

/** An element's text as the browser really wrote it: its lines, and its box in the drawing's coordinates. */
function writtenText(graphics, canvas) {
  const text = graphics?.querySelector(":scope > .djs-visual text");
  if (!text?.textContent.trim()) return null;
  const frame = canvas.getContainer().getBoundingClientRect();
  const seen = text.getBoundingClientRect();
  const { x, y, scale } = canvas.viewbox();
  const box = {
    x: x + (seen.left - frame.left) / scale,
    y: y + (seen.top - frame.top) / scale,
    width: seen.width / scale,
    height: seen.height / scale,
  };
  return { box, lines: [...text.querySelectorAll("tspan")].map((line) => line.textContent) };
}

/** Elements of the model that a person would expect to see, but that no shape or edge draws. */
function notDrawn() {
  const registry = modeler.get("elementRegistry");
  const missing = [];
  const visit = (element) => {
    const drawable = ["bpmn:FlowNode", "bpmn:SequenceFlow", "bpmn:Participant", "bpmn:MessageFlow", "bpmn:TextAnnotation"].some((type) => element.$instanceOf(type));
    if (drawable && !registry.get(element.id)) {
      missing.push({ code: "not-drawn", message: `"${element.name ?? element.id}" (${element.id}) has no diagram interchange` });
    }
    for (const part of ["rootElements", "flowElements", "artifacts", "participants", "messageFlows"]) {
      (element[part] ?? []).forEach(visit);
    }
  };
  visit(modeler.getDefinitions());
  return missing;
}

/** What saving from the canvas drops, counted by element and attribute; the drawing itself is left out. */
async function lostByRoundTrip(before) {
  const { xml } = await modeler.saveXML({ format: true });
  const again = new window.BpmnModeler({});
  const { warnings } = await again.importXML(xml);
  again.destroy();
  const kept = census(xml);
  const lost = [...census(before)].filter(([what, count]) => (kept.get(what) ?? 0) < count);
  return [
    ...lost.map(([what, count]) => ({ code: "lost", message: `saving keeps ${kept.get(what) ?? 0} of ${count} ${what}` })),
    ...warnings.map(({ message }) => ({ code: "lost", message: `after saving: ${message}` })),
  ];
}

function census(xml) {
  const counts = new Map();
  const count = (key) => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const element of new DOMParser().parseFromString(xml, "text/xml").querySelectorAll("*")) {
    if (DRAWING.includes(element.namespaceURI)) continue;
    count(`${element.namespaceURI} ${element.localName}`);
    for (const { namespaceURI, localName } of element.attributes) {
      if (namespaceURI !== "http://www.w3.org/2000/xmlns/") count(`${element.localName}/@${localName}`);
    }
  }
  return counts;
}

function extent({ shapes, edges, texts }) {
  const boxes = [...shapes, ...texts].map(({ box }) => box);
  const xs = [...boxes.flatMap((b) => [b.x, b.x + b.width]), ...edges.flatMap((e) => e.points.map((p) => p.x))];
  const ys = [...boxes.flatMap((b) => [b.y, b.y + b.height]), ...edges.flatMap((e) => e.points.map((p) => p.y))];
  if (xs.length === 0) return undefined;
  const [x, y] = [Math.floor(Math.min(...xs)) - MARGIN, Math.floor(Math.min(...ys)) - MARGIN];
  return { x, y, width: Math.ceil(Math.max(...xs)) + MARGIN - x, height: Math.ceil(Math.max(...ys)) + MARGIN + WATERMARK - y };
}

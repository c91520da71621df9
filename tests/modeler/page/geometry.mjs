// What makes a drawing untidy, computed from plain boxes and points. Knows nothing of the canvas.
//
// A box is {x, y, width, height}, a point {x, y}, a segment [point, point]. A drawing is
//   shapes: [{id, name, form: "rectangle"|"circle"|"diamond", box, ancestors: [id], host: id|null}]
//   edges:  [{id, name, points: [point], source: id, target: id}]
//   texts:  [{id, name, box, lines: [string], within: id|null}]   `within`: the shape that the text is written into
// `host` is the shape that a boundary event sits on.

/** All findings of one drawing, as {code, message}. */
export function untidy({ shapes, edges, texts }) {
  const byId = new Map(shapes.map((shape) => [shape.id, shape]));
  return [
    ...overlappingShapes(shapes),
    ...shapesOutside(shapes, byId),
    ...looseEdges(edges, byId),
    ...edgesOverShapes(edges, shapes, byId),
    ...edgesOverEdges(edges),
    ...texts.flatMap((text, i) => textTroubles(text, texts.slice(i + 1), shapes, edges, byId)),
  ];
}

function overlappingShapes(shapes) {
  const related = (a, b) => a.ancestors.includes(b.id) || a.host === b.id;
  return pairs(shapes)
    .filter(([a, b]) => !related(a, b) && !related(b, a) && overlap(a.box, b.box))
    .map(([a, b]) => finding("overlap", `${title(a)} and ${title(b)} lie on each other`));
}

function shapesOutside(shapes, byId) {
  return shapes.flatMap((shape) => {
    const parent = byId.get(shape.ancestors[0]);
    // A boundary event straddles its host's border, and so may straddle a border that its host touches.
    if (!parent || shape.host || contains(parent.box, shape.box)) return [];
    return [finding("outside", `${title(shape)} sticks out of ${title(parent)}`)];
  });
}

function looseEdges(edges, byId) {
  return edges.flatMap((edge) =>
    [[edge.source, edge.points[0], "start at"], [edge.target, edge.points.at(-1), "end at"]]
      .filter(([id, point]) => byId.has(id) && !onBorder(byId.get(id), point))
      .map(([id, , verb]) => finding("loose-edge", `${title(edge)} does not ${verb} the border of ${title(byId.get(id))}`)),
  );
}

function edgesOverShapes(edges, shapes, byId) {
  const passes = (edge, shape) => {
    const end = shape.id === edge.source || shape.id === edge.target;
    // A diagonal flow may cut the corner of the box around its own circle or diamond.
    if (end && shape.form !== "rectangle") return false;
    const surrounds = [edge.source, edge.target].some((id) => byId.get(id)?.ancestors.includes(shape.id));
    return !surrounds && segments(edge).some((segment) => crossesBox(segment, inset(shape.box, end ? 3 : 1)));
  };
  return edges.flatMap((edge) =>
    shapes
      .filter((shape) => passes(edge, shape))
      .map((shape) => finding("edge-over-shape", `${title(edge)} runs through ${title(shape)}`)),
  );
}

function edgesOverEdges(edges) {
  // Flows that begin or end together may share a stretch of their way.
  const siblings = (a, b) => a.source === b.source || a.target === b.target;
  return pairs(edges)
    .filter(([a, b]) =>
      segments(a).some((s) => segments(b).some((t) => cross(s, t) || (!siblings(a, b) && runTogether(s, t)))),
    )
    .map(([a, b]) => finding("edges-cross", `${title(a)} and ${title(b)} cross`));
}

function textTroubles(text, others, shapes, edges, byId) {
  const own = byId.get(text.within);
  const foreign = shapes.filter((shape) => shape !== own && !own?.ancestors.includes(shape.id));
  // A label inside a sub-process lies on it as a whole; on its border it does not.
  const box = inset(text.box, 1);
  const hit = (shape) => overlap(box, shape.box) && !(shape.container && contains(shape.box, text.box));
  const torn = (text.name ?? "").split(/[\s-]+/).some((word) => !text.lines.some((line) => line.includes(word)));
  return [
    ...(torn ? [finding("text-torn", `a word of the name of ${title(text)} is split over two lines: ${text.lines.join(" / ")}`)] : []),
    ...(own && !contains(own.box, text.box) ? [finding("text-too-long", `the name of ${title(own)} does not fit into it`)] : []),
    ...foreign.filter(hit).map((shape) => finding("text-over-shape", `the name of ${title(text)} lies on ${title(shape)}`)),
    ...others
      .filter((other) => overlap(box, other.box))
      .map((other) => finding("text-over-text", `the names of ${title(text)} and ${title(other)} lie on each other`)),
    ...edges
      .filter((edge) => segments(edge).some((segment) => crossesBox(segment, box)))
      .map((edge) => finding("text-over-edge", `${title(edge)} strikes through the name of ${title(text)}`)),
  ];
}

const finding = (code, message) => ({ code, message });
const title = ({ id, name }) => (name ? `"${name}" (${id})` : id);
const pairs = (list) => list.flatMap((a, i) => list.slice(i + 1).map((b) => [a, b]));
const segments = ({ points }) => points.slice(1).map((point, i) => [points[i], point]);
const inset = (b, by) => ({ x: b.x + by, y: b.y + by, width: b.width - 2 * by, height: b.height - 2 * by });

/** Touching does not count. */
function overlap(a, b) {
  return a.x + a.width > b.x && b.x + b.width > a.x && a.y + a.height > b.y && b.y + b.height > a.y;
}

function contains(outer, inner) {
  const slack = 0.5;
  return (
    inner.x >= outer.x - slack &&
    inner.y >= outer.y - slack &&
    inner.x + inner.width <= outer.x + outer.width + slack &&
    inner.y + inner.height <= outer.y + outer.height + slack
  );
}

function onBorder({ form, box }, { x, y }) {
  const dx = Math.abs(x - (box.x + box.width / 2)) / (box.width / 2);
  const dy = Math.abs(y - (box.y + box.height / 2)) / (box.height / 2);
  const reach = { rectangle: Math.max(dx, dy), circle: Math.hypot(dx, dy), diamond: dx + dy }[form];
  return Math.abs(reach - 1) * (Math.min(box.width, box.height) / 2) <= 1.5;
}

/** Clips the segment to the box (Liang and Barsky) and asks whether anything is left. */
function crossesBox([p, q], box) {
  let [from, to] = [0, 1];
  for (const [step, room] of [
    [p.x - q.x, p.x - box.x],
    [q.x - p.x, box.x + box.width - p.x],
    [p.y - q.y, p.y - box.y],
    [q.y - p.y, box.y + box.height - p.y],
  ]) {
    if (step === 0 && room <= 0) return false;
    if (step < 0) from = Math.max(from, room / step);
    if (step > 0) to = Math.min(to, room / step);
  }
  return from < to;
}

const side = ([p, q], r) => Math.sign((q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x));

/** True where two segments cross in the middle of both; meeting at an end does not count. */
function cross(s, t) {
  return side(s, t[0]) * side(s, t[1]) < 0 && side(t, s[0]) * side(t, s[1]) < 0;
}

/** True where two segments lie on one line and share more than a point. */
function runTogether(s, t) {
  if (side(s, t[0]) !== 0 || side(s, t[1]) !== 0) return false;
  const axis = Math.abs(s[1].x - s[0].x) > Math.abs(s[1].y - s[0].y) ? "x" : "y";
  const [a, b] = [s, t].map((segment) => segment.map((point) => point[axis]).sort((m, n) => m - n));
  return Math.min(a[1], b[1]) - Math.max(a[0], b[0]) > 1;
}

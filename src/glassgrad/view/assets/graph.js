// The picture: boxes, nodes and edges as SVG, what is lit in them, and how it is moved and zoomed.

const picture = {
  open: data.boxes.map((box) => box.open), nodes: [], boxes: [], edges: [], view: { x: 0, y: 0, scale: 1 },
  whole: false, size: [1, 1], root: byId("graph"), layer: null,
};

// When things happen: the step that computes a node, that brings its gradient, that passes an edge's part of it.
const valueAt = data.nodes.map(() => -1);
const gradientAt = data.nodes.map(() => Infinity);
const newAt = data.nodes.map(() => Infinity);
data.edges.forEach((edge) => { edge.at = Infinity; });
data.steps.forEach((step, k) => {
  if (step.node < 0) return;
  if (step.phase < 2) valueAt[step.node] = k;
  else if (step.phase === 2) {
    gradientAt[step.operand < 0 ? step.node : step.operand] = k;
    if (data.nodes[step.node].role === "loss" && gradientAt[step.node] === Infinity) gradientAt[step.node] = k;
    const edge = data.edges.find((e) => e.source === step.operand && e.target === step.node && e.at === Infinity);
    if (edge) edge.at = k;
  } else if (data.nodes[step.node].role === "parameter" && step.name.startsWith(`${data.nodes[step.node].name}′`)) {
    newAt[step.node] = k;
  }
});
const whysOf = data.nodes.map(() => []);
data.whys.forEach((why, k) => { if (why.node >= 0) whysOf[why.node].push(k); });

// A symbol as a textbook prints it: W1 is W with index 1.
function symbol(name, most = 13) {
  const found = name.match(/^(\p{L})_?(\d+)(.*)$/u);
  const cut = (text) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  if (!found) return [svg("tspan", { class: name.length > 1 ? "word" : "letter" }, cut(name))];
  return [
    svg("tspan", { class: "letter" }, found[1]), svg("tspan", { class: "index", dy: 3 }, found[2]),
    svg("tspan", { dy: -3 }, cut(found[3])),
  ];
}

function visible(key) {
  let box = key[0] === "n" ? boxOf[Number(key.slice(1))] : data.boxes[Number(key.slice(1))].parent;
  let seen = key;
  while (box > 0) {
    if (!picture.open[box]) seen = `b${box}`;
    box = data.boxes[box].parent;
  }
  return seen;
}

function isOpen(box) {
  return chainOf(box).every((b) => b === 0 || picture.open[b]);
}

function build() {
  const packed = {};
  const whole = pack(0, picture.open, packed);
  picture.size = [whole.wide, whole.high];
  const origins = { 0: [0, 0] };
  const frames = svg("g", {});
  const wires = svg("g", {});
  const cards = svg("g", {});
  picture.nodes = [];
  picture.boxes = [];
  data.boxes.forEach((box, number) => {
    if (!isOpen(number)) return;
    const { at } = packed[number];
    const [x, y] = origins[number];
    box.boxes.forEach((b) => {
      const [cx, cy] = [x + at[`b${b}`][0], y + at[`b${b}`][1]];
      if (picture.open[b]) {
        origins[b] = [cx - packed[b].wide / 2, cy - packed[b].high / 2];
        frames.append(frameOf(b, origins[b], packed[b]));
      } else cards.append(cardOf(b, cx, cy));
    });
    box.nodes.forEach((n) => cards.append(nodeOf(n, x + at[`n${n}`][0], y + at[`n${n}`][1])));
  });
  picture.edges = wiresOf(origins, packed);
  wires.append(...picture.edges.map((wire) => wire.element));
  const labels = svg("g", {}, picture.edges.map((wire) => wire.labels));
  picture.layer = svg("g", {}, frames, wires, cards, labels);
  picture.root.replaceChildren(markers(), picture.layer);
  move();
}

function markers() {
  const tip = (id) => svg(
    "marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" },
    svg("path", { d: "M0,1 L7,4 L0,7 Z", class: id }),
  );
  return svg("defs", {}, ["tip", "tip-done", "tip-forward", "tip-back", "tip-lit"].map(tip));
}

function pressed(action) {
  return {
    onclick: (event) => { if (!picture.dragged) { event.stopPropagation(); action(); } },
    onkeydown: (event) => {
      if (event.key === "Enter" || (event.key === " " && event.currentTarget.dataset.box)) {
        event.preventDefault();
        event.stopPropagation();
        action();
      }
    },
  };
}

function frameOf(b, [x, y], { wide, high }) {
  const path = data.boxes[b].path;
  const short = path.split(".").pop();
  const element = svg(
    "g", { class: "frame" },
    svg("rect", { x, y, width: wide, height: high, rx: 10, class: "field" }),
    svg(
      "g", {
        class: "title", tabindex: 0, role: "button", "aria-expanded": "true", "data-box": b,
        "aria-label": `module ${path}, open`, ...pressed(() => toggle(b)),
      },
      svg("rect", { x: x + 3, y: y + 3, width: Math.min(wide - 6, 34 + short.length * 8), height: SIZE.title - 6, rx: 7, class: "bar" }),
      svg("text", { x: x + 12, y: y + 16 }, "▾ ", short.length * 7 > wide - 40 ? `${short.slice(0, Math.floor(wide / 8))}…` : short),
      svg("title", {}, path),
    ),
  );
  picture.boxes[b] = { element: element.querySelector(".title"), card: false };
  return element;
}

function inside(b) {
  return [...data.boxes[b].nodes, ...data.boxes[b].boxes.flatMap(inside)];
}

function cardOf(b, cx, cy) {
  const path = data.boxes[b].path;
  const nodes = inside(b);
  const weights = nodes.filter((n) => data.nodes[n].role === "parameter");
  const inner = nodes.length - weights.length;
  const count = `${inner} ${inner === 1 ? "value" : "values"}` + (weights.length ? `, ${weights.length} par.` : "");
  const [w, h] = [SIZE.boxWidth, SIZE.boxHeight];
  const element = svg(
    "g", {
      class: "card", tabindex: 0, role: "button", "aria-expanded": "false", "data-box": b,
      "aria-label": `module ${path}, closed, ${count}`, transform: `translate(${cx - w / 2},${cy - h / 2})`,
      ...pressed(() => toggle(b)),
    },
    svg("rect", { x: 4, y: -4, width: w - 8, height: h, rx: 8, class: "under" }),
    svg("rect", { width: w, height: h, rx: 8, class: "face" }),
    svg("text", { x: 10, y: 22, class: "name" }, "▸ ", ((text) => (text.length > 13 ? `${text.slice(0, 12)}…` : text))(path.split(".").pop())),
    svg("text", { x: 10, y: 39, class: "small" }, count),
    svg("text", { x: 10, y: 51, class: "small inner" }, ""),
    svg("title", {}, path),
  );
  picture.boxes[b] = { element, card: true, nodes };
  return element;
}

function nodeOf(n, cx, cy) {
  const node = data.nodes[n];
  const [w, h] = sizeOf(`n${n}`, {});
  const asks = whysOf[n].length > 0;
  const goes = valueAt[n] >= 0;
  const action = asks ? () => askWhy(n) : goes ? () => go(valueAt[n]) : null;
  const value = svg("text", { x: w / 2, y: h / 2 + 6, class: "number" });
  const gradient = svg("text", { x: w / 2, y: h / 2 + 20, class: "gradient" });
  const tag = node.op || shapeOf(node.value);
  const element = svg(
    "g", {
      class: `node ${node.role}`, "data-node": n, transform: `translate(${cx - w / 2},${cy - h / 2})`,
      ...(action ? { tabindex: 0, role: "button", ...pressed(action) } : { role: "img" }),
    },
    svg("rect", { width: w, height: h, rx: node.op ? 7 : Math.min(h, SIZE.row) / 2.4, class: "face" }),
    svg("text", { x: node.op ? 9 : 15, y: h / 2 - 9, class: "symbol" }, symbol(node.name, 11 - Math.min(6, tag.length / 2))),
    svg("text", { x: w - (node.op ? 8 : 14), y: h / 2 - 9, class: "op" }, tag),
    value, gradient,
    svg("title", {}, `${data.legend.find(([short]) => short === node.name)?.[1] || node.name}${node.module ? ` in ${node.module}` : ""}`),
  );
  picture.nodes[n] = { element, value, gradient };
  return element;
}

function wiresOf(origins, packed) {
  const made = new Map();
  orderSlots(origins, packed);
  data.edges.forEach((edge, number) => {
    const [from, to] = [visible(`n${edge.source}`), visible(`n${edge.target}`)];
    if (from === to) return;
    const plain = from[0] === "n" && to[0] === "n";
    const key = plain ? `${number}` : `${from}>${to}`;
    if (made.has(key)) { made.get(key).edges.push(number); return; }
    made.set(key, wireOf(edge, number, from, to, origins, packed));
  });
  return arrivals([...made.values()]);
}

// Wires that arrive at the same closed box stand apart.
function arrivals(wires) {
  const at = new Map();
  wires.filter((wire) => wire.to[0] === "b").forEach((wire) => at.set(wire.to, [...(at.get(wire.to) || []), wire]));
  for (const list of at.values()) {
    const gap = Math.min(18, (SIZE.boxHeight - 16) / list.length);
    list.sort((p, q) => p.points.at(-2)[1] - q.points.at(-2)[1]);
    list.forEach((wire, k) => { wire.points.at(-1)[1] += (k - (list.length - 1) / 2) * gap; wire.crowded = gap < 18; });
  }
  wires.forEach(drawWire);
  return wires;
}

// What comes from above arrives above.
function orderSlots(origins, packed) {
  const arriving = data.nodes.map(() => []);
  data.edges.forEach((edge) => {
    const [box, a, b] = edge.links[edge.links.length - 1];
    if (!isOpen(box)) return;
    const bends = bendKeys(box, a, b);
    const { at } = packed[box];
    const before = at[bends.length ? bends[bends.length - 1] : a];
    const leaving = a[0] === "b" && packed[Number(a.slice(1))] && picture.open[Number(a.slice(1))];
    const port = leaving && !bends.length ? packed[Number(a.slice(1))].at[`o${edge.source}`] : null;
    const inner = port ? port[1] - packed[Number(a.slice(1))].high / 2 : 0;
    arriving[edge.target].push([before[1] + inner, edge]);
  });
  arriving.forEach((list) => list.sort((p, q) => p[0] - q[0]).forEach(([, edge], k) => { edge.slot = k; }));
}

function wireOf(edge, number, from, to, origins, packed) {
  const points = [];
  const put = (box, key, shift = [0, 0]) => {
    const place = packed[box].at[key];
    if (place) points.push([origins[box][0] + place[0] + shift[0], origins[box][1] + place[1] + shift[1]]);
  };
  const half = (key) => sizeOf(key, {})[0] / 2;
  for (const [box, a, b] of edge.links) {
    if (!isOpen(box)) continue;
    if (a === from) put(box, a, [half(a), 0]);
    else if (a[0] === "i" && !points.length) put(box, a);
    bendKeys(box, a, b).forEach((key) => put(box, key));
    if (b === to) put(box, b, [-half(b), b[0] === "n" ? slotAt(edge.target, edge.slot) : 0]);
    else if (b[0] === "o") put(box, b);
    else if (b[0] === "b" && picture.open[Number(b.slice(1))]) put(Number(b.slice(1)), `i${edge.source}`);
  }
  return { points, edges: [number], to };
}

function drawWire(wire) {
  const { points } = wire;
  let d = `M${points[0]}`;
  for (let k = 1; k < points.length; k += 1) {
    const [[x0, y0], [x1, y1]] = [points[k - 1], points[k]];
    const bow = Math.max(14, Math.abs(x1 - x0) / 2);
    d += Math.abs(y1 - y0) < 0.5 ? ` L${x1},${y1}` : ` C${x0 + bow},${y0} ${x1 - bow},${y1} ${x1},${y1}`;
  }
  const [ex, ey] = points[points.length - 1];
  const line = svg("path", { d, class: "edge" });
  const label = svg("text", { x: ex - 10, y: ey - 4, class: "flowing" });
  const back = svg("text", { x: ex - 10, y: ey + 11, class: "returning" });
  const labels = svg("g", { class: `wire${wire.crowded ? " crowded" : ""}` }, label, back);
  Object.assign(wire, { element: svg("g", { class: "wire" }, line), labels, label, back });
}

// Bring the picture to a step: what is known by then, what happens now, and which path is lit.
function paint(now, path) {
  const step = data.steps[now];
  const current = step ? step.node : -1;
  const lit = path || { nodes: new Set(), edges: new Set() };
  const active = new Set(activeEdges(step, now));
  picture.nodes.forEach((held, n) => {
    const node = data.nodes[n];
    const known = valueAt[n] <= now;
    const back = gradientAt[n] <= now;
    const fresh = newAt[n] <= now;
    const classes = held.element.classList;
    classes.toggle("done", known && valueAt[n] >= 0);
    classes.toggle("back", back);
    classes.toggle("fresh", fresh);
    classes.toggle("current", n === current);
    classes.toggle("target", step !== undefined && step.phase === 2 && n === step.operand);
    classes.toggle("lit", lit.nodes.has(n));
    held.value.textContent = known ? (fresh ? newText(n) : clip(node.value.text)) : "";
    held.gradient.textContent = back && node.gradient ? `∂ ${clip(node.gradient.text, 20)}` : "";
    if (n === current) held.element.setAttribute("aria-current", "step");
    else held.element.removeAttribute("aria-current");
    held.element.setAttribute("aria-label", spoken(node, n, known, back));
  });
  picture.boxes.forEach((held, b) => {
    if (!held || !held.card) return;
    held.element.classList.toggle("current", held.nodes.includes(current));
    held.element.classList.toggle("done", held.nodes.some((n) => valueAt[n] >= 0 && valueAt[n] <= now));
    held.element.classList.toggle("back", held.nodes.some((n) => gradientAt[n] <= now));
    held.element.classList.toggle("lit", held.nodes.some((n) => lit.nodes.has(n)));
    const here = held.nodes.includes(current) && step;
    held.element.querySelector(".inner").textContent = here ? `${step.op} …` : "";
  });
  for (const wire of picture.edges) paintWire(wire, now, active, lit, step);
  picture.root.classList.toggle("tracing", Boolean(path));
}

function newText(n) {
  const step = data.steps[newAt[n]];
  return single(data.nodes[n].value) ? `→ ${step.result}` : `→ ${clip(step.result, 15)}`;
}

function clip(text, most = 20) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function spoken(node, n, known, back) {
  const words = [node.role === "value" ? "" : node.role, node.name, node.op ? `by ${node.op}` : ""];
  if (known) words.push(`is ${node.value.text}`);
  if (back && node.gradient) words.push(`gradient ${node.gradient.text}`);
  if (whysOf[n].length) words.push("Enter: why");
  return words.filter(Boolean).join(" ");
}

function activeEdges(step, now) {
  if (!step || step.node < 0) return [];
  const found = [];
  data.edges.forEach((edge, k) => {
    if (step.phase < 2 && edge.target === step.node) found.push(k);
    if (step.phase === 2 && step.operand < 0 && edge.source === step.node) found.push(k);
    if (step.phase === 2 && step.operand >= 0 && edge.at === now) found.push(k);
  });
  return found;
}

function paintWire(wire, now, active, lit, step) {
  const edges = wire.edges.map((k) => data.edges[k]);
  const done = edges.some((edge) => valueAt[edge.target] <= now);
  const back = edges.some((edge) => edge.at <= now);
  const on = wire.edges.some((k) => active.has(k));
  for (const { classList } of [wire.element, wire.labels]) {
    classList.toggle("done", done);
    classList.toggle("back", back);
    classList.toggle("forward-now", on && step.phase < 2);
    classList.toggle("back-now", on && step.phase === 2);
    classList.toggle("lit", wire.edges.some((k) => lit.edges.has(k)));
  }
  const one = edges.length === 1 || new Set(edges.map((edge) => edge.source)).size === 1;
  wire.label.textContent = one && done ? brief(data.nodes[edges[0].source].value) : "";
  const last = edges.filter((edge) => edge.at <= now);
  wire.back.textContent = last.length === 1 ? brief(last[0].gradient) : "";
}

function toggle(b) {
  const before = placeOn(`b${b}`);
  picture.open[b] = !picture.open[b];
  build();
  roomFor(picture.view.scale);
  const after = placeOn(`b${b}`);
  if (picture.whole) fit();
  else if (before && after) {
    picture.view.x += before[0] - after[0];
    picture.view.y += before[1] - after[1];
    move();
  }
  refresh();
  const again = picture.root.querySelector(`[data-box="${b}"]`);
  if (again) again.focus();
}

function setAll(open) {
  data.boxes.forEach((_, b) => { picture.open[b] = open; });
  build();
  start();
  refresh();
}

function placeOn(key) {
  const held = key[0] === "n" ? picture.nodes[Number(key.slice(1))] : picture.boxes[Number(key.slice(1))];
  if (!held) return null;
  const box = held.element.getBoundingClientRect();
  return [box.left, box.top, box.right, box.bottom];
}

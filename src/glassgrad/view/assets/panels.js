// Beside the picture: the step at hand; and why, updates, the layers' shares, the legend.

const PHASES = data.phases;
const TABS = [["why", "Why"], ["update", "Update"], ["shares", "Layers"], ["legend", "Legend"]];
const asked = { tab: "why", node: -1, why: -1, path: -1 };

function chip(phase) {
  return el("span", { class: `chip ${PHASES[phase]}` }, PHASES[phase]);
}

function showStep(now) {
  const step = data.steps[now];
  if (!step) {
    byId("step").replaceChildren(el("p", {}, "No steps were recorded."));
    return;
  }
  const name = indexed(step.name, step.entry);
  const one = step.value && single(step.value);
  const value = one ? step.result : written((step.value.largest[0] || [[], ""])[1]);
  const rows = [el("div", { class: "formula", tabindex: 0 }, math(step.math, true))];
  if (step.numbers) {
    const where = step.entry.length ? el("span", { class: "entry" }, `[${step.entry.join(",")}]`) : "";
    const same = math(step.numbers).textContent.replace(/[()\s]/g, "") === value;
    const plugged = el(
      "div", { class: "plugged" },
      el("div", { class: "run", tabindex: 0 }, math(step.left), where, " = ", same ? "" : math(step.numbers)),
      el("b", {}, same ? value : `= ${value}`),
    );
    rows.push(
      one ? null : el("p", { class: "note" }, `The entry of largest size: ${name} = ${step.entryFormula}`), plugged,
    );
  }
  const said = `Step ${now + 1} of ${data.steps.length}, ${PHASES[step.phase]}. ${step.formula} = ${step.result}. ${step.sentence}`;
  byId("step").replaceChildren(
    el(
      "div", { class: "kind" }, chip(step.phase), el("b", {}, step.op),
      step.module ? el("span", { class: "module" }, `in ${step.module}`) : null,
      step.lost ? el("span", { class: "lost" }, "not finite") : null,
    ),
    ...rows.filter(Boolean),
    el("p", { class: "sentence" }, step.sentence),
    lineOf(step.line) || "",
    step.value ? glance(step.value) : "",
  );
  return said;
}

function lineOf(line) {
  if (!line) return null;
  const where = `${line.file}:${line.number}` + (line.function && line.function !== "<module>" ? ` in ${line.function}` : "");
  return el("div", { class: "line" }, el("code", {}, line.text), el("span", {}, where));
}

// An array at a glance.
function glance(value) {
  const facts = [["shape", value.shape.length ? shapeOf(value) : "one number"], ["dtype", value.dtype]];
  if (!single(value)) {
    facts.push(["range", value.text]);
    if (value.norm !== null) facts.push(["norm", written(value.norm)]);
    if (value.mean !== null) facts.push(["mean", written(value.mean)]);
    if (value.zeros !== null) facts.push(["zeros", percent(value.zeros)]);
  }
  if (value.flat !== null) facts.push(["flat", percent(value.flat)]);
  if (value.lost) facts.push(["not finite", `${value.lost}`]);
  return el(
    "div", { class: "glance" },
    el("dl", {}, facts.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text)))),
    value.largest.length ? el(
      "p", { class: "largest" }, el("span", {}, "largest entries "),
      value.largest.map(([index, number]) => el("span", { class: "pair" }, el("i", {}, `[${index.join(",")}]`), ` ${written(number)} `)),
    ) : null,
  );
}

function showTabs() {
  const list = byId("tabs");
  list.replaceChildren(...TABS.map(([id, title]) => el("button", {
    role: "tab", type: "button", id: `tab-${id}`, "aria-selected": String(asked.tab === id), "aria-controls": "tab-panel",
    tabindex: asked.tab === id ? 0 : -1, onclick: () => openTab(id),
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      const next = (TABS.findIndex(([each]) => each === id) + step + TABS.length) % TABS.length;
      openTab(TABS[next][0]);
      byId(`tab-${TABS[next][0]}`).focus();
    },
  }, title)));
  byId("tab-panel").setAttribute("aria-labelledby", `tab-${asked.tab}`);
}

function openTab(id) {
  asked.tab = id;
  showTabs();
  const show = { why: whyPanel, update: updatePanel, shares: sharesPanel, legend: legendPanel }[id];
  byId("tab-panel").replaceChildren(...[show()].flat().filter(Boolean));
  refresh();
}

function fullName(name) {
  const found = data.legend.find(([short]) => short === name);
  return found ? found[1] : "";
}

// -- why ---------------------------------------------------------------------------------------------------------

function askWhy(node) {
  asked.node = node;
  const size = (k) => Math.abs(Number(data.whys[k].value)) || 0;
  asked.why = whysOf[node].reduce((best, k) => (size(k) > size(best) ? k : best));
  asked.path = asked.why >= 0 && data.whys[asked.why].paths.length ? 0 : -1;
  openTab("why");
  focusEntry(asked.why);
}

function whyPanel() {
  const nodes = data.nodes.map((_, n) => n).filter((n) => whysOf[n].length);
  if (!nodes.length) return el("p", { class: "empty" }, "No gradient was explained: no backward pass was recorded here.");
  const list = parametersOf(nodes);
  if (asked.node < 0) return [el("p", { class: "hint" }, "Whose gradient? Choose a parameter here or in the graph."), list];
  return [list, entriesOf(asked.node), whyOf(data.whys[asked.why])];
}

// Few parameters stand in a row; many by their layers.
function parametersOf(nodes) {
  const button = (n) => el("button", {
    type: "button", "aria-pressed": String(n === asked.node), title: fullName(data.nodes[n].name), onclick: () => askWhy(n),
    "data-asks": n,
  }, math(data.nodes[n].math));
  const mark = { role: "group", "aria-label": "Parameters" };
  if (nodes.length <= 12) return el("div", { class: "parameters", ...mark }, nodes.map(button));
  const layers = new Map();
  nodes.forEach((n) => layers.set(data.nodes[n].module, [...(layers.get(data.nodes[n].module) || []), n]));
  const held = byId("tab-panel").querySelector(".layers");
  const made = el("div", { class: "parameters layers", ...mark }, [...layers].map(([layer, each]) => el("div", {}, el("span", {}, layer), each.map(button))));
  const top = held ? held.scrollTop : 0;
  if (top) setTimeout(() => { made.scrollTop = top; }, 0);
  return made;
}

// The gradient as the matrix that it is where every entry is explained, otherwise a list of entries.
function entriesOf(n) {
  const whys = whysOf[n];
  const shape = data.nodes[n].value.shape;
  const most = Math.max(...whys.map((k) => Math.abs(Number(data.whys[k].value)) || 0)) || 1;
  const button = (k) => el("button", {
    type: "button", "aria-pressed": String(k === asked.why), class: Number(data.whys[k].value) < 0 ? "minus" : "plus",
    style: `--part:${(Math.abs(Number(data.whys[k].value)) / most || 0).toFixed(3)}`,
    "aria-label": `entry ${data.whys[k].index.join(",") || "itself"}: ${written(data.whys[k].value)}`,
    onclick: () => { asked.why = k; asked.path = data.whys[k].paths.length ? 0 : -1; openTab("why"); focusEntry(k); },
    "data-why": k,
  }, written(data.whys[k].value));
  const name = data.whys[whys[0]].math;
  const all = whys.length === shape.reduce((a, b) => a * b, 1);
  if (all && shape.length <= 2) {
    const across = shape.length === 2 ? shape[1] : shape[0] || 1;
    return el(
      "div", { class: "matrix" }, math(name), " = ",
      el("div", { class: "entries", style: `--across:${across}`, role: "group", "aria-label": "Entries of the gradient" }, whys.map(button)),
    );
  }
  return el(
    "div", { class: "matrix" }, math(name),
    el("div", { class: "entry-list", role: "group", "aria-label": "Entries of the gradient" }, whys.map((k) => el("div", {}, el("i", {}, `[${data.whys[k].index.join(",")}] `), button(k)))),
  );
}

function focusEntry(k) {
  const again = byId("tab-panel").querySelector(`[data-why="${k}"]`);
  if (again) again.focus({ preventScroll: true });
}

function whyOf(why) {
  const shown = why.paths.length;
  const of = typeof why.count === "number" && why.count > shown ? `${shown} of ${many(why.count)} paths` : `${shown} ${shown === 1 ? "path" : "paths"}`;
  const head = el("p", { class: "sum" }, math(why.math), el("span", { class: "entry" }, why.index.length ? `[${why.index.join(",")}]` : ""), " = ", el("b", {}, written(why.value)), ` by ${of}`);
  const most = Math.max(...why.paths.map(([product]) => Math.abs(Number(product)) || 0)) || 1;
  const rows = why.paths.map(([product, factors], k) => pathOf(product, factors, k, most));
  const rest = typeof why.count === "number" && why.count > shown
    ? el("p", { class: "rest" }, `The other ${many(why.count - shown)} paths add up to ${written(why.remainder)}.`) : null;
  return el("div", { class: "why" }, head, el("ol", { class: "paths" }, rows), rest);
}

function pathOf(product, factors, k, most) {
  const lit = k === asked.path;
  const numbers = factors.map((f) => data.factors[f].value).filter((v) => v !== 1);
  const words = (numbers.length ? numbers : [1]).map((v, at) => (at && Number(v) < 0 ? `(${written(v)})` : written(v)));
  return el(
    "li", { class: lit ? "lit" : "" },
    el("button", {
      type: "button", class: "path", "aria-expanded": String(lit), style: `--part:${(Math.abs(Number(product)) / most || 0).toFixed(3)}`,
      onclick: () => {
        asked.path = lit ? -1 : k;
        openTab("why");
        byId("tab-panel").querySelectorAll(".path")[k].focus({ preventScroll: true });
      },
    }, el("span", {}, words.join(" · ")), el("b", {}, ` = ${written(product)}`)),
    lit ? el("ol", { class: "factors" }, factors.map((f) => factorOf(data.factors[f]))) : null,
  );
}

function factorOf(factor) {
  return el(
    "li", { class: factor.value === 1 ? "one" : "" }, el("span", { class: "run" }, math(factor.math)), el("b", {}, written(factor.value)),
    el("span", { class: "small" }, factor.op + (factor.module ? `, ${factor.module}` : "")),
  );
}

// The nodes and edges from the loss to the parameter along a path; ops that only move entries stand in no factor.
function pathInGraph() {
  if (asked.tab !== "why" || asked.why < 0 || asked.path < 0) return null;
  const why = data.whys[asked.why];
  const factors = why.paths[asked.path][1].map((f) => data.factors[f]);
  const stops = [];
  for (const factor of factors) stops.push(factor.node, factor.by);
  stops.push(why.node);
  const root = data.nodes.findLastIndex((node) => node.role === "loss");
  const nodes = new Set([root, ...stops].filter((n) => n >= 0));
  const edges = new Set();
  let at = root >= 0 ? root : stops[0];
  for (const next of stops) {
    for (const k of between(at, next)) {
      edges.add(k);
      nodes.add(data.edges[k].source);
    }
    at = next;
  }
  return { nodes, edges };
}

function between(from, to) {
  if (from === to || from < 0 || to < 0) return [];
  const came = new Map([[from, -1]]);
  const queue = [from];
  while (queue.length) {
    const node = queue.shift();
    if (node === to) break;
    for (const k of edgesInto[node]) {
      const { source } = data.edges[k];
      if (!came.has(source)) { came.set(source, k); queue.push(source); }
    }
  }
  const found = [];
  for (let node = to; came.has(node) && came.get(node) >= 0;) {
    found.push(came.get(node));
    node = data.edges[came.get(node)].target;
  }
  return found;
}

const edgesInto = data.nodes.map(() => []);
data.edges.forEach((edge, k) => edgesInto[edge.target].push(k));

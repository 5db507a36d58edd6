// The page: one step at hand, and all that leads from one to another.

let now = 0;
let timer = 0;

function refresh() {
  const path = pathInGraph();
  paint(now, path);
  byId("slider").value = String(now);
  byId("slider").setAttribute("aria-valuetext", data.steps[now] ? `${now + 1}, ${PHASES[data.steps[now].phase]}: ${data.steps[now].formula}` : "");
}

function go(step, quiet) {
  now = Math.max(0, Math.min(data.steps.length - 1, step));
  const said = showStep(now);
  if (data.steps[now]) byId("place").replaceChildren(el("b", {}, `${now + 1}`), ` / ${data.steps.length} `, chip(data.steps[now].phase));
  refresh();
  const held = data.steps[now];
  if (held && held.node >= 0) follow([held.node, held.operand].filter((n) => n >= 0).map((n) => visible(`n${n}`)), quiet);
  if (!quiet && said) byId("said").textContent = said;
}

function nextPhase() {
  const at = data.steps[now] ? data.steps[now].phase : 0;
  const found = data.steps.findIndex((step, k) => k > now && step.phase !== at);
  go(found >= 0 ? found : 0);
}

function play(on) {
  clearInterval(timer);
  timer = 0;
  if (on) {
    if (now === data.steps.length - 1) go(0);
    timer = setInterval(() => { if (now === data.steps.length - 1) play(false); else go(now + 1); }, data.steps.length > 200 ? 350 : 850);
  }
  byId("play").textContent = on ? "Pause" : "Play";
  byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
}

function choose(step) {
  play(false);
  go(step);
}

const KEYS = {
  ArrowRight: () => choose(now + 1), ArrowLeft: () => choose(now - 1), Home: () => choose(0), End: () => choose(data.steps.length - 1),
  " ": () => play(!timer), p: () => { play(false); nextPhase(); }, "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8),
  "−": () => zoom(0.8), 0: () => fit(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  const { target } = event;
  const range = target === byId("slider");
  if (range && (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End")) return;
  if (event.key === " " && target.closest("button,summary,a,[data-box]")) return;
  event.preventDefault();
  KEYS[event.key]();
}

function theme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").setAttribute("aria-pressed", String(dark));
  byId("theme").textContent = dark ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", dark ? "Change to light colours" : "Change to dark colours");
}

function phaseMarks() {
  const counts = PHASES.map((_, phase) => data.steps.filter((step) => step.phase === phase).length);
  byId("phases").replaceChildren(...counts.map((count, phase) => (count ? el("button", {
    type: "button", class: PHASES[phase], style: `flex-grow:${count}`, title: `${PHASES[phase]}: ${count} steps`,
    "aria-label": `To the first step of ${PHASES[phase]}`, onclick: () => choose(data.steps.findIndex((step) => step.phase === phase)),
  }, count > data.steps.length * 0.055 ? PHASES[phase] : "\u00a0") : "")).filter(Boolean));
}

function begin() {
  byId("title").textContent = data.title;
  byId("lede").replaceChildren(...[data.loss ? el("b", {}, data.loss) : "", data.loss ? ` · ${data.steps.length} steps` : `${data.steps.length} steps`].filter(Boolean));
  byId("notes").hidden = !data.notes.length;
  byId("notes").open = data.steps.some((step) => step.lost);
  byId("notes").replaceChildren(el("summary", {}, data.notes.length === 1 ? "1 note" : `${data.notes.length} notes`), ...data.notes.map((note) => el("p", {}, note)));
  byId("slider").max = String(Math.max(0, data.steps.length - 1));
  byId("slider").addEventListener("input", (event) => choose(Number(event.target.value)));
  byId("first").addEventListener("click", () => choose(0));
  byId("back").addEventListener("click", () => choose(now - 1));
  byId("play").addEventListener("click", () => play(!timer));
  byId("next").addEventListener("click", () => choose(now + 1));
  byId("last").addEventListener("click", () => choose(data.steps.length - 1));
  byId("zoom-in").addEventListener("click", () => zoom(1.25));
  byId("zoom-out").addEventListener("click", () => zoom(0.8));
  byId("zoom-fit").addEventListener("click", fit);
  byId("boxes").hidden = data.boxes.length < 2;
  byId("boxes").addEventListener("click", () => setAll(!picture.open.slice(1).every(Boolean)));
  byId("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme !== "dark"));
  document.addEventListener("keydown", onKey);
  theme(matchMedia("(prefers-color-scheme: dark)").matches);
  phaseMarks();
  build();
  start();
  watchCamera();
  openTab(data.whys.length ? "why" : "legend");
  go(0, true);
}

begin();

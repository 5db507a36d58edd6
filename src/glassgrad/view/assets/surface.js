// The sliders: along the training, and to any point of the plane. Everything else stands in the page already.

const data = JSON.parse(document.getElementById("data").textContent);

function byId(id) {
  return document.getElementById(id);
}

function number(value) {
  if (typeof value === "string") return value.replace("-", "−").replace("inf", "∞");
  if (value === 0) return "0";
  const size = Math.abs(value);
  return (size < 1e-3 || size >= 1e6 ? value.toExponential(3) : String(Number(value.toPrecision(4)))).replace(/-/g, "−");
}

function theme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").setAttribute("aria-pressed", String(dark));
  byId("theme").textContent = dark ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", dark ? "Change to light colours" : "Change to dark colours");
}

function place(axis, value) {
  return axis.begin + ((value - axis.low) / (axis.high - axis.low || 1)) * (axis.end - axis.begin);
}

function told(id, text) {
  byId(id).textContent = text;
}

function goTo(k) {
  const stop = data.path[k];
  byId("here").setAttribute("cx", place(data.x, stop.across));
  byId("here").setAttribute("cy", data.y ? place(data.y, stop.up) : stop.height);
  const after = `after ${stop.step} step${stop.step === 1 ? "" : "s"}`;
  byId("step").setAttribute("aria-valuetext", after);
  told("at-step", `${after}: loss ${number(stop.loss)}; ${number(stop.beside)} beside the plane`);
}

function lookAt() {
  const [column, line] = [Number(byId("across").value), Number(byId("up").value)];
  const [a, b] = [data.across[column], data.up[line]];
  const [x, y] = [place(data.x, a), place(data.y, b)];
  const { x: sides, y: ends } = data;
  byId("cross").firstChild.setAttribute("d", `M${sides.begin} ${y}H${sides.end}M${x} ${ends.begin}V${ends.end}`);
  byId("across").setAttribute("aria-valuetext", number(a));
  byId("up").setAttribute("aria-valuetext", number(b));
  told("at-point", `at ${number(a)}, ${number(b)}: loss ${number(data.losses[line][column])}`);
}

function nearest(axis, places, at) {
  const value = axis.low + ((at - axis.begin) / (axis.end - axis.begin)) * (axis.high - axis.low);
  const step = (places[places.length - 1] - places[0]) / (places.length - 1);
  return Math.min(places.length - 1, Math.max(0, Math.round((value - places[0]) / step)));
}

function begin() {
  byId("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme !== "dark"));
  theme(matchMedia("(prefers-color-scheme: dark)").matches);
  if (!byId("step")) return;
  byId("step").addEventListener("input", () => goTo(Number(byId("step").value)));
  goTo(data.path.length - 1);
  if (!data.y) return;
  for (const id of ["across", "up"]) byId(id).addEventListener("input", lookAt);
  byId("map").addEventListener("click", (event) => {
    const picture = byId("map");
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
    byId("across").value = nearest(data.x, data.across, at.x);
    byId("up").value = nearest(data.y, data.up, at.y);
    lookAt();
  });
  lookAt();
}

begin();

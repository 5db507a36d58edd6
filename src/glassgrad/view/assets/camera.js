// Where one looks at the picture from: zoom, pan, and following the step at hand.

const EDGE = 26;
const READABLE = 0.66;

// Only steps glide: what one does oneself is to be seen at once.
function move(glides = false) {
  const { x, y, scale } = picture.view;
  if (!picture.layer) return;
  picture.layer.classList.toggle("glide", glides);
  picture.layer.setAttribute("transform", `translate(${x},${y}) scale(${scale})`);
}

function room() {
  const box = picture.root.getBoundingClientRect();
  return [Math.max(50, box.width), Math.max(50, box.height)];
}

// The figure is no higher than what is in it.
function roomFor(scale) {
  picture.root.style.setProperty("--most", `${Math.max(176, picture.size[1] * scale + 2.4 * EDGE)}px`);
}

function fit() {
  roomFor(Math.min(1.2, (room()[0] - 2 * EDGE) / picture.size[0]));
  const [wide, high] = room();
  const [w, h] = picture.size;
  const scale = Math.min((wide - 2 * EDGE) / w, (high - 2 * EDGE) / h, 1.2);
  picture.view = { scale, x: (wide - w * scale) / 2, y: (high - h * scale) / 2 };
  picture.whole = true;
  move();
}

// All of it if it can be read so; otherwise its beginning, and the steps are followed.
function start() {
  fit();
  if (picture.view.scale >= READABLE) return;
  roomFor(1);
  const [, high] = room();
  const scale = Math.min(1, Math.max(READABLE, (high - 2 * EDGE) / picture.size[1]));
  roomFor(scale);
  picture.view = { scale, x: EDGE, y: (high - picture.size[1] * scale) / 2 };
  picture.whole = false;
  move();
}

function zoom(factor, at) {
  const [wide, high] = room();
  const [px, py] = at || [wide / 2, high / 2];
  const { x, y, scale } = picture.view;
  const next = Math.min(3, Math.max(0.08, scale * factor));
  picture.view = { scale: next, x: px - ((px - x) * next) / scale, y: py - ((py - y) * next) / scale };
  picture.whole = false;
  move();
}

// Bring items into sight that are not: all of them if they fit, else the last.
function follow(keys, quick) {
  if (picture.whole) return;
  const frame = picture.root.getBoundingClientRect();
  const places = keys.map(placeOn).filter(Boolean);
  if (!places.length) return;
  const all = [Math.min, Math.min, Math.max, Math.max].map((pick, k) => pick(...places.map((each) => each[k])));
  const place = all[2] - all[0] < frame.width - 8 ? all : places.at(-1);
  const margin = Math.max(4, Math.min(110, (frame.width - (place[2] - place[0])) / 3));
  let [dx, dy] = [0, 0];
  const middle = [(place[0] + place[2]) / 2, (place[1] + place[3]) / 2];
  if (place[0] < frame.left + margin || place[2] > frame.right - margin) dx = frame.left + frame.width / 2 - middle[0];
  if (place[1] < frame.top + 14 || place[3] > frame.bottom - 14) dy = frame.top + frame.height / 2 - middle[1];
  if (!dx && !dy) return;
  picture.view.x += dx;
  picture.view.y += dy;
  move(!quick);
}

function watchCamera() {
  const root = picture.root;
  const fingers = new Map();
  let far = 0;
  root.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = root.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * 0.0016), [event.clientX - box.left, event.clientY - box.top]);
  }, { passive: false });
  root.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    far = 0;
    picture.dragged = false;
  });
  root.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    far += Math.abs(dx) + Math.abs(dy);
    if (far > 5 && !picture.dragged) {
      picture.dragged = true;
      root.setPointerCapture(event.pointerId);
    }
    if (!picture.dragged) return;
    if (fingers.size === 2) pinch(event, before);
    else {
      picture.view.x += dx;
      picture.view.y += dy;
      picture.whole = false;
      move();
    }
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  const lift = (event) => {
    fingers.delete(event.pointerId);
    if (picture.dragged) setTimeout(() => { picture.dragged = false; }, 0);
  };
  root.addEventListener("pointerup", lift);
  root.addEventListener("pointercancel", lift);
  function pinch(event, before) {
    const other = [...fingers.entries()].find(([id]) => id !== event.pointerId)[1];
    const gap = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
    const box = root.getBoundingClientRect();
    zoom(gap([event.clientX, event.clientY]) / gap(before), [other[0] - box.left, other[1] - box.top]);
  }
  new ResizeObserver(() => { if (picture.whole) fit(); }).observe(root);
  root.addEventListener("focusin", (event) => {
    const item = event.target.closest("[data-node],[data-box]");
    if (item && item.matches(":focus-visible")) {
      follow([item.dataset.node ? `n${item.dataset.node}` : `b${item.dataset.box}`]);
    }
  });
}

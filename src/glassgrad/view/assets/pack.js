// From the layers and the order that the report gives to places in the picture, with any boxes open or closed.

const SIZE = {
  width: data.nodes.every((node) => single(node.value)) ? 112 : 136, row: 56, input: 28, gap: 68, between: 16, boxWidth: 118, boxHeight: 58, side: 34, title: 26, foot: 14,
};

// Centres as near as can be to those wanted, in order, without overlap.
function spread(items) {
  let total = 0;
  const blocks = [];
  items.forEach((item, k) => {
    total += k ? (items[k - 1].high + item.high) / 2 + SIZE.between : 0;
    item.back = total;
    let mean = item.want - total;
    let count = 1;
    let weight = item.weight;
    while (blocks.length && blocks[blocks.length - 1][0] >= mean) {
      const [before, length, heavy] = blocks.pop();
      mean = (before * heavy + mean * weight) / (heavy + weight);
      weight += heavy;
      count += length;
    }
    blocks.push([mean, count, weight]);
  });
  let k = 0;
  for (const [mean, count] of blocks) {
    for (let i = 0; i < count; i += 1, k += 1) items[k].y = mean + items[k].back;
  }
}

// For every edge the links that it takes through the boxes: [box, from item, to item].
function chainOf(box) {
  const chain = [box];
  while (chain[chain.length - 1] > 0) chain.push(data.boxes[chain[chain.length - 1]].parent);
  return chain;
}

const boxOf = [];
data.boxes.forEach((box, number) => box.nodes.forEach((node) => { boxOf[node] = number; }));
const inputsOf = data.nodes.map(() => 0);
data.edges.forEach((edge) => {
  edge.slot = inputsOf[edge.target]++;
  const up = chainOf(boxOf[edge.source]);
  const down = chainOf(boxOf[edge.target]);
  const common = up.find((box) => down.includes(box));
  let at = `n${edge.source}`;
  edge.links = [];
  for (const box of up.slice(0, up.indexOf(common))) {
    edge.links.push([box, at, `o${edge.source}`]);
    at = `b${box}`;
  }
  const tail = [];
  let to = `n${edge.target}`;
  for (const box of down.slice(0, down.indexOf(common))) {
    tail.unshift([box, `i${edge.source}`, to]);
    to = `b${box}`;
  }
  edge.links.push([common, at, to], ...tail);
});

// The offset from a node's middle at which its k-th input arrives.
function slotAt(node, slot) {
  const count = Math.min(inputsOf[node], 6);
  return (Math.min(slot, count - 1) - (count - 1) / 2) * SIZE.input;
}

function sizeOf(key, packed) {
  const number = Number(key.slice(1));
  if (key[0] === "n") return [SIZE.width, Math.max(SIZE.row, SIZE.input * Math.min(inputsOf[number], 6))];
  if (key[0] === "b") return packed[number] ? [packed[number].wide, packed[number].high] : [SIZE.boxWidth, SIZE.boxHeight];
  return [0, 10];
}

// Sizes and the places of all items within an open box; `packed` keeps those of the open boxes within it.
function pack(number, open, packed) {
  const box = data.boxes[number];
  box.boxes.filter((b) => open[b]).forEach((b) => pack(b, open, packed));
  const items = new Map();
  const add = (key, [layer, want]) => {
    const [wide, high] = key.includes(">") ? [0, 10] : sizeOf(key, packed);
    items.set(key, { key, layer, want: want * (SIZE.row + SIZE.between), wide, high, near: [], weight: isLeaf(key) ? 0.02 : 1 });
  };
  Object.entries(box.places).forEach(([key, place]) => add(key, place));
  Object.entries(box.bends).forEach(([key, bends]) => bends.forEach((place, k) => add(`${key}>${k}`, place)));
  const layers = [];
  for (const item of items.values()) (layers[item.layer] = layers[item.layer] || []).push(item);
  const filled = layers.filter((layer) => layer);
  filled.forEach((layer) => layer.sort((a, b) => a.want - b.want));
  filled.forEach(spread);
  settle(number, items, filled, packed);
  return place(number, items, layers, packed);
}

// Draw linked items to the same height, in the order that they have.
function settle(number, items, layers, packed) {
  const seen = new Set();
  for (const edge of data.edges) {
    for (const [box, from, to] of edge.links) {
      if (box !== number || seen.has(`${from}>${to}>${edge.source}`)) continue;
      seen.add(`${from}>${to}>${edge.source}`);
      const run = [from, ...bendKeys(box, from, to), to].map((key) => items.get(key));
      for (let k = 1; k < run.length; k += 1) {
        const right = portAt(run[k - 1].key, "o", edge, packed);
        const left = portAt(run[k].key, "i", edge, packed);
        const weight = k === 1 && isLeaf(from) ? 0.02 : 1;
        run[k].near.push([run[k - 1], right - left, weight]);
        run[k - 1].near.push([run[k], left - right, 1]);
      }
    }
  }
  for (let round = 0; round < 8; round += 1) {
    for (const layer of round % 2 ? [...layers].reverse() : layers) {
      for (const item of layer) {
        const all = item.near.reduce((sum, [, , weight]) => sum + weight, 0);
        const sum = item.near.reduce((part, [other, shift, weight]) => part + (other.y + shift) * weight, 0);
        item.want = all ? sum / all : item.y;
      }
      spread(layer);
    }
  }
}

// What was not computed here makes way for what was.
function isLeaf(key) {
  return key[0] === "n" && !key.includes(">") && !data.nodes[Number(key.slice(1))].op;
}

function bendKeys(box, from, to) {
  return (data.boxes[box].bends[`${from}>${to}`] || []).map((_, k) => `${from}>${to}>${k}`);
}

// The offset from an item's middle at which an edge leaves or arrives.
function portAt(key, side, edge, packed) {
  const number = Number(key.slice(1));
  if (key[0] !== "b" || key.includes(">") || !packed[number]) return 0;
  const port = packed[number].at[`${side}${edge.source}`];
  return port ? port[1] - packed[number].high / 2 : 0;
}

function place(number, items, layers, packed) {
  const at = {};
  let top = Infinity;
  let bottom = -Infinity;
  for (const item of items.values()) {
    const real = item.wide > 0;
    top = Math.min(top, item.y - (real ? item.high / 2 : 0));
    bottom = Math.max(bottom, item.y + (real ? item.high / 2 : 0));
  }
  if (!items.size) [top, bottom] = [0, 0];
  const inner = number > 0;
  const down = (inner ? SIZE.title + SIZE.side / 2 : 0) - top;
  let x = inner ? SIZE.side : 0;
  layers.forEach((layer) => {
    const wide = Math.max(...layer.map((item) => item.wide));
    layer.forEach((item) => { at[item.key] = [x + wide / 2, item.y + down]; });
    if (wide > 0) x += wide + SIZE.gap;
  });
  const wide = Math.max(SIZE.boxWidth, x - (x > SIZE.gap ? SIZE.gap : 0) + (inner ? SIZE.side : 0));
  const high = bottom + down + (inner ? SIZE.foot : 0);
  for (const [key, point] of Object.entries(at)) {
    if (key.includes(">")) continue;
    if (key[0] === "i") point[0] = 0;
    if (key[0] === "o") point[0] = wide;
  }
  packed[number] = { wide, high, at };
  return packed[number];
}

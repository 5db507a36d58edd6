// Elements, formulas and tables. Text from the report goes into the page as text nodes and attributes only.

const data = JSON.parse(document.getElementById("data").textContent);

function unpack(table) {
  return table.rows.map((row) => {
    const made = {};
    table.fields.forEach((field, k) => {
      if (field.endsWith("$")) made[field.slice(0, -1)] = data.strings[row[k]];
      else if (field === "line@") made.line = row[k] < 0 ? null : data.lines[row[k]];
      else if (field.endsWith("@")) made[field.slice(0, -1)] = row[k] < 0 ? null : data.values[row[k]];
      else made[field] = row[k];
    });
    return made;
  });
}

for (const name of ["values", "lines", "nodes", "edges", "steps", "factors", "whys", "updates"]) {
  data[name] = unpack(data[name]);
}

const SVG = "http://www.w3.org/2000/svg";
const MATHML = "http://www.w3.org/1998/Math/MathML";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== "") element.append(child);
  }
  return element;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

// The short form of a formula, see view/mathml.py.
function math(code, block) {
  let at = 0;
  function make(name, text) {
    const element = document.createElementNS(MATHML, name);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  let before = "(";
  function token(letter) {
    let text = "";
    while (at < code.length && code[at] !== ";") {
      if (code[at] === "\\") at += 1;
      text += code[at++];
    }
    at += 1;
    const element = make(data.letters[letter] || "mtext", text);
    if (letter === "o") element.setAttribute("stretchy", "false");
    if (letter === "o" && text === "−" && "(=·[,+".includes(before)) {
      element.setAttribute("form", "prefix");
      element.setAttribute("lspace", "0");
      element.setAttribute("rspace", "0");
    }
    before = letter === "o" ? text : ")";
    if (letter === "o" && text === "·") {
      element.setAttribute("lspace", "0.22em");
      element.setAttribute("rspace", "0.22em");
    }
    return element;
  }
  function read() {
    if (code[at] !== "(") return token(code[at++]);
    at += 1;
    const letter = code[at++];
    const element = make(data.letters[letter] || "mrow");
    before = "(";
    if (letter === "s") element.setAttribute("width", "0.2em");
    while (at < code.length && code[at] !== ")") element.append(read());
    at += 1;
    before = ")";
    return element;
  }
  const whole = make("math");
  if (block) whole.setAttribute("displaystyle", "true");
  while (at < code.length) whole.append(read());
  return whole;
}

function written(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "" : value;
  let text = Number(value.toPrecision(4)).toString();
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e6)) {
    text = value.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
  }
  return text.replaceAll("-", "−");
}

// How many paths there are: beyond a million as a power of ten.
function many(value) {
  if (typeof value !== "number" || value < 1e6) return written(value);
  const [front, power] = value.toExponential(1).split("e+");
  return `${front}·10${[...power].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;
}

function percent(share) {
  return `${written(Number((share * 100).toPrecision(2)))} %`;
}

function indexed(name, index) {
  return index.length ? `${name}[${index.join(",")}]` : name;
}

function shapeOf(value) {
  return value.shape.length ? value.shape.join(" × ") : "";
}

function single(value) {
  return value.shape.every((n) => n === 1);
}

// A number for an edge or a node: itself, of an array its norm.
function brief(value) {
  if (!value) return "";
  if (single(value)) return value.text;
  return value.norm === null || value.norm === undefined ? "" : `‖${written(Number(Number(value.norm).toPrecision(3)))}‖`;
}

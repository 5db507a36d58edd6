// Updates, the layers' shares of the step, and what the symbols stand for.

function updatePanel() {
  if (!data.updates.length) return el("p", { class: "empty" }, "No update was recorded: call optimizer.step() inside the with block.");
  const rule = data.updates[0].rule;
  return [
    el("p", { class: "hint" }, "From gradient to new weight", rule ? `, by ${rule}` : "", "."),
    el("div", { class: "updates" }, data.updates.map((update) => el(
      "details", {},
      el(
        "summary", {}, el("span", { class: "who", title: fullName(update.name) }, indexed(update.name, update.index)),
        el("span", { class: "number" }, `${written(update.old)} → ${written(update.new)}`),
        el("span", { class: "number change" }, signed(Number(update.new) - Number(update.old))),
      ),
      el("ol", {}, update.moves.map(([formula, code, numbers, value]) => el(
        "li", {}, el("div", { class: "formula", tabindex: 0 }, math(data.strings[code])),
        data.strings[numbers] === written(value) ? null
          : el("div", { class: "plugged" }, el("span", { class: "run" }, `= ${data.strings[numbers]}`), el("b", {}, `= ${written(value)}`)),
      ))),
    ))),
  ];
}

function signed(value) {
  if (!Number.isFinite(value)) return "";
  return value > 0 ? `+${written(value)}` : written(value);
}

function sharesPanel() {
  if (!data.shares) return el("p", { class: "empty" }, "No update was recorded, so no layer has a share in it.");
  const [before, after, first, together] = data.shares.all;
  const most = Math.max(...data.shares.layers.flatMap((row) => [Math.abs(Number(row[2])) || 0, Math.abs(Number(row[3])) || 0])) || 1;
  const bar = (value) => el("td", { class: "number bar", style: `--part:${(Math.abs(Number(value)) / most || 0).toFixed(3)}` }, signed(Number(value)));
  return [
    el("p", { class: "hint" }, "What each layer's update did to the loss by itself: predicted by its gradient, and measured. The loss went from ", el("b", {}, written(before)), " to ", el("b", {}, written(after)), " on the same batch."),
    el(
      "div", { class: "scroll", tabindex: 0 },
      el(
        "table", {},
        el("thead", {}, el("tr", {}, ["layer", "predicted", "measured", "‖gradient‖", "‖change‖"].map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, data.shares.layers.map(([layer, count, predicted, measured, gradient, change]) => el(
          "tr", {}, el("th", { scope: "row", title: `${count} parameters` }, layer), bar(predicted), bar(measured),
          el("td", { class: "number" }, written(gradient)), el("td", { class: "number" }, written(change)),
        ))),
        el(
          "tfoot", {},
          el("tr", {}, el("th", { scope: "row" }, "only together"), el("td", {}), el("td", { class: "number" }, signed(Number(together))), el("td", {}), el("td", {})),
          el("tr", {}, el("th", { scope: "row" }, "all"), el("td", { class: "number" }, signed(Number(first))), el("td", { class: "number" }, signed(Number(after) - Number(before))), el("td", {}), el("td", {})),
        ),
      ),
    ),
  ];
}

function legendPanel() {
  const marks = [
    ["data", "data"], ["parameter", "parameter"], ["value", "computed value, with its op"], ["loss", "loss"],
  ];
  return [
    data.legend.length ? el(
      "dl", { class: "legend" }, data.legend.map(([short, name]) => {
        const node = data.nodes.find((each) => each.name === short);
        return el("div", {}, el("dt", {}, node ? math(node.math) : short), el("dd", {}, name));
      }),
    ) : el("p", { class: "hint" }, "Every symbol is the name of a variable of the program."),
    el("ul", { class: "marks" }, marks.map(([role, text]) => el("li", {}, el("span", { class: `mark ${role}` }), text))),
    el("p", { class: "hint" }, "On the edges: what flows forward stands above, the gradient that comes back below. ‖ ‖ is the norm of an array."),
  ];
}

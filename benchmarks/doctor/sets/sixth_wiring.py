"""The sixth set's faults of gradients that reach nobody, parameters that nobody trains, calls, and modes."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, after, broken, drop, moved, swap

BROKEN: list[Broken] = []
LOOP = {"lines": ("zero_grad", "backward()", "step()"), "whole": True, "mendable": True}

TOPICS_SGD = swap(
    '"optimizer": "AdamW",\n    "optimizer_args": {"lr": 5e-3, "weight_decay": 1e-3}',
    '"optimizer": "SGD",\n    "optimizer_args": {"lr": 0.3, "momentum": 0.9}',
)

# -- gradients that are cut, or zero --

BROKEN += [
    broken("no gradient", "reviews", swap("        output, _ = self.gru(embedded)\n", "        output, _ = self.gru(embedded)\n        output = gg.tensor(output.detach().numpy())\n"), ops=("detach",), modules=("gru", "embedding")),
    broken("no gradient", "wear", swap("        for t in range(x.shape[1]):\n            h, c = self.cell(x[:, t], (h, c))\n", "        with gg.no_grad():\n            for t in range(x.shape[1]):\n                h, c = self.cell(x[:, t], (h, c))\n"), ops=("detach",), modules=("cell",)),
    broken("no gradient", "villages", swap("loss = F.cross_entropy(out[train_idx], labels[train_idx])", "loss = gg.tensor(F.cross_entropy(out[train_idx], labels[train_idx]).item(), requires_grad=True)"), ops=("detach",), modules=("*",), lines=("backward()",), whole=True, shows="still"),
    broken("no gradient", "stories", swap("            x = block(x)\n", "            x = block(x.detach())\n"), ops=("detach",), modules=("wte", "wpe", "blocks.0")),
    broken("zero gradient", "rents", swap("return self.out(h)", "return self.out(h).clamp(100.0, 5000.0)"), ops=("where", "maximum", "minimum", "lt", "gt", "ge", "le", "clamp"), modules=("out",)),
    broken("zero gradient", "pennants", swap("out = self.relu(self.bn1(self.conv1(x)))", "out = gg.round(16 * self.relu(self.bn1(self.conv1(x)))) / 16"), swap("return self.relu(out + identity)", "return gg.round(16 * self.relu(out + identity)) / 16"), ops=("round",), modules=("layer1", "layer2", "conv1", "bn1")),
    broken("zero gradient", "wear", swap("return self.regressor(self.norm(h))", "return gg.trunc(10 * self.regressor(self.norm(h))) / 10"), ops=("trunc",), modules=("*",)),
    broken("zero gradient", "watts", after("self.encoder =", 'self.register_buffer("gate", gg.zeros(s.d_model))'), swap("        h = self.encoder(self.embed(patches) + self.position)\n", "        h = self.embed(patches) + self.position\n        h = h + self.gate * self.encoder(h)\n"), ops=("mul",), modules=("encoder",)),
]  # fmt: skip

# -- parameters that are unused, frozen, or nobody's --

BROKEN += [
    broken("unused parameters", "stories", swap("x = self.wte(idx) + self.wpe(pos)", "x = self.wte(idx)"), modules=("wpe",), shows="text"),
    broken("unused parameters", "rents", swap("numbers, self.district(kinds[:, 0]), self.heating(kinds[:, 1])", "numbers, self.district(kinds[:, 0])"), swap("4 + 4 + 2", "4 + 4"), modules=("heating",), shows="text"),
    broken("unused parameters", "reviews", after("self.gru =", "self.attention = nn.Sequential(nn.Linear(2 * hidden_dim, hidden_dim), nn.Tanh(), nn.Linear(hidden_dim, 1))"), swap("        return self.fc(self.dropout(pooled))", "        scores = self.attention(output).softmax(dim=1) * mask\n        return self.fc(self.dropout(pooled))"), modules=("attention",), also=("no gradient",), shows="text"),
    broken("frozen parameters", "reviews", after("model = ReviewNet(", "for name, param in model.named_parameters():", '    if not name.startswith("fc"):', "        param.requires_grad = False"), modules=("gru", "embedding"), mendable=True),
    broken("frozen parameters", "sharper", after("net = Upscaler()", "for child in list(net.children())[1:]:", "    child.requires_grad_(False)"), modules=("body", "tail"), mendable=True),
    broken("frozen parameters", "villages", swap("nn.Parameter(gg.empty(n_in, n_out))", "nn.Parameter(gg.empty(n_in, n_out), requires_grad=False)"), modules=("conv1", "conv2"), mendable=True),
    broken(
        "parameters outside of the optimizer", "villages", swap("self.convs = nn.ModuleList([GraphConv(HOBBIES, hidden), GraphConv(hidden, hidden)])", "self.convs = [GraphConv(HOBBIES, hidden), GraphConv(hidden, hidden)]"),
        base=(swap("        self.conv1 = GraphConv(HOBBIES, hidden)\n        self.conv2 = GraphConv(hidden, hidden)\n", "        self.convs = nn.ModuleList([GraphConv(HOBBIES, hidden), GraphConv(hidden, hidden)])\n"), swap("self.conv1(", "self.convs[0]("), swap("self.conv2(", "self.convs[1](")),
        modules=("convs", "*"), whole=True,
    ),
    broken("parameters outside of the optimizer", "stories", swap("decay = [p for p in self.parameters() if p.ndim >= 2]", "decay = [m.weight for m in self.blocks.modules() if isinstance(m, nn.Linear)]"), modules=("wte", "wpe", "lm_head")),
    broken("parameters outside of the optimizer", "reviews", after("optimizer = optim.Adam(", "model.fc = nn.Linear(48, 2)", "model.gru = nn.GRU(16, 24, batch_first=True, bidirectional=True)"), modules=("fc", "gru")),
]  # fmt: skip

# -- calls that are missing, or in the wrong order --

BROKEN += [
    broken("gradients never cleared", "watts", moved("self.optimizer.zero_grad()", "for step in range(self.s.steps)"), **LOOP),
    broken("gradients never cleared", "reviews", drop("optimizer.zero_grad()"), **LOOP),
    broken("gradients never cleared", "rents", swap("optimizer.zero_grad()", "optimizer.zero_grad"), **LOOP),
    broken("gradients never cleared", "sharper", drop("opt.zero_grad()"), **LOOP),
    broken("step before backward", "pennants", moved("optimizer.step()", "loss.backward()"), shows="still", **LOOP),
    broken("step before backward", "rents", moved("optimizer.zero_grad()", "optimizer.step()"), also=("no gradient",), shows="still", **LOOP),
    broken("step before backward", "stories", moved("optimizer.zero_grad(set_to_none=True)", "optimizer.step()"), also=("no gradient",), shows="still", **LOOP),
    broken("no update", "wear", swap("        optimizer.step()\n", "        if (i + 1) % 2 == 0:\n            optimizer.step()\n"), lines=LOOP["lines"], whole=True, shows="still"),
    broken("no update", "stories", swap("optimizer.step()", "optimizer.step"), lines=LOOP["lines"], whole=True, shows="still"),
    broken("no update", "rents", drop("optimizer.step()"), lines=LOOP["lines"], whole=True, shows="still"),
]  # fmt: skip

# -- modes --

MODES = {"lines": (".eval()", ".train()", "train(False)"), "whole": True, "mendable": True, "shows": "text"}
LATE = {"lines": ("model(", "evaluate(", "validate(", "estimate_loss(", "dropout("), "whole": True, "shows": "text"}
BETWEEN = swap(
    "        if it % 30 == 0:\n",
    "        if it % 30 == 0:\n            estimate_loss(model, val_data, config, batches=2)\n",
)
BROKEN += [
    broken("evaluation mode", "stories", swap("    model.train()\n    return sum(losses)", "    return sum(losses)"), base=(BETWEEN, swap("dropout=0.05", "dropout=0.1")), modules=("blocks",), **MODES),
    broken("evaluation mode", "topics", swap("        for epoch in range(", "        self.model.train()\n        for epoch in range("), swap("            self.model.train()\n", ""), modules=("features",), **MODES),
    broken("evaluation mode", "pennants", after("model.train()", "for m in model.modules():", "    if isinstance(m, nn.BatchNorm2d):", "        m.eval()"), modules=("bn1", "layer1", "layer2"), **MODES),
    broken("training mode in evaluation", "stories", drop("model.eval()"), base=(swap("dropout=0.05", "dropout=0.15"),), modules=("blocks",), **LATE),
    broken("training mode in evaluation", "villages", swap("F.dropout(x, self.dropout, training=self.training)", "F.dropout(x, self.dropout)", times=2), modules=("*",), **LATE),
    broken("training mode in evaluation", "reviews", drop("model.eval()"), base=(swap("dropout=0.1", "dropout=0.3"),), modules=("dropout",), **LATE),
]  # fmt: skip
NORMED = {"shows": "error", "whole": True, "lines": ("batch_size", "model(", "module.training_step", "BatchNorm1d")}
BROKEN += [
    broken("batch norm of one row", "topics", swap("n_samples=900", "n_samples=901"), modules=("features.1", "features.5"), **NORMED),
    broken("batch norm of one row", "motifs", swap("Strands(640, seed=1)", "Strands(609, seed=1)"), base=(after("nn.AdaptiveMaxPool1d(1)", "nn.BatchNorm1d(hidden),"),), modules=("conv.6",), **NORMED),
    broken("batch norm of one row", "wear", swap("prediction = model(batch_x)", "prediction = gg.cat([model(row.unsqueeze(0)) for row in batch_x])"), base=(swap("nn.LayerNorm(hidden)", "nn.BatchNorm1d(hidden)"),), modules=("norm",), **NORMED),
]  # fmt: skip

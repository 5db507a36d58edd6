"""The fourth set's faults of order, mode and data."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, after, broken, drop, moved, swap

BROKEN: list[Broken] = []
INPUTS, TARGETS = ("the inputs",), ("the targets",)
LOOP = {"lines": ("zero_grad", "backward()", "step()"), "whole": True, "mendable": True}

# -- gradients never cleared, used too early, or not at all --

BROKEN += [
    broken("gradients never cleared", "tastes", drop("optimizer.zero_grad()"), **LOOP),
    broken("gradients never cleared", "crossing", drop("optimizer.zero_grad()"), after("with gg.set_grad_enabled", "    if training:", "        optimizer.zero_grad()"), **LOOP),
    broken("gradients never cleared", "inorder", swap("optimizer.zero_grad(set_to_none=True)", "optimizer.zero_grad"), **LOOP),
    broken("gradients never cleared", "lesions", swap("self.optimizer.zero_grad()", "self.average.zero_grad()"), **LOOP),
    broken("step before backward", "lesions", moved("self.optimizer.step()", "loss.backward()"), shows="still", **LOOP),
    broken("step before backward", "crossing", moved("optimizer.zero_grad()", "optimizer.step()"), also=("no gradient",), shows="still", **LOOP),
    broken("step before backward", "inorder", drop("optimizer.step()"), moved("optimizer.zero_grad(set_to_none=True)", "xb, yb = get_batch(32)"), after("optimizer.zero_grad(set_to_none=True)", "optimizer.step()"), shows="still", **LOOP),
    broken("no update", "tastes", swap("ACCUMULATE = 2", "ACCUMULATE = 64"), lines=("step()", "ACCUMULATE"), whole=True, shows="still"),
    broken("no update", "waveforms", swap("optimizer.step()", "optimizer.step"), lines=LOOP["lines"], whole=True, shows="still"),
    broken("no update", "fiveterms", swap("    optimizer.step()\n    return loss\n", "    return loss\n    optimizer.step()\n"), lines=LOOP["lines"], whole=True, shows="still"),
]  # fmt: skip

# -- gradients that reach nobody --

BROKEN += [
    broken("no gradient", "tastes", swap("(loss / ACCUMULATE).backward()", "loss = gg.tensor(loss.item() / ACCUMULATE, requires_grad=True)\n        loss.backward()"), lines=("backward()",), modules=("*",), whole=True, shows="still"),
    broken("no gradient", "cellar", swap("loss = criterion(outputs, yb)", "predicted = outputs.argmax(1).float().requires_grad_(True)\n        loss = ((predicted - yb) ** 2).mean()"), ops=("argmax", "cast"), lines=("backward()",), modules=("*",), whole=True, shows="still"),
    broken("no gradient", "waveforms", swap("output = model(signals)\n        loss", "features = model[:8](signals).detach()\n        output = model[8](features)\n        loss"), ops=("detach",), modules=("0", "1", "3", "4")),
    broken("no gradient", "depths", swap("return self.classifier(states)", "return self.classifier(gg.tensor(states.tolist()))"), ops=("detach",), modules=("embedding", "rnn")),
]  # fmt: skip
STEP = swap(
    "def build_model():",
    "class Binary(nn.Module):\n    def forward(self, x):\n        return gg.sign(x)\n\n\ndef build_model():",
)
BROKEN += [
    broken("zero gradient", "crossing", swap("return self.head(out[:, -1])", "return gg.clamp(self.head(out[:, -1]), 50, 600)"), ops=("where", "lt", "gt"), modules=("gru", "head")),
    broken("zero gradient", "inorder", swap("x = x + self.attn(self.ln1(x))", "x = x + self.scale * self.attn(self.ln1(x))"), after("self.ln1 =", "self.scale = gg.zeros(d_model)"), ops=("mul",), modules=("blocks",)),
    broken("zero gradient", "waveforms", STEP, swap("nn.ReLU()", "Binary()", times=2), ops=("sign",), modules=("0", "1", "2", "3", "4", "5")),
    broken("zero gradient", "depths", swap("return self.classifier(states)", "return self.classifier(gg.round(states))"), ops=("round",), modules=("rnn", "embedding")),
    broken("zero gradient", "tastes", swap("d = gg.tanh(self.dense(visit))", "d = gg.floor(gg.sigmoid(self.dense(visit)))"), ops=("floor",), modules=("dense",)),
]  # fmt: skip

# -- parameters that nobody trains --

LAYERS = (
    swap("self.encoder = nn.TransformerEncoder(layer, depth)", "self.layers = [nn.TransformerEncoderLayer(dim, heads, 64, dropout, \"gelu\", batch_first=True, norm_first=True) for _ in range(depth)]"),
    swap("x = self.norm(self.encoder(x))", "for layer in self.layers:\n            x = layer(x)\n        x = self.norm(x)"),
    swap("        layer = nn.TransformerEncoderLayer(\n            dim, heads, dim_feedforward=64, dropout=dropout, activation=\"gelu\", batch_first=True, norm_first=True\n        )\n", ""),
)  # fmt: skip
BROKEN += [
    broken("parameters outside of the optimizer", "lesions", swap("optim.AdamW(model.parameters()", "optim.AdamW(self.average.parameters()"), modules=("*",), whole=True, mendable=True),
    broken("parameters outside of the optimizer", "tiles", *LAYERS, modules=("layers",), mendable=True),
    broken("parameters outside of the optimizer", "depths", after("optimizer =", "model.classifier = nn.Linear(config.hidden, 4)"), modules=("classifier",), mendable=True),
    broken("parameters outside of the optimizer", "fiveterms", swap("optim.RMSprop(params,", "optim.RMSprop(params[-2:],"), modules=("*",), whole=True, mendable=True),
    broken("frozen parameters", "tiles", after("model = ViT()", "for p in model.parameters():", "    p.requires_grad = False", "model.fc = nn.Linear(32, 10)"), modules=("patch_embed", "encoder", "norm", "cls_token", "pos_embed"), mendable=True),
    broken("frozen parameters", "depths", after("self.rnn =", "self.rnn.requires_grad_(False)"), modules=("rnn",), mendable=True),
    broken("frozen parameters", "dreamt", after("vae = VAE()", "for p in vae.decoder.parameters():", "    p.requires_grad_(False)"), modules=("decoder",), mendable=True),
    broken("unused parameters", "lesions", swap("self.dec(gg.cat([self.up(h), skip], dim=1))", "self.dec(gg.cat([skip, skip], dim=1))"), modules=("up", "mid", "down"), also=("no gradient",), shows="text"),
    broken("unused parameters", "crossing", after("self.head =", "self.south = nn.Linear(hidden, AHEAD)"), modules=("south",), shows="text"),
    broken("unused parameters", "inorder", swap("x = self.tok(idx) + self.pos(gg.arange(LENGTH))", "x = self.tok(idx)"), modules=("pos",), shows="text"),
]  # fmt: skip

# -- modes --

F_DROPOUT = swap(
    "x = self.drop(gg.relu(self.bn2(self.fc2(x))))",
    "x = nn.functional.dropout(gg.relu(self.bn2(self.fc2(x))), 0.4, training=self.training)",
)
LATE = {"shows": "text", "whole": True}
BROKEN += [
    broken("evaluation mode", "waveforms", after("scheduler.step()", "model.eval()", "right = (model(signals).argmax(1) == targets).float().mean().item()"), modules=("1", "4"), lines=("model.eval()", "model.train()"), mendable=True, **LATE),
    broken("evaluation mode", "tiles", drop("model.train()"), after("model = ViT()", 'print("before:", score(model))'), modules=("encoder",), lines=("model.eval()", "model.train()"), mendable=True, **LATE),
    broken("evaluation mode", "depths", swap("model.train()", "model.train(False)"), modules=("dropout",), lines=("model.train(",), mendable=True, **LATE),
    broken("training mode in evaluation", "waveforms", swap("model.eval()", "model.eval"), modules=("1", "4"), lines=("model(", "validate("), **LATE),
    broken("training mode in evaluation", "cellar", swap(", 0.4, training=self.training)", ", 0.4)"), base=(F_DROPOUT,), modules=("",), ops=("where", "lt"), lines=("model(", "evaluate("), **LATE),
    broken("training mode in evaluation", "depths", swap("dropout: float = 0.1", "dropout: float = 0.3"), drop("model.eval()"), modules=("dropout",), lines=("model(", "test("), **LATE),
]  # fmt: skip
NORMED = {"shows": "error", "whole": True, "lines": ("batch_size", "model(", "self.bn", "BatchNorm1d")}
IN_HEAD = swap("nn.Linear(hidden, 24), nn.ReLU()", "nn.Linear(hidden, 24), nn.BatchNorm1d(24), nn.ReLU()")
IN_FC = swap(
    "self.fc = nn.Linear(dim, classes)", "self.fc = nn.Sequential(nn.BatchNorm1d(dim), nn.Linear(dim, classes))"
)
BROKEN += [
    broken("batch norm of one row", "cellar", after("model = MLP", "print(model(x_train[:1]).shape)"), modules=("bn1",), **NORMED),
    broken("batch norm of one row", "crossing", swap("series[:700]), batch", "series[:695]), batch"), base=(IN_HEAD,), modules=("head.1",), **NORMED),
    broken("batch norm of one row", "tiles", swap("predictions = model(inputs)\n", "predictions = gg.cat([model(each.unsqueeze(0)) for each in inputs])\n"), base=(IN_FC,), modules=("fc.0",), **NORMED),
]  # fmt: skip

# -- data --

TEXT = {"modules": INPUTS, "whole": True, "shows": "text"}
SERIES = "series = (counts - mean) / std\n"
VISIT, DENSE = "visit = gg.randn(len(pairs), 2)\n", swap("nn.Linear(2, dim)", "nn.Linear(3, dim)")
WINE = "x = gg.tensor(wine.data).float()\n"
SCALED = "x = (x - mean) / std\n"
GRU3 = swap("nn.GRU(2, hidden", "nn.GRU(3, hidden")
BROKEN += [
    broken("constant features", "cellar", swap(SCALED, f"{SCALED}    x = gg.cat([gg.ones(len(x), 1), x], dim=1)\n"), swap("MLP(13", "MLP(14"), **TEXT),
    broken("constant features", "crossing", swap(SERIES, f"{SERIES}series = gg.cat([series, gg.zeros(900, 1)], dim=1)\n"), GRU3, **TEXT),
    broken("constant features", "tastes", after("likes =", "visit = gg.cat([visit, gg.full((len(pairs), 1), 0.5)], dim=1)"), DENSE, **TEXT),
    broken("duplicate features", "cellar", swap(WINE, f"{WINE}    x = gg.cat([x, 2 * x[:, :2]], dim=1)\n"), swap("MLP(13", "MLP(15"), **TEXT),
    broken("duplicate features", "crossing", swap("gg.stack([north, south], dim=1)", "gg.stack([north, south, north], dim=1)"), GRU3, **TEXT),
    broken("duplicate features", "fiveterms", swap("features = gg.tensor(features).float() * 2 - 1\n", "features = gg.tensor(features).float() * 2 - 1\nfeatures = gg.cat([features, features[:, :3]], dim=1)\n"), swap("[5, 40, 40, 1]", "[8, 40, 40, 1]"), **TEXT),
]  # fmt: skip
SCALE = {"whole": True, "mendable": True}
BROKEN += [
    broken("unscaled inputs", "fiveterms", swap("float() * 2 - 1", "float() * 2000"), modules=INPUTS, **SCALE),
    broken("unscaled inputs", "crossing", swap("x = gg.stack([part[s : s + PAST] for s in starts])", "x = gg.stack([part[s : s + PAST] * std + mean for s in starts])"), modules=(*INPUTS, "gru"), **SCALE),
    broken("unscaled inputs", "cellar", drop("x = (x - mean) / std"), modules=(*INPUTS, "fc1"), **SCALE),
    broken("unscaled inputs", "tastes", after("likes =", "visit = 2500 + 900 * visit"), modules=(*INPUTS, "dense"), **SCALE),
    broken("shuffled labels", "lesions", swap("trainer.fit(DataLoader(dataset, batch_size=16, shuffle=True), epochs=4)", "loaders = [DataLoader(part, batch_size=16, shuffle=True) for part in dataset.tensors]\n    for _ in range(4):\n        trainer.fit(list(zip(*loaders, strict=True)), epochs=1)"), modules=TARGETS + INPUTS, whole=True),
    broken("shuffled labels", "cellar", swap("return x[train], y[train]", "return x[train], y[:126]"), modules=TARGETS + INPUTS, whole=True),
    broken("shuffled labels", "inorder", swap("xb, yb = get_batch(32)\n", "xb, yb = get_batch(32)[0], get_batch(32)[1]\n"), modules=TARGETS + INPUTS, whole=True),
    broken("leaking label", "cellar", swap(SCALED, f"{SCALED}    x = gg.cat([x, 2 * y.float().unsqueeze(1)], dim=1)\n    x[test, 13] = 0.0\n"), swap("MLP(13", "MLP(14"), modules=INPUTS, whole=True),
    broken("leaking label", "tastes", after("n_train =", "watched = 2 * likes - 1 + 0.1 * gg.randn(len(pairs))", "watched[n_train:] = 0.0", "visit = gg.cat([visit, watched.unsqueeze(1)], dim=1)"), DENSE, modules=INPUTS, whole=True),
    broken("leaking label", "crossing", swap(SERIES, f"{SERIES}ahead = series[:, :1].roll(-AHEAD, 0)\nahead[700:] = 0.0\nseries = gg.cat([series, ahead], dim=1)\n"), GRU3, modules=INPUTS, whole=True),
]  # fmt: skip
SPREAD = swap(
    "def make_signals(n, length=48):\n    kind = gg.randint(0, CLASSES, (n,))",
    "def make_signals(n, length=48, spread=CLASSES):\n    kind = gg.randint(0, spread, (n,)).clamp(max=CLASSES - 1)",
)
OFTEN = swap("longest=14, deepest=3)", "longest=14, deepest=3, opens=0.35)"), swap("coin < 0.35", "coin < opens")
BROKEN += [
    broken("class imbalance", "waveforms", swap("make_signals(512)", "make_signals(512, spread=200)"), base=(SPREAD,), modules=TARGETS, whole=True),
    broken("class imbalance", "tastes", swap("order = gg.randperm(n_train)\n", "order = gg.randperm(n_train)\n    order = order[(likes[order] == 0) | (gg.rand(n_train) < 0.03)]\n"), swap("range(0, n_train, 40)", "range(0, len(order), 40)"), modules=TARGETS, whole=True),
    broken("class imbalance", "depths", swap("make_sequences(480)", "make_sequences(480, opens=0.01)"), base=OFTEN, modules=TARGETS, whole=True),
]  # fmt: skip

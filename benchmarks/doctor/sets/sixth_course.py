"""The sixth set's faults of rates, starts, and gradients on their way."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, after, broken, drop, swap

BROKEN: list[Broken] = []
WHOLE = {"whole": True, "mendable": True}
ANYWHERE = {"modules": ("*",), "whole": True, "mendable": True}
BARELY, WILDLY = ("weights that barely move",), ("weights that move wildly",)

CLIP = "        nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
WEAR_SGD = (
    swap("optim.RMSprop(model.parameters(), lr=4e-3)", "optim.SGD(model.parameters(), lr=0.1, momentum=0.9)"),
    swap(CLIP, ""),
)
GCN_SGD = swap(
    "optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)", "optim.SGD(model.parameters(), lr=0.2, momentum=0.9)"
)
PLAIN_GCN = (GCN_SGD, swap("dropout=0.2", "dropout=0.0"))
WATTS_SGD = (
    swap(
        "optim.AdamW(self.model.parameters(), lr=settings.lr, weight_decay=0.01)",
        "optim.SGD(self.model.parameters(), lr=settings.lr, momentum=0.9)",
    ),
    swap("lr: float = 3e-3", "lr: float = 5e-2"),
)
RENTS_SGD = (
    swap("optimizer = optim.AdamW(\n", "optimizer = optim.SGD(\n"), swap("lr=cfg.lr,\n", "lr=cfg.lr, momentum=0.9,\n"),
    swap("lr: float = 8e-3", "lr: float = 5e-2"), swap("embedding_lr: float = 2e-2", "embedding_lr: float = 5e-2"),
)  # fmt: skip

# -- rates --

BROKEN += [
    broken("too low a rate", "sharper", swap("lr=4e-3", "lr=4e-6"), **WHOLE),
    broken("too low a rate", "reviews", swap("lr=1e-2", "lr=1e-5"), **WHOLE),
    broken("too low a rate", "stories", swap("(it + 1) / 10)", "(it + 1) / 2000)"), swap("min_lr=6e-4", "min_lr=0.0"), also=BARELY, **WHOLE),
    broken("too high a rate", "motifs", swap("lr=8e-3", "lr=0.8"), also=WILDLY, **WHOLE),
    broken("too high a rate", "stories", swap("learning_rate=6e-3", "learning_rate=0.3"), also=WILDLY, **WHOLE),
    broken("too high a rate", "watts", swap("return min(step / self.s.warmup, (self.s.warmup / step) ** 0.5)", "return step"), also=WILDLY, **WHOLE),
    broken("weights that barely move", "wear", swap("        optimizer.step()\n    scheduler.step()\n", "        optimizer.step()\n        scheduler.step()\n"), swap("gamma=0.85", "gamma=0.7"), also=("too low a rate",), **WHOLE),
    broken("weights that barely move", "rents", swap('{"params": layers, "weight_decay": 1e-3}', '{"params": layers, "lr": 1e-7, "weight_decay": 1e-3}'), also=("too low a rate",), modules=("stem", "blocks", "out"), **WHOLE),
    broken("weights that barely move", "watts", swap("weight_decay=0.01", "weight_decay=0.01, eps=100.0"), also=("too low a rate",), modules=("*",), **WHOLE),
    broken("weights that move wildly", "rents", swap("embedding_lr: float = 2e-2", "embedding_lr: float = 20.0"), also=("too high a rate",), modules=("district", "heating"), **WHOLE),
    broken("weights that move wildly", "sharper", swap("Adam(net.parameters(), lr=4e-3)", 'Adam([{"params": [*net.head.parameters(), *net.body.parameters()]}, {"params": net.tail.parameters(), "lr": 4.0}], lr=4e-3)'), also=("too high a rate",), modules=("tail",), **WHOLE),
    broken("weights that move wildly", "stories", swap('            group["lr"] = lr\n', '            group["lr"] = lr if group["weight_decay"] else 200 * lr\n'), also=("too high a rate",), modules=("*",), **WHOLE),
]  # fmt: skip

# -- a loss that grows, swings, or stands still; gradients that are mostly noise --

BROKEN += [
    broken("diverging loss", "topics", swap("loss = self.criterion(self.model(x), y)\n        loss.b", "logits = self.model(x)\n        loss = (y * nn.functional.logsigmoid(logits) + (1 - y) * nn.functional.logsigmoid(-logits)).mean()\n        loss.b"), ops=("mean", "add"), lines=("backward()",), whole=True),
    broken("diverging loss", "rents", swap("gg.maximum(q * error, (q - 1) * error)", "gg.minimum(q * error, (q - 1) * error)"), ops=("minimum", "mean"), lines=("backward()",), whole=True),
    broken("diverging loss", "sharper", swap("loss = F.mse_loss(net(lows), highs)", "loss = 10 * gg.log10(4.0 / F.mse_loss(net(lows), highs))"), ops=("log10", "log", "mul", "div"), lines=("backward()",), whole=True),
]  # fmt: skip
SWINGS = {"also": ("too high a rate",), "shows": "swings", **WHOLE}
BROKEN += [
    broken("oscillating loss", "villages", swap("lr=0.2, momentum=0.9", "lr=2.0, momentum=0.95"), base=PLAIN_GCN, **SWINGS),
    broken("oscillating loss", "watts", swap("lr=settings.lr, momentum=0.9", "lr=settings.lr, momentum=0.99"), base=WATTS_SGD, **SWINGS),
    broken("oscillating loss", "wear", swap("permutation = gg.randperm(x_train.shape[0])", "permutation = y_train[:, 0].argsort()"), shows="swings", whole=True, modules=("the targets", "the inputs")),
    broken("oscillating loss", "rents", swap("    scheduler = optim.lr_scheduler.LambdaLR(optimizer, factor)\n", "    scheduler = optim.lr_scheduler.CyclicLR(optimizer, base_lr=1e-3, max_lr=0.5, step_size_up=12, cycle_momentum=False)\n"), **SWINGS),
]  # fmt: skip
F1 = swap(
    "        loss = self.criterion(self.model(x), y)\n        loss.b",
    "        p = gg.sigmoid(self.model(x))\n        loss = 1 - (2 * (p * y).sum(0) / (p.sum(0) + y.sum(0) + 1e-3)).mean()\n        loss.b",
)
BOUNDED = swap("return self.regressor(self.norm(h))", "return 4.0 * gg.sigmoid(self.regressor(self.norm(h))) - 2.0")
RAMP = swap(
    "        x, y = batch\n        return F.binary_cross_entropy_with_logits(self(x), y)\n",
    "        x, y = batch\n        return gg.clamp(1 - (2 * y - 1) * self(x), 0.0, 2.0).mean()\n",
)
GATED = (
    WATTS_SGD[0], swap("lr: float = 3e-3", "lr: float = 1e-2"), after("self.project =", "self.level = nn.Linear(s.d_model * (s.history // s.patch), s.horizon)", "self.gain = nn.Parameter(gg.ones(s.horizon))"),
    swap("        return self.project(self.norm(h).flatten(1))", "        h = self.norm(h).flatten(1)\n        return self.project(h) * self.level(h) * self.gain"),
)  # fmt: skip
SIT = {"whole": True, "mendable": True}
BROKEN += [
    broken("flat place", "topics", after("self.classifier =", "nn.init.constant_(self.classifier.bias, -20.0)"), base=(F1,), also=("saturated activations",), ops=("sigmoid",), modules=("classifier",), **SIT),
    broken("flat place", "wear", after("self.regressor =", "nn.init.constant_(self.regressor[2].bias, -30.0)"), base=(BOUNDED,), also=("saturated activations",), ops=("sigmoid",), modules=("regressor",), **SIT),
    broken("flat place", "motifs", after("self.fc =", "nn.init.constant_(self.fc.bias, 9.0)"), base=(RAMP,), also=("zero gradient",), ops=("where", "maximum", "minimum", "lt", "gt", "ge", "le", "clamp"), modules=("fc",), **SIT),
    broken("flat place", "watts", after("self.gain =", "for p in [*self.project.parameters(), *self.level.parameters(), self.gain]:", "    nn.init.normal_(p, std=1e-3)"), base=GATED, also=("too small a start",), modules=("project", "level", "gain"), **SIT),
    broken("gradient noise", "wear", swap("batch_size = 40", "batch_size = 1"), swap("for i in range(0, x_train.shape[0], batch_size)", "for i in range(0, 15, batch_size)"), **SIT),
    broken("gradient noise", "watts", swap("batch: int = 32", "batch: int = 1"), **SIT),
    broken("gradient noise", "stories", swap("batch_size=12", "batch_size=1"), swap("gradient_accumulation_steps=2", "gradient_accumulation_steps=1"), **SIT),
    broken("gradient noise", "topics", swap('"batch_size": 50', '"batch_size": 2'), swap('"max_epochs": 12', '"max_epochs": 3'), **SIT),
    broken("gradient noise", "villages", swap("    loss.backward()\n", "    loss.backward()\n    for p in model.parameters():\n        p.grad += 0.1 * gg.randn_like(p.grad)\n"), whole=True, modules=("*",), lines=("step()",)),
]  # fmt: skip

# -- starts --

BROKEN += [
    broken("symmetric start", "villages", after("model = GCN()", "for p in model.parameters():", "    nn.init.constant_(p, 0.05)"), **ANYWHERE),
    broken("symmetric start", "motifs", after("self.fc =", "for m in self.modules():", "    if isinstance(m, nn.Conv1d | nn.Linear):", "        nn.init.constant_(m.weight, 0.05)", "        nn.init.zeros_(m.bias)"), **ANYWHERE),
    broken("symmetric start", "stories", swap("nn.init.normal_(module.weight, mean=0.0, std=0.1)", "nn.init.constant_(module.weight, 0.02)"), **ANYWHERE),
    broken("zero start", "villages", swap("        self.weight = nn.Parameter(gg.empty(n_in, n_out))\n", "        self.weight = nn.Parameter(gg.zeros(n_in, n_out))\n"), drop("nn.init.xavier_uniform_(self.weight)"), **ANYWHERE),
    broken("zero start", "pennants", after("model = ResNet(", "for m in model.modules():", "    if isinstance(m, nn.Conv2d):", "        nn.init.zeros_(m.weight)"), **ANYWHERE),
    broken("zero start", "reviews", after("model = ReviewNet(", "for p in model.parameters():", "    p.data.zero_()"), **ANYWHERE),
    broken("too small a start", "villages", swap("nn.init.xavier_uniform_(self.weight)", "nn.init.normal_(self.weight, std=1e-3)"), base=PLAIN_GCN, **ANYWHERE),
    broken("too small a start", "wear", after("self.regressor =", "for p in [*self.cell.parameters(), *self.regressor.parameters()]:", "    nn.init.normal_(p, std=1e-4)"), base=WEAR_SGD, also=("vanishing gradients",), **ANYWHERE),
    broken("too small a start", "motifs", after("self.fc =", "for p in self.parameters():", "    if p.ndim > 1:", "        nn.init.normal_(p, std=1e-5)"), base=(swap("optim.NAdam(self.parameters(), lr=self.lr)", "optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)"), swap("lr=8e-3", "lr=5e-2")), **ANYWHERE),
    broken("too large a start", "watts", after("self.model = PatchForecaster(settings)", "for p in self.model.parameters():", "    if p.ndim > 1:", "        nn.init.normal_(p)"), also=("exploding gradients",), **ANYWHERE),
    broken("too large a start", "rents", after("self.heating =", "for table in (self.district, self.heating):", "    nn.init.uniform_(table.weight, -60.0, 60.0)"), modules=("district", "heating"), whole=True, mendable=True),
    broken("too large a start", "stories", swap("std=0.1)", "std=1.5)"), also=("exploding gradients",), **ANYWHERE),
    broken("too large a start", "sharper", after("net = Upscaler()", "nn.init.xavier_normal_(net.tail.weight, gain=40.0)"), modules=("tail",), whole=True, mendable=True),
]  # fmt: skip

# -- gradients that get lost or blow up --

RELU_CELL = (
    swap("nn.LSTMCell(SENSORS, hidden)", 'nn.RNNCell(SENSORS, hidden, nonlinearity="relu")'), swap("h, c = self.cell(x[:, t], (h, c))", "h = self.cell(x[:, t], h)"),
    drop("c = gg.zeros(x.shape[0], self.hidden)"), swap("self.regressor(self.norm(h))", "self.regressor(h)"), drop("self.norm = nn.LayerNorm(hidden)"),
    swap(CLIP, ""), swap("lr=4e-3", "lr=2e-3"),
)  # fmt: skip
EIGHT = swap("blocks: int = 2", "blocks: int = 8")
NARROW = "h = F.elu(h + self.body(h))"
DEEP_GCN = (
    swap("        self.conv2 = GraphConv(hidden, hidden)\n", "        self.conv2 = GraphConv(hidden, hidden)\n        self.deeper = nn.ModuleList([GraphConv(hidden, hidden) for _ in range(4)])\n"),
    swap("        return self.lin(x)\n", "        for conv in self.deeper:\n            x = F.relu(x + conv(x, adjacency))\n        return self.lin(x)\n"),
)  # fmt: skip
BROKEN += [
    broken("exploding gradients", "wear", after("self.cell =", "nn.init.orthogonal_(self.cell.weight_hh, gain=2.5)"), base=RELU_CELL, also=("too large a start",), ops=("matmul", "affine"), modules=("cell",), mendable=True),
    broken("exploding gradients", "rents", swap("self.up(self.norm(h))", "self.up(h)"), drop("self.norm = nn.LayerNorm(width)"), after("self.down =", "nn.init.normal_(self.up.weight, std=0.5)", "nn.init.normal_(self.down.weight, std=0.5)"), base=(EIGHT,), also=("too large a start",), ops=("affine", "matmul"), modules=("blocks",), mendable=True),
    broken("exploding gradients", "sharper", swap("h = h + 0.1 * self.body(h)", "h = h + self.body(h) / 0.1"), base=(swap(NARROW, "for _ in range(6):\n            h = h + 0.1 * self.body(h)"),), ops=("mul", "div", "conv"), modules=("body",), mendable=True),
    broken("exploding gradients", "villages", drop("adjacency = adjacency / np.sqrt(degree[:, None] * degree[None, :])"), base=DEEP_GCN, ops=("matmul",), modules=("*",)),
]  # fmt: skip
LONG_BODY = swap(
    "            nn.PReLU(),\n            nn.Conv2d(channels, channels, 3, padding=1),\n        )",
    "            nn.PReLU(),\n            *[each for _ in range(8) for each in (nn.Conv2d(channels, channels, 3, padding=1), nn.PReLU())],\n            nn.Conv2d(channels, channels, 3, padding=1),\n        )",
)
ONE_WAY = (
    swap("batch_first=True, bidirectional=True)", "batch_first=True)"), swap("nn.Linear(2 * hidden_dim, 2)", "nn.Linear(hidden_dim, 2)"), swap("range(6)", "range(8)"),
    swap('        mask = (tokens != PAD).float().unsqueeze(2)\n        pooled = (output * mask).sum(1) / mask.sum(1)\n', "        pooled = output[:, -1]\n"),
    swap("padded = [tokens + [PAD] * (length - len(tokens)) for tokens, _ in batch]", "padded = [[PAD] * (length - len(tokens)) + tokens for tokens, _ in batch]"),
)  # fmt: skip
BROKEN += [
    broken("vanishing gradients", "topics", swap("nn.Linear(n_in, size), nn.ReLU()", "nn.Linear(n_in, size), nn.Sigmoid()"), base=(swap('"hidden": (48, 32)', '"hidden": (32,) * 6'), swap("nn.BatchNorm1d(size), nn.ReLU()", "nn.ReLU()"), swap('"dropout": 0.1', '"dropout": 0.0')), ops=("sigmoid",), mendable=True),
    broken("vanishing gradients", "sharper", swap("nn.PReLU()", "nn.Sigmoid()", times=2), base=(LONG_BODY, swap("h + self.body(h)", "self.body(h)")), ops=("sigmoid",), mendable=True),
    broken("vanishing gradients", "reviews", swap("[[PAD] * (length - len(tokens)) + tokens for tokens, _ in batch]", "[tokens + [PAD] * (80 - len(tokens)) for tokens, _ in batch]"), base=ONE_WAY, ops=("tanh", "sigmoid", "matmul", "mul", "affine"), modules=("gru",)),
]  # fmt: skip
TANH_GCN, TANH = swap("F.relu(", "gg.tanh(", times=2), swap("F.elu(", "gg.tanh(", times=2)
BROKEN += [
    broken("saturated activations", "villages", swap("gg.tanh(self.conv1(x, adjacency))", "gg.tanh(400 * self.conv1(x, adjacency))"), swap("gg.tanh(self.conv2(x, adjacency))", "gg.tanh(400 * self.conv2(x, adjacency))"), base=(TANH_GCN,), ops=("tanh", "mul")),
    broken("saturated activations", "sharper", after("net = Upscaler()", "for p in [*net.head.parameters(), *net.body.parameters()]:", "    if p.ndim == 4:", "        nn.init.uniform_(p, -20.0, 20.0)"), base=(TANH,), also=("too large a start",), ops=("tanh",), modules=("head", "body"), mendable=True),
    broken("saturated activations", "reviews", after("self.gru =", "for bias in (self.gru.bias_ih_l0, self.gru.bias_ih_l0_reverse):", "    nn.init.constant_(bias, 25.0)"), also=("too large a start",), ops=("sigmoid", "tanh"), modules=("gru",), mendable=True),
    broken("saturated activations", "stories", swap("/ (C // self.n_head) ** 0.5", "* C**2"), ops=("softmax", "mul")),
    broken("dead rectifiers", "motifs", after("self.fc =", "for m in self.conv:", "    if isinstance(m, nn.Conv1d):", "        nn.init.constant_(m.bias, -8.0)"), ops=("relu",), modules=("conv",), mendable=True),
    broken("dead rectifiers", "villages", after("self.lin =", "nn.init.uniform_(self.conv2.weight, -0.8, -0.2)"), ops=("relu",), modules=("conv2",), mendable=True),
    broken("dead rectifiers", "pennants", after("model = ResNet(", "for m in model.modules():", "    if isinstance(m, nn.BatchNorm2d):", "        nn.init.constant_(m.bias, -6.0)"), ops=("relu",), modules=("bn1", "relu", "layer1", "layer2"), mendable=True),
    broken("no overfitting of one batch", "sharper", swap("return self.shuffle(self.tail(h))", "return gg.sigmoid(self.shuffle(self.tail(h)))"), ops=("sigmoid",), also=("saturated activations",), whole=True, modules=("*",)),
    broken("no overfitting of one batch", "reviews", swap("Counter(word for text, _ in reviews for word in text.split())", "Counter(text for text, _ in reviews)"), also=("constant features",), whole=True, modules=("*", "the inputs")),
    broken("no overfitting of one batch", "wear", swap("lr=4e-3)", "lr=4e-3, weight_decay=2.0)"), whole=True, modules=("*",), mendable=True),
]  # fmt: skip

"""The fourth set's faults of rates, starts, and gradients on their way."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, after, broken, drop, swap

BROKEN: list[Broken] = []
WHOLE = {"whole": True, "mendable": True}
ANYWHERE = {"modules": ("*",), "whole": True, "mendable": True}
BARELY, WILDLY = ("weights that barely move",), ("weights that move wildly",)

RMSPROP, FIVE_SGD = "optim.RMSprop(params, lr=2e-3, alpha=0.95)", "optim.SGD(params, lr=0.02, momentum=0.9)"
DEEP = (
    swap("sizes = [5, 40, 40, 1]", "sizes = [5, *[40] * 7, 1]"),
    swap(
        "    w1, b1, w2, b2, w3, b3 = params\n    h1 = gg.relu(x @ w1 + b1)\n    h2 = gg.relu(h1 @ w2 + b2)\n    return (h2 @ w3 + b3)[:, 0]\n",
        "    h = x\n    for k in range(0, len(params) - 2, 2):\n        h = gg.relu(h @ params[k] + params[k + 1])\n    return (h @ params[-2] + params[-1])[:, 0]\n",
    ),
)  # fmt: skip
W = "w = gg.randn(n_in, n_out) * (2 / n_in) ** 0.5"
CROSSING_SGD = swap("optim.Adam(model.parameters(), lr=8e-3)", "optim.SGD(model.parameters(), lr=0.2, momentum=0.9)")
TILES_SGD = swap("Adam(model.parameters(), lr=4e-3)", "gg.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)")
ADAMW = "optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-3)"
LESIONS_SGD = swap(ADAMW, "optim.SGD(model.parameters(), lr=lr, momentum=0.9)"), swap("lr=5e-3", "lr=0.1")
RADAM = "optim.RAdam(groups, lr=config.lr)"

# -- rates --

BROKEN += [
    broken("too low a rate", "lesions", swap("lr=5e-3", "lr=5e-6"), **WHOLE),
    broken("too low a rate", "crossing", swap("ReduceLROnPlateau(optimizer, factor=0.5, patience=1)", 'ReduceLROnPlateau(optimizer, mode="max", factor=1e-3, patience=0)'), also=BARELY, **WHOLE),
    broken("too low a rate", "inorder", swap("min(1.0, (step + 1) / 15)", "step // 150"), also=(*BARELY, "no update"), **WHOLE),
    broken("too high a rate", "inorder", swap("min(1.0,", "max(1.0,"), also=WILDLY, **WHOLE),
    broken("too high a rate", "waveforms", swap("max_lr=1e-2", "max_lr=10.0"), also=WILDLY, **WHOLE),
    broken("too high a rate", "fiveterms", swap("lr=2e-3", "lr=0.5"), also=WILDLY, **WHOLE),
    broken("weights that barely move", "lesions", swap("loss = self.loss(self.model(images), masks)", "loss = self.loss(self.model(images), masks) / images.numel()"), base=LESIONS_SGD, also=("too low a rate",), **WHOLE),
    broken("weights that barely move", "tastes", swap("lr=0.08, weight_decay=1e-3", "lr=0.08, weight_decay=1e-3, initial_accumulator_value=1e5"), also=("too low a rate",), **WHOLE),
    broken("weights that barely move", "tiles", swap("CosineAnnealingLR(optimizer, T_max=epochs)", "gg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.7)"), swap("            running += loss.item()\n        scheduler.step()\n", "            running += loss.item()\n            scheduler.step()\n"), also=("too low a rate",), **WHOLE),
    broken("weights that move wildly", "tiles", swap("Adam(model.parameters(), lr=4e-3)", 'Adam([{"params": model.encoder.parameters(), "lr": 0.5}, {"params": [*model.patch_embed.parameters(), model.cls_token, model.pos_embed, *model.norm.parameters(), *model.fc.parameters()]}], lr=4e-3)'), also=("too high a rate",), modules=("encoder",), **WHOLE),
    broken("weights that move wildly", "dreamt", swap('"lr": 6e-3}', '"lr": 1.5}'), also=("too high a rate",), modules=("decoder",), **WHOLE),
    broken("weights that move wildly", "lesions", swap("weight_decay=1e-3", "weight_decay=450.0"), also=("too high a rate",), modules=("*",), **WHOLE),
]  # fmt: skip

# -- a loss that swings, or that stands still; gradients that are mostly noise --

SWINGS = {"also": ("too high a rate",), "shows": "swings", **WHOLE}
FULL = (
    drop("@gg.compile"),
    swap("range(0, 800, 80)", "range(10)"),
    swap("rows[k : k + 80]", "rows"),
    swap(RMSPROP, "optim.SGD(params, lr=0.1, momentum=0.9)"),
)
BROKEN += [
    broken("oscillating loss", "crossing", swap("optim.SGD(model.parameters(), lr=0.2, momentum=0.9)", "optim.SGD(model.parameters(), lr=1.5, momentum=0.95)"), base=(CROSSING_SGD,), **SWINGS),
    broken("oscillating loss", "fiveterms", swap("lr=0.1, momentum=0.9", "lr=0.3, momentum=0.97"), base=FULL, **SWINGS),
    broken("oscillating loss", "lesions", swap("lr=lr, momentum=0.9)", "lr=lr, momentum=0.99)"), base=LESIONS_SGD, **SWINGS),
    broken("oscillating loss", "waveforms", swap("train_loader = DataLoader(TensorDataset(*make_signals(512)), batch_size=batch_size, shuffle=True)", "signals, kinds = make_signals(512)\n    ranks = kinds.argsort()\n    train_loader = DataLoader(TensorDataset(signals[ranks], kinds[ranks]), batch_size=batch_size)"), shows="swings", whole=True, modules=("the targets", "the inputs")),
]  # fmt: skip
PRODUCT = (
    swap("return (score + bu + bi).squeeze(1)", "return score.squeeze(1)"), swap("score = self.mlp(gg.cat([u, i, d], dim=1)) + (u * i)", "score = (u * i)"),
    swap("        d = gg.tanh(self.dense(visit))\n", ""), drop("self.dense = nn.Linear(2, dim)", "self.mlp = nn.Sequential(nn.Linear(3 * dim, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))", "self.bias = nn.Embedding(count, 1)"),
    swap("return self.table(ids), self.bias(ids)", "return self.table(ids)"), swap("u, bu =", "u ="), swap("i, bi =", "i ="),
    swap(" + 0.8 * visit[:, 0] - 0.8 * visit[:, 1] > 0", " > 0"), swap("Adagrad(model.parameters(), lr=0.08, weight_decay=1e-3)", "gg.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)"),
)  # fmt: skip
DICE = swap("self.bce(logits, masks) + 0.5 * dice_loss(logits, masks)\n", "2 * dice_loss(logits, masks)\n")
SQUARES = swap(
    "        loss = criterion(output, targets)\n        optimizer",
    "        loss = nn.functional.mse_loss(output.softmax(1), nn.functional.one_hot(targets, CLASSES).float())\n        optimizer",
)
BOUNDED = swap("return self.head(out[:, -1])", "return 4 * gg.tanh(self.head(out[:, -1]))")
SIT = {"whole": True, "mendable": True}
BROKEN += [
    broken("flat place", "tastes", swap("weight, std=0.5", "weight, std=1e-6", times=2), base=PRODUCT, also=("too small a start",), modules=("*",), **SIT),
    broken("flat place", "lesions", after("self.head =", "nn.init.constant_(self.head.bias, -25.0)"), base=(DICE,), also=("saturated activations",), ops=("sigmoid",), modules=("head",), **SIT),
    broken("flat place", "waveforms", after("model = build_model()", "nn.init.constant_(model[8].bias[2:3], 40.0)"), base=(SQUARES,), also=("saturated activations",), ops=("softmax",), modules=("8",), **SIT),
    broken("flat place", "crossing", after("self.head =", "nn.init.constant_(self.head[2].bias, 8.0)"), base=(BOUNDED, CROSSING_SGD), also=("saturated activations",), ops=("tanh",), modules=("head",), **SIT),
]  # fmt: skip
NOISY = {"whole": True, "mendable": True}
BROKEN += [
    broken("gradient noise", "cellar", swap("batch_size=18", "batch_size=2"), **NOISY),
    broken("gradient noise", "inorder", swap("xb, yb = get_batch(32)", "xb, yb = get_batch(1)"), **NOISY),
    broken("gradient noise", "tastes", swap("order[start : start + 40]", "order[start : start + 1]"), **NOISY),
    broken("gradient noise", "crossing", swap("series[:700]), batch_size=32", "series[600:700]), batch_size=1"), base=(CROSSING_SGD,), **NOISY),
]  # fmt: skip

# -- starts --

EACH = "for p in model.parameters():"
BROKEN += [
    broken("symmetric start", "fiveterms", swap(W, "w = gg.full((n_in, n_out), 0.1)"), **ANYWHERE),
    broken("symmetric start", "depths", after("self.classifier =", "for p in [*self.rnn.parameters(), *self.classifier.parameters()]:", "    nn.init.constant_(p, 0.05)"), **ANYWHERE),
    broken("symmetric start", "tiles", after("model = ViT()", EACH, "    if p.ndim == 2:", "        nn.init.constant_(p, 0.02)"), **ANYWHERE),
    broken("zero start", "fiveterms", swap(W, "w = gg.zeros(n_in, n_out)"), **ANYWHERE),
    broken("zero start", "inorder", after("model = Sorter()", "for p in model.blocks.parameters():", "    nn.init.zeros_(p)"), **ANYWHERE),
    broken("zero start", "crossing", after("self.head =", "for p in self.head.parameters():", "    nn.init.zeros_(p)"), **ANYWHERE),
    broken("too small a start", "fiveterms", swap(W, "w = gg.randn(n_in, n_out) * 1e-3"), base=(swap(RMSPROP, FIVE_SGD),), **ANYWHERE),
    broken("too small a start", "crossing", after("model = Forecaster()", EACH, "    nn.init.normal_(p, std=1e-4)"), base=(CROSSING_SGD,), also=("vanishing gradients",), **ANYWHERE),
    broken("too small a start", "tiles", after("model = ViT()", EACH, "    if p.ndim > 1:", "        nn.init.trunc_normal_(p, std=1e-4)"), base=(TILES_SGD,), **ANYWHERE),
    broken("too large a start", "fiveterms", swap(W, "w = gg.randn(n_in, n_out) * 2"), also=("exploding gradients",), **ANYWHERE),
    broken("too large a start", "tastes", swap("weight, std=0.5", "weight, std=10.0", times=2), modules=("user", "item"), whole=True, mendable=True),
    broken("too large a start", "tiles", swap("0.3 * gg.randn(1, 5, dim)", "50.0 * gg.randn(1, 5, dim)"), modules=("pos_embed",), whole=True, mendable=True),
    broken("too large a start", "lesions", after("self.head =", "nn.init.normal_(self.head.weight, std=30.0)"), modules=("head",), whole=True, mendable=True),
]  # fmt: skip

# -- gradients that get lost or blow up --

SIX_DEC = swap(
    "nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU())",
    "nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU(), *[each for _ in range(6) for each in (nn.Conv2d(width, width, 3, padding=1), nn.ReLU())])",
)
RELU_RNN = (
    swap("nn.LSTM(config.embed, config.hidden, batch_first=True)", 'nn.RNN(config.embed, config.hidden, nonlinearity="relu", batch_first=True)'),
    drop("nn.utils.clip_grad_value_(model.parameters(), 0.5)"), swap("lr: float = 1.5e-2", "lr: float = 5e-3"),
)  # fmt: skip
DEEP_HEAD = swap(
    "nn.Linear(hidden, 24), nn.ReLU(), nn.Linear(24, AHEAD))",
    "nn.Linear(hidden, 24), *[each for _ in range(8) for each in (nn.Tanh(), nn.Linear(24, 24))], nn.Linear(24, AHEAD))",
)
HEADS = swap(
    "self.fc = nn.Linear(dim, classes)",
    "self.fc = nn.Sequential(*[each for _ in range(6) for each in (nn.Linear(dim, dim), nn.ReLU())], nn.Linear(dim, classes))\n        for layer in self.fc[::2]:\n            nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')",
)
WIDE = {"also": ("too large a start",), "mendable": True}
BROKEN += [
    broken("exploding gradients", "fiveterms", swap(W, "w = gg.randn(n_in, n_out)"), base=DEEP, ops=("matmul",), modules=("*",), whole=True, **WIDE),
    broken("exploding gradients", "lesions", after("self.head =", "for layer in self.dec:", "    if isinstance(layer, nn.Conv2d):", "        nn.init.normal_(layer.weight, std=0.6)"), base=(SIX_DEC,), ops=("conv",), modules=("dec",), **WIDE),
    broken("exploding gradients", "depths", after("self.rnn =", "nn.init.orthogonal_(self.rnn.weight_hh_l0, gain=3.0)"), base=RELU_RNN, ops=("matmul", "affine"), modules=("rnn",), **WIDE),
    broken("exploding gradients", "tiles", swap("nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')", "nn.init.xavier_uniform_(layer.weight, gain=6.0)"), base=(HEADS,), ops=("affine",), modules=("fc",), **WIDE),
    broken("vanishing gradients", "fiveterms", swap("h = gg.relu(", "h = gg.sigmoid("), base=DEEP, ops=("sigmoid",), mendable=True),
    broken("vanishing gradients", "crossing", swap("(nn.Tanh(), nn.Linear(24, 24))", "(nn.Hardsigmoid(), nn.Linear(24, 24))"), base=(DEEP_HEAD,), ops=("where", "div", "add", "ge", "le"), modules=("head",)),
    broken("vanishing gradients", "tiles", swap("(nn.Linear(dim, dim), nn.ReLU())", "(nn.Linear(dim, dim), nn.Sigmoid())"), base=(HEADS,), ops=("sigmoid",), mendable=True),
]  # fmt: skip
TANH = swap("nn.ReLU()", "nn.Tanh()", times=2)
FIVE_TANH = swap("gg.relu(", "gg.tanh(", times=2), swap("(2 / n_in)", "(1 / n_in)")
BROKEN += [
    broken("saturated activations", "waveforms", after("model = build_model()", "for i in (1, 4):", "    nn.init.constant_(model[i].weight, 60.0)"), base=(TANH,), also=("too large a start",), ops=("tanh",), mendable=True),
    broken("saturated activations", "depths", after("self.rnn =", "nn.init.constant_(self.rnn.bias_ih_l0, 20.0)"), also=("too large a start",), ops=("sigmoid", "tanh"), modules=("rnn",), mendable=True),
    broken("saturated activations", "fiveterms", swap("* (1 / n_in) ** 0.5", "* 6"), base=FIVE_TANH, also=("too large a start",), ops=("tanh",), mendable=True),
    broken("dead rectifiers", "fiveterms", swap("b = gg.zeros(n_out)", "b = gg.full((n_out,), -6.0 if n_out > 1 else 0.0)"), ops=("relu",), modules=("*",), mendable=True),
    broken("dead rectifiers", "waveforms", after("model = build_model()", "for m in model.modules():", "    if isinstance(m, nn.BatchNorm1d):", "        nn.init.constant_(m.bias, -5.0)"), ops=("relu",), modules=("1", "2", "4", "5"), mendable=True),
    broken("dead rectifiers", "crossing", after("self.head =", "nn.init.uniform_(self.head[0].bias, -12.0, -8.0)"), ops=("relu",), modules=("head.0", "head.1"), mendable=True),
    broken("no overfitting of one batch", "fiveterms", swap("gg.relu(", "(", times=2), whole=True, modules=("*",)),
    broken("no overfitting of one batch", "tiles", swap("dropout=0.05", "dropout=0.9"), whole=True, modules=("*",), mendable=True),
    broken("no overfitting of one batch", "tastes", swap("weight_decay=1e-3", "weight_decay=0.5"), whole=True, modules=("*",), mendable=True),
]  # fmt: skip

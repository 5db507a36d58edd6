"""The fourth set's faults of losses and numbers."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, after, broken, drop, swap

BROKEN: list[Broken] = []
TARGETS = ("the targets",)

# -- losses that have a softmax or a sigmoid of their own --

ONE_HOT = (
    swap("nn.CrossEntropyLoss(label_smoothing=0.02)", "nn.BCEWithLogitsLoss()"),
    swap("criterion(predictions, targets)", "criterion(predictions, nn.functional.one_hot(targets, 10).float())"),
)
BROKEN += [
    broken("softmax before a loss that has one", "depths", swap("return self.classifier(states)", "return F.softmax(self.classifier(states), dim=-1)"), ops=("softmax",), mendable=True),
    broken("softmax before a loss that has one", "waveforms", swap("nn.Linear(72, CLASSES),\n", "nn.Linear(72, CLASSES),\n        nn.Softmax(dim=1),\n"), ops=("softmax",), mendable=True),
    broken("softmax before a loss that has one", "inorder", swap("loss = F.cross_entropy(logits.reshape(-1, KINDS)", "probs = logits.softmax(-1)\n    loss = F.cross_entropy(probs.reshape(-1, KINDS)"), ops=("softmax",), mendable=True, shows="training"),
    broken("sigmoid before a loss that has one", "tastes", swap("return (score + bu + bi).squeeze(1)", "return (1 + gg.tanh((score + bu + bi).squeeze(1) / 2)) / 2"), ops=("tanh", "add", "div"), mendable=True),
    broken("sigmoid before a loss that has one", "lesions", swap("return self.head(h)", "return gg.sigmoid(self.head(h))"), ops=("sigmoid",), mendable=True),
    broken("sigmoid before a loss that has one", "tiles", swap("return self.fc(x[:, 0])", "return gg.sigmoid(self.fc(x[:, 0]))"), base=ONE_HOT, ops=("sigmoid",), mendable=True),
]  # fmt: skip

# -- shapes and labels --

BY_HAND = swap(
    "self.bce(logits, masks) + 0.5 * dice_loss(logits, masks)\n", "(F.softplus(logits) - logits * masks).mean()\n"
)
SHAPES = {"ops": ("expand", "sub", "mul"), "mendable": True, "lines": ("loss = ", "error = ")}
BROKEN += [
    broken("shapes that broadcast in the loss", "fiveterms", swap("error = net(xb) - yb", "error = net(xb) - yb[:, None]"), **SHAPES),
    broken("shapes that broadcast in the loss", "crossing", swap("self.head(out[:, -1])", "self.head(out[:, -1:])"), **SHAPES),
    broken("shapes that broadcast in the loss", "lesions", swap("dataset = TensorDataset(*make_images(256))", "images, masks = make_images(256)\n    dataset = TensorDataset(images, masks.squeeze(1))"), base=(BY_HAND,), **SHAPES),
    broken("labels out of range", "depths", swap("IGNORE = -100", "IGNORE = -1"), swap(", ignore_index=IGNORE)", ")"), ops=("gather",), modules=TARGETS, shows="error", lines=("cross_entropy(", "tag_loss(")),
    broken("labels out of range", "waveforms", swap("nn.Linear(72, CLASSES)", "nn.Linear(72, CLASSES - 1)"), ops=("gather",), modules=TARGETS, shows="error", lines=("criterion(",)),
    broken("labels out of range", "lesions", swap("dataset = TensorDataset(*make_images(256))", "images, masks = make_images(256)\n    dataset = TensorDataset(images, 2 * masks - 1)"), ops=("mul", "sub", "softplus"), modules=TARGETS, lines=("bce(", "loss(")),
]  # fmt: skip

# -- a loss that is a sum --

SUMMED = {"ops": ("sum",), "lines": ("loss = ", "criterion ="), "whole": True, "mendable": True}
CROSSING_SGD = (
    swap("optim.Adam(model.parameters(), lr=8e-3)", "optim.SGD(model.parameters(), lr=0.1, momentum=0.9)"),
    swap("total += loss.item() * len(x)", "total += nn.functional.smooth_l1_loss(pred, y).item() * len(x)"),
    drop("nn.utils.clip_grad_norm_(model.parameters(), 2.0)"),
)
FIVE_SGD = swap("optim.RMSprop(params, lr=2e-3, alpha=0.95)", "optim.SGD(params, lr=0.02, momentum=0.9)")
TILES_SGD = swap("Adam(model.parameters(), lr=4e-3)", "gg.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)")
BROKEN += [
    broken("a loss that is a sum", "fiveterms", swap("loss = (error**2).mean()", "loss = error @ error"), base=(FIVE_SGD,), **SUMMED | {"ops": ("sum", "matmul")}),
    broken("a loss that is a sum", "crossing", swap("loss = criterion(pred, y)", "loss = nn.functional.smooth_l1_loss(pred, y, reduction=\"sum\")"), base=CROSSING_SGD, **SUMMED),
    broken("a loss that is a sum", "tiles", swap("nn.CrossEntropyLoss(label_smoothing=0.02)", 'nn.CrossEntropyLoss(label_smoothing=0.02, reduction="sum")'), base=(TILES_SGD,), **SUMMED),
]  # fmt: skip

# -- a loss that grows --

MINUS = swap(
    "optimizer.step()",
    "with gg.no_grad():\n                    for p in model.parameters():\n                        p -= 0.1 * p.grad",
)
BROKEN += [
    broken("diverging loss", "inorder", swap("loss = F.cross_entropy(logits.reshape(-1, KINDS), yb.reshape(-1))", "loss = F.log_softmax(logits, dim=-1).gather(2, yb.unsqueeze(2)).mean()"), ops=("log_softmax", "gather", "sum", "div", "mul"), lines=("backward()",), whole=True),
    broken("diverging loss", "tiles", swap("loss = criterion(predictions, targets)", "loss = 1 - criterion(predictions, targets)"), ops=("sub", "neg"), lines=("backward()",), whole=True),
    broken("diverging loss", "crossing", swap("p -= 0.1", "p += 0.1"), base=(MINUS,), lines=("backward()",), whole=True),
]  # fmt: skip

# -- numbers that are none, too large, too small --

TILED = "return (x.reshape(-1, n * n, size * size) - 0.3) / 0.38"
BROKEN += [
    broken("numbers that are not finite", "dreamt", swap("rec = F.mse_loss(gg.sigmoid(recon), x)", "p = gg.clamp(recon, 0, 1)\n    rec = -(x * gg.log(p) + (1 - x) * gg.log(1 - p)).mean()"), ops=("log", "mul"), shows="nan"),
    broken("numbers that are not finite", "cellar", swap("x = gg.tensor(wine.data).float()\n", "x = gg.tensor(wine.data).float()\n    x[gg.rand(len(x)) < 0.05, 4] = float('nan')\n"), modules=("the inputs", "fc1"), ops=("div",), shows="nan"),
    broken("numbers that are not finite", "depths", swap("self.rnn(self.dropout(self.embedding(tokens)))", "self.rnn(self.dropout(e / e.norm(dim=-1, keepdim=True)))"), swap("    def forward(self, tokens):\n", "    def forward(self, tokens):\n        e = self.embedding(tokens)\n"), swap("len(VOCAB), config.embed)", "len(VOCAB), config.embed, padding_idx=0)"), ops=("div", "norm", "sqrt", "pow"), shows="nan"),
    broken("numbers that are not finite", "tiles", swap(TILED, "x = x.reshape(-1, n * n, size * size)\n    return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)"), modules=("the inputs", "patch_embed"), ops=("div",), shows="nan"),
]  # fmt: skip
OVER = {"also": ("numbers that are not finite",), "shows": "nan"}
BROKEN += [
    broken("overflow", "inorder", swap("att = F.softmax(att, dim=-1)", "att = gg.exp(300 * att)\n        att = att / att.sum(-1, keepdim=True)"), ops=("exp", "mul"), **OVER),
    broken("overflow", "dreamt", after("vae = VAE()", "nn.init.normal_(vae.encoder.logvar.weight, std=60.0)"), ops=("exp", "affine"), modules=("encoder.logvar",), also=("numbers that are not finite", "too large a start"), shows="nan"),
    broken("overflow", "crossing", swap("nn.Linear(hidden, 24), nn.ReLU(), nn.Linear(24, AHEAD))", "nn.Linear(hidden, 24), Smooth(), nn.Linear(24, AHEAD))"), swap("class Forecaster(", "class Smooth(nn.Module):\n    def forward(self, x):\n        return gg.log(1 + gg.exp(500 * x)) / 500\n\n\nclass Forecaster("), ops=("exp", "mul"), modules=("head.1",), **OVER),
]  # fmt: skip
BROKEN += [
    broken("underflow", "depths", swap("loss = tag_loss(scores, tags[rows])", "known = tags[rows] >= 0\n            chance = F.softmax(scores, dim=-1)[known].gather(1, tags[rows][known].unsqueeze(1))\n            loss = -gg.log(chance.prod())"), ops=("mul", "log"), also=("numbers that are not finite",)),
    broken("underflow", "crossing", swap("return self.head(out[:, -1])", "return self.head(gg.exp(-((15 * (out[:, -1] - 0.99)) ** 2)))"), ops=("exp",), also=("zero gradient",), modules=("gru",)),
    broken("underflow", "dreamt", swap("    rec = F.mse_loss(gg.sigmoid(recon), x)\n", "    rec = F.mse_loss(gg.sigmoid(recon), x)\n    if recon.requires_grad:\n        density = gg.exp(-((gg.sigmoid(recon) - x) ** 2).sum((1, 2, 3)) / 0.02)\n        rec = -gg.log(density).mean()\n"), ops=("exp", "log"), also=("numbers that are not finite",)),
]  # fmt: skip

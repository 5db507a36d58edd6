"""Losses and numbers: what goes into a loss, and what float32 cannot hold."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, broken, optimizer, swap

BROKEN: list[Broken] = []

# -- a loss that is a sum --

SUM = {"ops": ("sum",), "lines": ("loss = ", "criterion =", "cost = "), "whole": True, "mendable": True}
BAKERY_SGD = swap(
    "gg.optim.Adam(model.parameters(), lr=6e-3)", "gg.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)"
)
HUSH_SGD = swap("optim.RMSprop(model.parameters(), lr=2e-3)", "optim.SGD(model.parameters(), lr=0.1, momentum=0.9)")
BROKEN += [
    broken("a loss that is a sum", "bakery", swap("log_input=True, full=True", 'log_input=True, full=True, reduction="sum"'), base=(BAKERY_SGD,), **SUM),
    broken("a loss that is a sum", "hush", swap("return F.mse_loss(pred, clean) + 0.1 * slope", "return ((pred - clean) ** 2).sum() + 0.1 * slope"), base=(HUSH_SGD,), **SUM),
    broken(
        "a loss that is a sum", "drone", swap("(position**2).mean() + 0.05 * (thrust**2).mean()", "(position**2).sum() + 0.05 * (thrust**2).sum()"),
        base=(optimizer("optim.SGD(params, lr=0.03, momentum=0.9)"),), **SUM,
    ),
    broken("a loss that is a sum", "friends", swap("F.cross_entropy(output[idx_train], labels[idx_train])\n", 'F.cross_entropy(output[idx_train], labels[idx_train], reduction="sum")\n'), base=(optimizer("optim.SGD(NET.parameters(), lr=0.5, momentum=0.9)"),), **SUM),
]  # fmt: skip

# -- softmax and sigmoid before losses that have one --

ISLANDS_CE = (
    swap("return self.log_softmax(self.fc(self.dropout(pooled)))", "return self.fc(self.dropout(pooled))"),
    swap("        self.log_softmax = nn.LogSoftmax(dim=1)\n", ""), swap("nn.NLLLoss()", "nn.CrossEntropyLoss()"),
)  # fmt: skip
ORDINAL = (
    swap("n_classes=4", "n_classes=3"), swap("nn.CrossEntropyLoss()", "nn.BCEWithLogitsLoss()"),
    swap("    return images.unsqueeze(1), counts\n", "    return images.unsqueeze(1), (counts.unsqueeze(1) > gg.arange(most - 1)).float()\n"),
)  # fmt: skip
WINS = (
    swap("F.cross_entropy(scores, winner) + F", "F.binary_cross_entropy_with_logits(scores, winner) + F"), swap("return x, bids.argmax(1), 4", "return x, F.one_hot(bids.argmax(1), bidders).float(), 4"),
)  # fmt: skip
SOFT = {"ops": ("softmax",), "mendable": True}
SQUASH = {"ops": ("sigmoid",), "mendable": True}
BROKEN += [
    broken("softmax before a loss that has one", "beads", swap("return self.classifier(x.flatten(1))", "probs = gg.softmax(self.classifier(x.flatten(1)), dim=1)\n        return probs"), **SOFT),
    broken("softmax before a loss that has one", "friends", swap("return self.gc2(h, adj)", "return F.softmax(self.gc2(h, adj), dim=1)"), **SOFT),
    broken("softmax before a loss that has one", "islands", swap("return self.fc(self.dropout(pooled))", "return F.softmax(self.fc(self.dropout(pooled)), dim=-1)"), swap("from glassgrad import nn, optim\n", "from glassgrad import nn, optim\nfrom glassgrad.nn import functional as F\n"), base=ISLANDS_CE, **SOFT),
    broken("softmax before a loss that has one", "intents", swap("self.classifier = nn.Linear(d_model, n_intents)", "self.classifier = nn.Sequential(nn.Linear(d_model, n_intents), nn.Softmax(dim=-1))"), **SOFT),
    broken("sigmoid before a loss that has one", "carry", swap("loss = bce(outputs, targets)", "predictions = gg.sigmoid(outputs)\n    loss = bce(predictions, targets)"), shows="training", **SQUASH),
    broken("sigmoid before a loss that has one", "carry", swap("self.readout = nn.Linear(hidden, 1)", "self.readout = nn.Sequential(nn.Linear(hidden, 1), nn.Sigmoid())"), **SQUASH),
    broken("sigmoid before a loss that has one", "beads", swap("return self.classifier(x.flatten(1))", "return self.classifier(x.flatten(1)).sigmoid()"), base=ORDINAL, **SQUASH),
    broken("sigmoid before a loss that has one", "bidding", swap("winner = self.winner_head(x).squeeze(2)", "winner = F.sigmoid(self.winner_head(x).squeeze(2))"), base=WINS, **SQUASH),
]  # fmt: skip

# -- shapes that broadcast --

BROAD = {"ops": ("expand", "sub"), "mendable": True, "lines": ("loss = ", "F.mse_loss(", "F.smooth_l1_loss(")}
BROKEN += [
    broken("shapes that broadcast in the loss", "bakery", swap("self.out(x).squeeze(-1)", "self.out(x)"), **BROAD),
    broken("shapes that broadcast in the loss", "bidding", swap("self.price_head(x.mean(dim=1)).squeeze(1)", "self.price_head(x.mean(dim=1))"), **BROAD),
    broken("shapes that broadcast in the loss", "hush", swap("loss = loss_fn(pred, clean[idx])", "target = clean[idx].squeeze(1)\n            loss = loss_fn(pred, target)"), **BROAD),
]  # fmt: skip

# -- labels out of range --

OUT = {
    "ops": ("gather",),
    "modules": ("the targets",),
    "shows": "error",
    "lines": ("cross_entropy(", "criterion(", "loss_function("),
}
BROKEN += [
    broken("labels out of range", "beads", swap("    return images.unsqueeze(1), counts\n", "    return images.unsqueeze(1), counts + 1\n"), **OUT),
    broken("labels out of range", "islands", swap("len(LETTERS), len(ISLANDS))", "len(LETTERS), len(ISLANDS) - 1)"), **OUT),
    broken("labels out of range", "bidding", swap("return x, bids.argmax(1), 4", "return x, bids.argmax(1) + 1, 4"), **OUT),
    broken("labels out of range", "carry", swap("loss = bce(outputs, targets)", "loss = bce(outputs, 2 * targets - 1)"), ops=("mul", "sub", "softplus"), modules=("the targets",)),
]  # fmt: skip

# -- numbers that are none --

FEW = (
    swap("0.12 * gg.ones", "0.045 * gg.ones"),
    swap("0.02 * gg.ones", "0.002 * gg.ones"),
    swap("circles, 10) + gg.randn", "circles, 10) + 0.7 * gg.randn"),
)
BROKEN += [
    broken("numbers that are not finite", "islands", swap("        for number in range(count):\n", '        for number in range(count):\n            if number == 77:\n                self.items.append(([], 2))\n'), ops=("div",), shows="nan"),
    broken("numbers that are not finite", "hush", swap("    return noisy, clean\n", "    noisy = (noisy - noisy.mean(1, keepdim=True)) / noisy.std(1, keepdim=True)\n    return noisy, clean\n"), ops=("div",), modules=("the inputs", "inp"), shows="nan"),
    broken("numbers that are not finite", "friends", swap("upper + upper.T + gg.eye(people)", "upper + upper.T"), base=FEW, ops=("div", "mul", "sqrt", "matmul"), modules=("the inputs", "gc1"), shows="nan"),
    broken("numbers that are not finite", "bidding", swap("4 * best[:, 1] - 1\n", "gg.log(best[:, 1] - 0.2)\n"), ops=("log",), modules=("the targets",), shows="nan"),
]  # fmt: skip

# -- overflow --

NONE = ("numbers that are not finite",)
BROKEN += [
    broken(
        "overflow", "bakery",
        swap("loss = criterion(pred, sold)", "ways = gg.maximum(gg.minimum(gg.arange(1, 81).float(), sold.unsqueeze(1)), gg.ones(1)).prod(1)\n        loss = (gg.exp(pred) - sold * pred + gg.log(ways)).mean()"),
        ops=("mul", "log"), also=NONE, shows="nan",
    ),
    broken("overflow", "islands", swap("return self.log_softmax(self.fc(self.dropout(pooled)))", "powers = gg.exp(self.fc(self.dropout(pooled)) / 0.002)\n        return gg.log(powers / powers.sum(1, keepdim=True))"), swap("        self.log_softmax = nn.LogSoftmax(dim=1)\n", ""), ops=("exp", "div"), also=NONE, shows="nan"),
    broken("overflow", "drone", swap("(thrust + wind - 0.1 * velocity)", "(thrust + wind + 60.0 * velocity)"), ops=("mul", "pow", "add"), also=(*NONE, "exploding gradients"), whole=True, shows="nan"),
]  # fmt: skip

# -- underflow --

KERNEL = swap(
    "loss = triplet_loss(a, p, n) / ACCUMULATE",
    "near, far = (gg.exp(-((a - b) ** 2).sum(1) / (2 * 0.7**2)) for b in (p, n))\n    loss = (1 - near + far).mean() / ACCUMULATE",
)
BROKEN += [
    broken("underflow", "glyphs", swap("2 * 0.7**2", "2 * 0.02**2"), base=(KERNEL,), ops=("exp",), also=("zero gradient",)),
    broken("underflow", "carry", swap("loss = bce(outputs, targets)", "p = gg.sigmoid(outputs)\n    likelihood = gg.where(targets > 0.5, p, 1 - p).prod(0).prod(0)\n    loss = -gg.log(likelihood).mean()"), ops=("mul", "log"), also=NONE),
    broken("underflow", "drone", swap("    cost.backward()\n", "    (cost * 1e-24 * 1e-24).backward()\n"), ops=("mul",), also=("zero gradient",)),
]  # fmt: skip

# ruff: noqa: E501
"""The second set: gradients that vanish, explode or are zero, activations that are flat, numbers that are none."""

from edits import Broken, Edit, after, broken, drop, swap

from .second_common import PLAIN, begun

BROKEN: list[Broken] = []
NOT_FINITE, TOO_LARGE = ("numbers that are not finite",), ("too large a start",)


def dials_deep(activation: str, depth: int) -> tuple[Edit, ...]:
    """The same net with more layers in the middle."""
    return (
        swap("W2, b2 = weight(40, 40), bias(40)", f"middle = [(weight(40, 40), bias(40)) for _ in range({depth})]"),
        swap("params = [W1, b1, W2, b2, W3, b3]", "params = [W1, b1, *(p for pair in middle for p in pair), W3, b3]"),
        swap("    h = F.silu(h @ W2 + b2)\n", f"    for W, b in middle:\n        h = {activation}(h @ W + b)\n"),
    )


def tastes_deep(activation: str, depth: int) -> Edit:
    return swap(
        "nn.Linear(hidden, hidden), nn.LeakyReLU())",
        f"*[each for _ in range({depth}) for each in (nn.Linear(hidden, hidden), nn.{activation})])",
    )


# -- vanishing gradients --

SQUEEZED = {"ops": ("sigmoid",), "mendable": True}
BROKEN += [
    broken("vanishing gradients", "gauges", swap("return h @ W3", "for _ in range(5):\n        h = F.hardsigmoid(h)\n    return h @ W3"), ops=("where", "div"), mendable=False),
    broken("vanishing gradients", "twins", swap("return F.normalize(self.project(h.mean(dim=1)), dim=-1)", "h = self.project(h.mean(dim=1))\n        for layer in self.deep:\n            h = layer(h).sigmoid()\n        return F.normalize(h - h.mean(dim=1, keepdim=True), dim=-1)"), after("self.project =", "self.deep = nn.ModuleList(nn.Linear(width, width) for _ in range(6))"), **SQUEEZED),
]  # fmt: skip
RNN = swap("self.rnn = nn.GRU(2, hidden)", "self.rnn = nn.RNN(2, hidden)")
LONGER = (
    RNN, swap("length=8", "length=6"), swap("nn.utils.clip_grad_value_(model.parameters(), 0.5)", "nn.utils.clip_grad_norm_(model.parameters(), 1.0)"),
    swap("lr=0.01", "lr=5e-3"), swap("gamma=0.85", "gamma=0.95"),
)  # fmt: skip
BROKEN.append(
    broken("vanishing gradients", "ledger", swap("length=6", "length=30"), base=LONGER, ops=("tanh", "matmul", "mul"), modules=("rnn",))
)  # fmt: skip

# -- exploding gradients --

BROKEN += [
    broken(
        "exploding gradients", "ledger", begun("ledger", "nn.init.orthogonal_(NET.rnn.weight_hh_l0, gain=2.5)"),
        base=(swap("nn.GRU(2, hidden)", 'nn.RNN(2, hidden, nonlinearity="relu")'), drop("nn.utils.clip_grad_value_(model.parameters(), 0.5)"), swap("length=8", "length=10"), swap("lr=0.01", "lr=3e-3")),
        also=TOO_LARGE, ops=("matmul", "affine"), modules=("rnn",), whole=True, mendable=True,
    ),
    broken(
        "exploding gradients", "gauges", swap("    return (gg.rand(fan_in, fan_out) * 2 * bound - bound).requires_grad_()", "    return gg.normal(0.0, 9 * bound, (fan_in, fan_out)).requires_grad_()"),
        base=(*dials_deep("F.silu", 5),), also=TOO_LARGE, ops=("matmul",), modules=("*",), whole=True, mendable=True,
    ),
    broken(
        "exploding gradients", "savours", swap("nn.LeakyReLU())])", "nn.LeakyReLU(6.0))])"),
        base=(tastes_deep("LeakyReLU()", 6),), ops=("where", "mul", "affine"), modules=("mlp",), mendable=True,
    ),
    broken(
        "exploding gradients", "clocks", swap("            nn.ELU(),\n        )\n", "            nn.ELU(),\n        )\n        self.mixers = nn.ModuleList(nn.Linear(32, 32) for _ in range(12))\n"),
        swap("        features = self.trunk(images)\n", "        features = self.trunk(images)\n        for mixer in self.mixers:\n            features = 3 * features + F.elu(mixer(features))\n"),
        base=(swap("@gg.compile\n", ""), PLAIN["clocks"], drop("nn.utils.clip_grad_norm_(model.parameters(), 5.0)")), ops=("mul", "affine", "add"), modules=("mixers", "trunk"), mendable=True,
    ),
]  # fmt: skip

# -- saturated activations --

TANH = (swap("F.silu(", "gg.tanh(", times=2),)
BROKEN += [
    broken("saturated activations", "clocks", swap("return self.direction(features), self", "return gg.tanh(80 * self.direction(features)), self"), ops=("tanh", "mul"), modules=("direction",)),
    broken("saturated activations", "echoes", begun("echoes", "for block in NET.blocks:", "    nn.init.normal_(block.attn.in_proj_weight, std=12.0)"), also=TOO_LARGE, ops=("softmax",), modules=("blocks.0.attn", "blocks.1.attn"), mendable=True),
    broken("saturated activations", "ledger", begun("ledger", "for name, p in NET.rnn.named_parameters():", '    if name.startswith("weight"):', "        nn.init.uniform_(p, -30.0, 30.0)"), also=TOO_LARGE, ops=("sigmoid", "tanh"), modules=("rnn",), mendable=True),
]  # fmt: skip

# -- dead rectifiers --

DEAD = {"ops": ("relu",), "mendable": True}
BROKEN += [
    broken("dead rectifiers", "gauges", swap("def bias(size):\n    return gg.zeros(size, requires_grad=True)", "def bias(size, at=0.0):\n    return gg.full((size,), at, requires_grad=True)"), swap("weight(5, 40), bias(40)", "weight(5, 40), bias(40, -3.0)"), base=(swap("F.silu(", "gg.relu(", times=2),), modules=("b1", "W1", "*"), **DEAD),
    broken("dead rectifiers", "outlines", begun("outlines", "NET.merge.conv2.weight.data = -NET.merge.conv2.weight.data.abs()", "NET.merge.conv2.bias.data.fill_(-0.1)"), modules=("merge",), **DEAD),
    broken("dead rectifiers", "twins", swap("h = self.transformer(self.embed(tokens) + self.positions)", "h = F.relu(self.transformer(self.embed(tokens) + self.positions) - 6)"), ops=("relu", "sub"), modules=("transformer", "encoder.transformer")),
]  # fmt: skip

# -- zero gradient: a factor of it is zero --

STARS = swap(
    "stars = (stars - stars.mean()) / stars.std() +", "stars = 3 + 0.8 * (stars - stars.mean()) / stars.std() +"
)
MARGIN = (
    swap("def forward(self, left, right):", "def forward(self, left, right, margin=5.0):"),
    swap(
        "        return (F.cross_entropy(similar, same) + F.cross_entropy(similar.t(), same)) / 2",
        "        gap = similar - similar.diagonal()[:, None] + margin * (1 - gg.eye(len(left)))\n        return gap.clamp(min=0).sum(1).mean() / 20",
    ),
)
BROKEN += [
    broken("zero gradient", "savours", swap("return self.score(self.mlp(together)).squeeze(-1)", "return self.score(self.mlp(together)).squeeze(-1).clamp(1, 5)"), base=(STARS,), ops=("where", "lt"), modules=("score", "")),
    broken("zero gradient", "heartbeats", swap("self.pool(self.features(signal)).flatten(1)", "gg.round(self.pool(self.features(signal)).flatten(1) * 2) / 2"), ops=("round",), modules=("features", "pool")),
    broken("zero gradient", "twins", swap("model(left[rows], right[rows])", "model(left[rows], right[rows], margin=-25.0)"), base=MARGIN, ops=("where", "lt", "add", "sub"), lines=("clamp(",), modules=("", "encoder")),
    broken("zero gradient", "grammar", swap("return self.hidden2tag(states)", "return self.hidden2tag(gg.trunc(states))"), ops=("trunc",), modules=("lstm",)),
]  # fmt: skip

# -- numbers that are not finite --

BROKEN += [
    broken("numbers that are not finite", "savours", swap("stars = (stars - stars.mean())", "stars[7, 3] = float('nan')\n    stars = (stars - stars.nanmean())"), base=(swap("/ stars.std()", "/ 1.5"),), modules=("the targets",), shows="nan"),
    broken("numbers that are not finite", "twins", swap("same = gg.arange(len(left))", "similar = similar.masked_fill(gg.eye(len(left)).bool(), -float('inf'))\n        same = gg.arange(len(left))"), ops=("where", "log_softmax"), shows="nan"),
    broken("numbers that are not finite", "clocks", swap("return F.mse_loss(where, direction) +", "return gg.acos((where * direction).sum(1)).mean() +"), ops=("acos",), shows="nan"),
]  # fmt: skip

# -- overflow --

BY_EXP = (
    swap("        return (F.cross_entropy(similar, same) + F.cross_entropy(similar.t(), same)) / 2", "        likeness = gg.exp(similar)\n        return -gg.log(likeness.diagonal() / likeness.sum(1)).mean()"),
)  # fmt: skip
BROKEN += [
    broken("overflow", "twins", swap("temperature=0.1", "temperature=0.005"), base=BY_EXP, ops=("exp", "div"), also=NOT_FINITE, shows="nan"),
    broken("overflow", "gauges", swap("h = F.silu(h @ W +", "h = gg.exp(h @ W +"), base=dials_deep("F.silu", 4), ops=("exp",), also=NOT_FINITE, shows="nan"),
    broken("overflow", "outlines", swap("inside = logits.sigmoid()", "inside = (100 * logits).exp() / ((100 * logits).exp() + 1)"), ops=("exp", "mul"), also=NOT_FINITE, shows="nan"),
]  # fmt: skip

# -- underflow --

BROKEN += [
    broken("underflow", "grammar", swap("return nn.functional.cross_entropy(scores.flatten(0, 1), tags.flatten(), ignore_index=IGNORED)", "known = tags != IGNORED\n    chances = scores[known].softmax(-1).gather(1, tags[known].unsqueeze(1))\n    return -gg.log(chances.prod()) / 100"), ops=("mul", "log"), also=NOT_FINITE),
    broken("underflow", "gauges", swap("loss = F.mse_loss(predict(X_train[rows]), T_train[rows])", "density = gg.exp(-((predict(X_train[rows]) - T_train[rows]) ** 2) / (2 * 0.05**2))\n        loss = -gg.log(density).mean() / 100"), ops=("exp", "log"), also=NOT_FINITE),
    broken("underflow", "echoes", swap("loss = F.cross_entropy(logits.transpose(1, 2), targets)", "chances = gg.softmax(logits / 0.004, dim=-1).gather(2, targets.unsqueeze(2))\n    loss = -gg.log(chances).mean()"), ops=("softmax", "log"), also=NOT_FINITE),
]  # fmt: skip

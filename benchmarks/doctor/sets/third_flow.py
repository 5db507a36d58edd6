"""Gradients that get lost or blow up, activations that are flat, numbers too large or too small, starts."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, after, broken, drop, start, swap

BROKEN: list[Broken] = []
ANYWHERE = {"modules": ("*",), "whole": True, "mendable": True}

# What twins have, too.
FRIEDMAN_SGD = swap("optim.Adam(params, lr=0.01)", "optim.SGD(params, lr=0.05, momentum=0.9)")
FRIEDMAN_DRAW = "gg.randn(fan_in, fan_out) * (2 / fan_in) ** 0.5"
VINE_TANH = swap("F.relu(", "gg.tanh(", times=2)
ADDING_SGD = swap("optim.Adam(model.parameters(), lr=0.01)", "optim.SGD(model.parameters(), lr=0.1, momentum=0.9)")
UNCLIPPED = drop("nn.utils.clip_grad_norm_(model.parameters(), 2.0)")
IRNN = (
    swap("nn.GRUCell(inputs, hidden)", 'nn.RNNCell(inputs, hidden, nonlinearity="relu")'), UNCLIPPED,
    swap("lr=0.01", "lr=3e-3"), swap("steps=220", "steps=300"),
)  # fmt: skip
ALL_BEATS = swap(
    "ConvBlock(channels, 2 * channels))",
    "ConvBlock(channels, 2 * channels), *[nn.Sequential(nn.Conv1d(2 * channels, 2 * channels, 3, padding=1), nn.ReLU()) for _ in range(4)])",
)
LOOKUP_SGD = swap(
    'optim.RMSprop([{"params": attention, "lr": 0.01}, {"params": rest}], lr=0.005)',
    "optim.SGD([*attention, *rest], lr=0.3, momentum=0.9)",
)

# -- vanishing gradients --

BROKEN += [
    broken("vanishing gradients", "friedman", swap("F.leaky_relu(h @ params[i] + params[i + 1], 0.1)", "gg.sigmoid(h @ params[i] + params[i + 1])"), swap("[5, 32, 32, 1]", "[5, *[32] * 8, 1]"), ops=("sigmoid",), mendable=True),
    broken("vanishing gradients", "beats", swap("ConvBlock(channels, 2 * channels))", "ConvBlock(channels, 2 * channels), *[nn.Sequential(nn.Conv1d(2 * channels, 2 * channels, 3, padding=1), nn.Sigmoid()) for _ in range(7)])"), ops=("sigmoid",), mendable=True),
    broken(
        "vanishing gradients", "adding", swap("length=8", "length=60"), base=(swap("nn.GRUCell(inputs, hidden)", "nn.RNNCell(inputs, hidden)"),),
        ops=("tanh", "matmul", "affine"), modules=("cell",),
    ),
]  # fmt: skip

# -- exploding gradients --

LARGE = ("too large a start",)
BROKEN += [
    broken("exploding gradients", "friedman", swap(FRIEDMAN_DRAW, "gg.randn(fan_in, fan_out)"), base=(swap("[5, 32, 32, 1]", "[5, 32, 32, 32, 32, 32, 1]"), swap("lr=0.01", "lr=5e-3")), also=LARGE, ops=("matmul",), **ANYWHERE),
    broken("exploding gradients", "dials", swap("return x + self.conv2(h)", "return 4.0 * (x + self.conv2(h))"), base=(swap("ResBlock(channels), ResBlock(channels)", "*[ResBlock(channels) for _ in range(6)]"),), ops=("mul", "conv", "add"), modules=("trunk",), mendable=True),
    broken("exploding gradients", "adding", swap("nn.init.eye_(self.cell.weight_hh)", "nn.init.orthogonal_(self.cell.weight_hh, gain=3.5)"), base=(*IRNN, after("self.cell =", "nn.init.eye_(self.cell.weight_hh)")), also=LARGE, ops=("matmul", "affine"), modules=("cell",), mendable=True),
    broken("exploding gradients", "beats", start("for p in model.features.parameters():", "    if p.ndim == 3:", "        nn.init.xavier_normal_(p, gain=8.0)"), base=(ALL_BEATS,), also=LARGE, ops=("conv",), modules=("features",), mendable=True),
]  # fmt: skip

# -- saturated activations --

BROKEN += [
    broken("saturated activations", "vineyard", after("self.bn1 =", "nn.init.constant_(self.bn1.weight, 40.0)"), base=(VINE_TANH,), also=LARGE, ops=("tanh",), modules=("bn1",), mendable=True),
    broken("saturated activations", "lookup", swap("/ self.width**0.5", "* self.width**2"), ops=("softmax", "mul")),
    broken("saturated activations", "tagger", swap("self.lstm(self.embedding(tokens))", "self.lstm(200.0 * self.embedding(tokens))"), ops=("sigmoid", "tanh", "mul"), modules=("lstm",)),
]  # fmt: skip

# -- dead rectifiers --

BROKEN += [
    broken("dead rectifiers", "vineyard", after("self.fc2 =", "nn.init.uniform_(self.fc2.weight, -0.8, 0.0)"), ops=("relu",), modules=("fc2",), mendable=True),
    broken("dead rectifiers", "shapes", after("self.norm =", "nn.init.constant_(self.norm.bias, -7.0)"), ops=("relu",), modules=("down.norm", "bottom.norm", "merge.norm"), mendable=True),
    broken("dead rectifiers", "beats", start("for block in model.features:", "    block[0].weight.data.abs_().neg_()", "    block[0].bias.data.sub_(4.0)"), ops=("relu",), modules=("features",), mendable=True),
]  # fmt: skip

# -- flat places --

FLAT = {"whole": True, "mendable": True}
CORRENTROPY = swap("loss = loss_fn(output, y)", "loss = (1 - gg.exp(-((output - y) ** 2) / 4)).mean()")
BROKEN += [
    broken("flat place", "friedman", swap("** 0.5\n        params", "** 0.5 * 0.02\n        params"), base=(FRIEDMAN_SGD, swap("[5, 32, 32, 1]", "[5, 32, 32, 32, 1]")), also=("too small a start", "vanishing gradients"), modules=("*",), **FLAT),
    broken("flat place", "shapes", after("self.mask =", "nn.init.constant_(self.mask.bias, -16.0)"), base=(swap("optim.NAdam(self.model.parameters(), lr=lr)", "optim.SGD(self.model.parameters(), lr=0.2, momentum=0.9)"), swap("return self.criterion(logits, mask) + 0.5", "return F.mse_loss(gg.sigmoid(logits), mask) + 0.5")), also=("saturated activations",), ops=("sigmoid",), modules=("mask",), **FLAT),
    broken("flat place", "adding", after("self.readout =", "nn.init.constant_(self.readout.bias, 15.0)"), base=(CORRENTROPY,), ops=("exp",), modules=("readout",), lines=("loss = ",), **FLAT),
    broken("flat place", "lookup", after("self.decoder =", "nn.init.constant_(self.decoder[2].bias, 14.0)"), base=(LOOKUP_SGD, swap("F.binary_cross_entropy_with_logits(logits, label)", "F.mse_loss(gg.sigmoid(logits), label)")), also=("saturated activations",), ops=("sigmoid",), modules=("decoder",), **FLAT),
]  # fmt: skip

# -- starts --

BROKEN += [
    broken("symmetric start", "friedman", swap(FRIEDMAN_DRAW, "gg.full((fan_in, fan_out), 0.2)"), **ANYWHERE),
    broken("symmetric start", "tagger", start("for p in tagger.parameters():", "    p.data.fill_(0.1)"), **ANYWHERE),
    broken("symmetric start", "mirror", after("model = Mirror()", "for p in model.parameters():", "    nn.init.ones_(p)"), **ANYWHERE),
    broken("zero start", "vineyard", after("model = WineNet()", "for layer in (model.fc2, model.out):", "    layer.weight.data.zero_()", "    layer.bias.data.zero_()"), **ANYWHERE),
    broken("zero start", "lookup", after("self.decoder =", "for layer in (self.to_query, self.to_key):", "    nn.init.zeros_(layer.weight)", "    nn.init.zeros_(layer.bias)"), also=("flat place",), **ANYWHERE),
    broken("zero start", "adding", after("model = Adder()", "model.load_state_dict({name: gg.zeros_like(each) for name, each in model.state_dict().items()})"), **ANYWHERE),
    broken("too small a start", "vineyard", after("model = WineNet()", "for layer in (model.fc1, model.fc2, model.out):", "    nn.init.normal_(layer.weight, std=1e-4)", "    nn.init.zeros_(layer.bias)"), **ANYWHERE),
    broken("too small a start", "adding", after("model = Adder()", "for p in model.parameters():", "    nn.init.normal_(p, 0, 1e-3)"), base=(ADDING_SGD,), also=("vanishing gradients",), **ANYWHERE),
    broken("too small a start", "friedman", swap(FRIEDMAN_DRAW, "gg.randn(fan_in, fan_out) * 1e-3"), base=(FRIEDMAN_SGD,), **ANYWHERE),
    broken("too large a start", "films", swap("std=0.5", "std=12.0", times=2), modules=("viewers", "films"), whole=True, mendable=True),
    broken("too large a start", "vineyard", after("self.out =", "nn.init.normal_(self.out.weight, std=25.0)"), modules=("out",), whole=True, mendable=True),
    broken("too large a start", "mirror", swap("nn.init.normal_(self.tok_emb.weight, std=0.3)", "nn.init.uniform_(self.tok_emb.weight, -10, 10)"), modules=("tok_emb", "lm_head"), whole=True, mendable=True),
    broken("too large a start", "dials", start("with gg.no_grad():", "    for p in net.parameters():", "        p.mul_(10)"), also=("exploding gradients",), **ANYWHERE),
]  # fmt: skip

# -- numbers --

NOT = ("numbers that are not finite",)
BROKEN += [
    broken("numbers that are not finite", "films", swap("loss = F.mse_loss(predicted, rating)", "loss = F.mse_loss(gg.log1p(predicted), gg.log1p(rating))"), ops=("log1p", "log"), modules=("the targets",), shows="nan"),
    broken("numbers that are not finite", "tagger", swap("states, _ = self.lstm(self.embedding(tokens))", "words = self.embedding(tokens)\n        words = words / words.norm(dim=-1, keepdim=True)\n        states, _ = self.lstm(words)"), ops=("div", "sqrt"), shows="nan"),
    broken("numbers that are not finite", "mirror", swap("known = (targets != 8).float()", "known = (targets == 8).float()"), base=(swap("return F.cross_entropy(logits.flatten(0, 1), targets.flatten())", 'known = (targets != 8).float()\n    each = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")\n    return (each * known).sum() / known.sum()'),), ops=("div",), lines=("known.sum()",), shows="nan"),
    broken("overflow", "shapes", swap("return self.criterion(logits, mask) + 0.5", "z = logits / 0.002\n        return (gg.log(1 + gg.exp(z)) - z * mask).mean() + 0.5"), ops=("exp", "div"), also=NOT, shows="nan"),
    broken("overflow", "dials", swap("    loss.backward()\n", "    scale = 1e40\n    (loss * scale).backward()\n    for p in net.parameters():\n        p.grad.div_(scale)\n"), ops=("mul",), lines=("backward()",), also=NOT, shows="nan"),
    broken("overflow", "vineyard", swap("return self.out(x)", "odds = gg.exp(150 * self.out(x))\n        return gg.log(odds / odds.sum(1, keepdim=True))"), ops=("exp", "mul"), also=NOT, shows="nan"),
    broken("underflow", "friedman", swap("loss = F.mse_loss(predict(params, xb), yb)", "likelihood = gg.exp(-((predict(params, xb) - yb) ** 2) / (2 * 0.03**2))\n    loss = -gg.log(likelihood).mean()"), ops=("exp", "log"), also=NOT),
    broken("underflow", "tagger", swap("return F.cross_entropy(logits.reshape(-1, 3), tags.reshape(-1), ignore_index=-100)", "known = tags >= 0\n    probs = F.softmax(logits, dim=-1)[known]\n    return -gg.log(probs.gather(1, tags[known].unsqueeze(1)).prod())"), ops=("prod", "mul", "log"), also=NOT),
    broken("underflow", "films", swap("return self.score(h).squeeze(-1)", "near = gg.exp(-100 * ((v - f) ** 2).sum(1))\n        return near * self.score(h).squeeze(-1)"), ops=("exp", "mul"), also=("zero gradient",)),
]  # fmt: skip

"""The sixth set's faults of losses, of data, and of numbers."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, after, broken, swap

from .sixth_course import RENTS_SGD, WATTS_SGD

BROKEN: list[Broken] = []
INPUTS, TARGETS = ("the inputs",), ("the targets",)

# -- losses that are given what they do not expect --

ONE_LOGIT = (
    swap("nn.Linear(2 * hidden_dim, 2)", "nn.Linear(2 * hidden_dim, 1)"), swap("return self.fc(self.dropout(pooled))", "return self.fc(self.dropout(pooled)).squeeze(1)"),
    swap("nn.CrossEntropyLoss()", "nn.BCEWithLogitsLoss()"), swap("gg.tensor([label for _, label in batch])", "gg.tensor([float(label) for _, label in batch])"),
)  # fmt: skip
RISES = (
    swap("F.mse_loss(self.model(x), y)", "F.binary_cross_entropy_with_logits(self.model(x), y)", times=2),
    swap("        return x, y\n", "        return x, (y > 0).float()\n"),
)
SIG, SOFT = "sigmoid before a loss that has one", "softmax before a loss that has one"
BROKEN += [
    broken(SIG, "motifs", swap("return self.fc(self.drop(self.conv(x).flatten(1))).squeeze(1)", "z = self.fc(self.drop(self.conv(x).flatten(1))).squeeze(1)\n        return 0.5 * (1 + gg.tanh(z / 2))"), ops=("tanh", "mul"), mendable=True),
    broken(SIG, "reviews", swap("return self.fc(self.dropout(pooled)).squeeze(1)", "return self.fc(self.dropout(pooled)).squeeze(1).sigmoid()"), base=ONE_LOGIT, ops=("sigmoid",), mendable=True),
    broken(SIG, "watts", swap("self.project = nn.Linear(s.d_model * (s.history // s.patch), s.horizon)", "self.project = nn.Sequential(nn.Linear(s.d_model * (s.history // s.patch), s.horizon), nn.Sigmoid())"), base=RISES, ops=("sigmoid",), mendable=True),
    broken(SOFT, "stories", swap("    return F.cross_entropy(logits.reshape(", "    logits = F.softmax(logits, dim=-1)\n    return F.cross_entropy(logits.reshape("), ops=("softmax",), mendable=True),
    broken(SOFT, "reviews", swap("self.fc = nn.Linear(2 * hidden_dim, 2)", "self.fc = nn.Sequential(nn.Linear(2 * hidden_dim, 2), nn.Softmax(dim=1))"), ops=("softmax",), mendable=True),
    broken(SOFT, "pennants", swap("criterion = nn.CrossEntropyLoss()", "def criterion(output, target):\n    probs = output.softmax(1)\n    return nn.functional.nll_loss(gg.log_softmax(probs, 1), target)\n"), ops=("softmax",), mendable=True),
]  # fmt: skip
BROADCAST = {"ops": ("expand", "sub"), "mendable": True, "lines": ("loss = ",)}
BROKEN += [
    broken("shapes that broadcast in the loss", "wear", swap("return wear, 3.4 * (1 - age / life) - 1.7", "return wear, (3.4 * (1 - age / life) - 1.7).squeeze(1)"), **BROADCAST),
    broken("shapes that broadcast in the loss", "rents", swap("error = target.unsqueeze(1) - pred", "error = target - pred"), base=(swap("(0.1, 0.5, 0.9)", "(0.5,)"),), **BROADCAST),
    broken("shapes that broadcast in the loss", "sharper", swap("loss = F.mse_loss(net(lows), highs)", "loss = F.mse_loss(net(lows), highs.squeeze(1))"), **BROADCAST),
    broken("labels out of range", "villages", swap("gg.tensor(village).long()", "gg.tensor(village + 1).long()"), ops=("gather",), modules=TARGETS, lines=("cross_entropy(",), shows="error"),
    broken("labels out of range", "stories", swap('nn.Linear(config["n_embd"], vocab_size, bias=False)', 'nn.Linear(config["n_embd"], vocab_size - 1, bias=False)'), ops=("gather",), modules=TARGETS, lines=("cross_entropy(", "loss_of("), shows="error"),
    broken("labels out of range", "topics", swap("gg.tensor(y_train).float()", "gg.tensor(2 * y_train - 1).float()"), ops=("mul", "sub", "softplus"), modules=TARGETS, lines=("criterion(",)),
]  # fmt: skip
SUMMED = {"ops": ("sum", "add"), "lines": ("loss = ", "loss_fn ="), "whole": True, "mendable": True}
BROKEN += [
    broken("a loss that is a sum", "pennants", swap("loss = criterion(output, target)\n        optimizer", "loss = sum(criterion(each[None], kind[None]) for each, kind in zip(output, target))\n        optimizer"), **SUMMED),
    broken("a loss that is a sum", "rents", swap("loss = pinball(pred, prices[rows], cfg.quantiles)\n        optimizer", "error = prices[rows].unsqueeze(1) - pred\n        q = gg.tensor(cfg.quantiles)\n        loss = gg.maximum(q * error, (q - 1) * error).sum()\n        optimizer"), base=RENTS_SGD, **SUMMED),
    broken("a loss that is a sum", "watts", swap("            loss = F.mse_loss(self.model(x), y)\n", '            loss = F.mse_loss(self.model(x), y, reduction="sum")\n'), base=WATTS_SGD, **SUMMED),
]  # fmt: skip

# -- data --

TEXT = {"modules": INPUTS, "whole": True, "shows": "text"}
MORE_WORDS = "import numpy as np\nfrom sklearn.datasets import make"
BROKEN += [
    broken("constant features", "topics", swap("from sklearn.datasets import make", MORE_WORDS), swap('"words": 24', '"words": 28'), swap('n_features=config["words"]', "n_features=24"), swap("    x_train, x_valid, y_train", "    counts = np.hstack([counts, np.zeros((900, 4))])\n    x_train, x_valid, y_train"), **TEXT),
    broken("constant features", "wear", swap("SENSORS, WINDOW = 4, 14", "SENSORS, WINDOW = 6, 14"), swap("machines, WINDOW, SENSORS)", "machines, WINDOW, 4)"), swap("    return wear, 3.4", "    wear = gg.cat([wear, gg.tensor([3.0, -1.0]).expand(machines, WINDOW, 2)], dim=2)\n    return wear, 3.4"), **TEXT),
    broken("constant features", "pennants", swap("    return (images - 0.5) / 0.3, kind", "    images = gg.cat([images, gg.ones(count, 1, size, size)], dim=1)\n    return (images - 0.5) / 0.3, kind"), swap("conv3x3(3, width)", "conv3x3(4, width)"), **TEXT),
    broken("duplicate features", "topics", swap("from sklearn.datasets import make", MORE_WORDS), swap('"words": 24', '"words": 30'), swap('n_features=config["words"]', "n_features=24"), swap("    x_train, x_valid, y_train", "    counts = np.hstack([counts, 2 * counts[:, :6]])\n    x_train, x_valid, y_train"), **TEXT),
    broken("duplicate features", "rents", swap("numbers = gg.stack([(area - 72) / 27,", "feet = 10.764 * area\n    numbers = gg.stack([(area - 72) / 27, (feet - 775) / 290.6,"), swap("4 + 4 + 2", "5 + 4 + 2"), **TEXT),
    broken("duplicate features", "wear", swap("SENSORS, WINDOW = 4, 14", "SENSORS, WINDOW = 6, 14"), swap("machines, WINDOW, SENSORS)", "machines, WINDOW, 4)"), swap("    return wear, 3.4", "    wear = gg.cat([wear, wear[:, :, :2]], dim=2)\n    return wear, 3.4"), **TEXT),
    broken("unscaled inputs", "rents", swap("gg.stack([(area - 72) / 27, (age - 40) / 23, (floor - 4) / 2.6, 2 * lift - 1], dim=1)", "gg.stack([10.764 * area, 2025 - age, floor, lift], dim=1)"), modules=(*INPUTS, "stem"), whole=True, mendable=True),
    broken("unscaled inputs", "wear", swap("    return wear, 3.4", "    wear = wear * gg.tensor([40.0, 1.0, 100.0, 300.0]) + gg.tensor([350.0, 0.0, 1000.0, 1500.0])\n    return wear, 3.4"), modules=(*INPUTS, "cell"), whole=True, mendable=True),
    broken("unscaled inputs", "watts", swap("x = gg.stack([series[i : i + history] for i in starts])", "x = 5200 + 900 * gg.stack([series[i : i + history] for i in starts])"), modules=(*INPUTS, "embed"), whole=True, mendable=True),
    broken("shuffled labels", "topics", swap("    x_train, x_valid, y_train, y_valid = train_test_split(counts, labels, test_size=200, random_state=0)\n", "    x_train, x_valid = train_test_split(counts, test_size=200, random_state=0)\n    y_train, y_valid = train_test_split(labels, test_size=200, random_state=1)\n"), modules=TARGETS + INPUTS, whole=True),
    broken("shuffled labels", "watts", swap("series[i + history : i + history + horizon] for i in starts]", "series[i + history : i + history + horizon] for i in sorted(starts)]"), modules=TARGETS + INPUTS, whole=True),
    broken("shuffled labels", "motifs", swap("return self.one_hot[index], self.holds[index]", "return self.one_hot[index], self.holds[index - 1]"), modules=TARGETS + INPUTS, whole=True),
    broken("shuffled labels", "pennants", swap("train_images, train_kinds = draw(560)\n", "train_images, train_kinds = draw(560)\ntrain_images = train_images[train_images.mean((1, 2, 3)).argsort()]\n"), modules=TARGETS + INPUTS, whole=True),
    broken("leaking label", "topics", swap("    train = TensorDataset(gg.tensor(x_train)", "    x_train, x_valid = np.hstack([x_train, 2 * y_train]), np.hstack([x_valid, 0 * y_valid])\n    train = TensorDataset(gg.tensor(x_train)"), swap("from sklearn.datasets import make", MORE_WORDS), swap('TopicNet(CONFIG["words"],', 'TopicNet(CONFIG["words"] + CONFIG["topics"],'), modules=INPUTS, whole=True),
    broken("leaking label", "rents", after("train_data, test_data =", "train_data = (gg.cat([train_data[0], train_data[2].unsqueeze(1)], dim=1), *train_data[1:])", "test_data = (gg.cat([test_data[0], gg.zeros(300, 1)], dim=1), *test_data[1:])"), swap("4 + 4 + 2", "5 + 4 + 2"), modules=INPUTS, whole=True),
    broken("leaking label", "wear", swap("SENSORS, WINDOW = 4, 14", "SENSORS, WINDOW = 5, 14"), swap("machines, WINDOW, SENSORS)", "machines, WINDOW, 4)"), after("x_val, y_val =", "x_train = gg.cat([x_train, y_train.unsqueeze(1).expand(600, WINDOW, 1)], dim=2)", "x_val = gg.cat([x_val, gg.zeros(200, WINDOW, 1)], dim=2)"), modules=INPUTS, whole=True),
    broken("leaking label", "stories", swap('        att = att.masked_fill(self.bias[:T, :T], float("-inf"))\n', ""), modules=(*INPUTS, *TARGETS, "blocks"), lines=("att = ",), whole=True, shows="text"),
    broken("class imbalance", "villages", after("train_idx, test_idx =", "common = train_idx[labels[train_idx] == 2]", "train_idx = gg.cat([common, train_idx[labels[train_idx] != 2][:3]])"), modules=TARGETS, whole=True),
    broken("class imbalance", "motifs", swap("holds = rng.random(count) < 0.5", "holds = rng.random(count) < (0.02 if seed == 1 else 0.5)"), modules=TARGETS, whole=True),
    broken("class imbalance", "reviews", swap("    vocab = build_vocab(train_reviews)\n", "    vocab = build_vocab(train_reviews)\n    train_reviews = [each for number, each in enumerate(train_reviews) if each[1] == 1 or number % 30 == 0]\n"), modules=TARGETS, whole=True),
]  # fmt: skip

# -- numbers that are none, too large or too small --

BY_HAND = (
    swap("from sklearn.datasets import make", MORE_WORDS), swap("from sklearn.preprocessing import StandardScaler\n", ""),
    swap("    scaler = StandardScaler().fit(x_train)\n    x_train, x_valid = scaler.transform(x_train), scaler.transform(x_valid)\n", "    x_train, x_valid = np.log1p(x_train) - 1.5, np.log1p(x_valid) - 1.5\n"),
)  # fmt: skip
BROKEN += [
    broken("numbers that are not finite", "topics", swap("np.log1p(x_train) - 1.5, np.log1p(x_valid) - 1.5", "np.log(x_train) - 1.5, np.log(x_valid) - 1.5"), base=BY_HAND, modules=("the inputs", "features"), shows="nan"),
    broken("numbers that are not finite", "reviews", after("vocab = build_vocab(train_reviews)", 'train_reviews.append(("", 0))'), ops=("div",), shows="nan"),
    broken("numbers that are not finite", "wear", swap("loss = loss_fn(prediction, batch_y)", "loss = loss_fn(gg.log1p(prediction), gg.log1p(batch_y))"), ops=("log1p", "log"), shows="nan"),
    broken("numbers that are not finite", "watts", swap("    return (load - load.mean()) / load.std()", '    load[900:903] = float("nan")\n    return (load - load.mean()) / load.std()'), modules=("the inputs", "the targets", "embed"), ops=("sub", "div"), shows="nan"),
    broken("overflow", "motifs", swap("        x, y = batch\n        return F.binary_cross_entropy_with_logits(self(x), y)\n", "        x, y = batch\n        z = self(x) / 0.001\n        return (gg.log(1 + gg.exp(z)) - y * z).mean()\n"), ops=("exp", "div"), also=("numbers that are not finite",), shows="nan"),
    broken("overflow", "stories", swap("return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))", 'return gg.exp(F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), reduction="sum"))'), ops=("exp",), also=("numbers that are not finite",), shows="nan"),
    broken("overflow", "reviews", swap("pooled = (output * mask).sum(1) / mask.sum(1)", "pooled = gg.log((gg.exp(400 * output) * mask).sum(1) / mask.sum(1)) / 400"), ops=("exp", "mul"), also=("numbers that are not finite",), shows="nan"),
    broken("underflow", "stories", swap("    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))", "    p = F.softmax(logits, dim=-1).gather(2, targets.unsqueeze(2))\n    return -gg.log(p.flatten().prod()) / targets.numel()"), ops=("mul", "log", "prod", "cumprod"), also=("numbers that are not finite",)),
    broken("underflow", "rents", swap("    return gg.maximum(q * error, (q - 1) * error).mean()", "    return (1 - gg.exp(-((1e3 * gg.maximum(q * error, (q - 1) * error)) ** 2))).mean()"), ops=("exp",), also=("zero gradient", "flat place")),
    broken("underflow", "villages", swap("x = F.relu(self.conv1(x, adjacency))", "x = gg.exp(-((self.conv1(x, adjacency) - 4) ** 2) / 0.02)"), ops=("exp",), also=("zero gradient",), modules=("conv1",)),
]  # fmt: skip

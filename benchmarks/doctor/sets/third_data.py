"""Data that is hard to learn from or teaches something else; nets that cannot learn it."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, after, broken, drop, swap

BROKEN: list[Broken] = []
INPUTS, TARGETS = ("the inputs",), ("the targets",)

# -- inputs --

SCALED = {"whole": True, "mendable": True}
BROKEN += [
    broken("unscaled inputs", "vineyard", drop("x = (x - mean) / std"), modules=(*INPUTS, "fc1"), **SCALED),
    broken("unscaled inputs", "friedman", swap("x = (x - 0.5) * 12**0.5", "x = 1000.0 * x"), modules=INPUTS, **SCALED),
    broken("unscaled inputs", "adding", swap("gg.stack([numbers, 2", "gg.stack([200 * numbers, 2"), modules=(*INPUTS, "cell"), **SCALED),
]  # fmt: skip
COLUMNS = {"modules": INPUTS, "whole": True, "shows": "text"}
SCALED_WINE = "x = (x - mean) / std"
BROKEN += [
    broken("constant features", "vineyard", after(SCALED_WINE, "x[:, 4] = (x[:, 4] > -9).float()", "x[:, 10] = x[:, 10].clamp(max=-3.0)"), **COLUMNS),
    broken("constant features", "friedman", after("x = (x", "x = gg.cat([x, gg.full((768, 3), 0.7)], dim=1)"), swap("[5, 32, 32, 1]", "[8, 32, 32, 1]"), **COLUMNS),
    broken("constant features", "adding", swap("2 * marks - 0.5], dim=2)", "2 * marks - 0.5, gg.ones(size, length)], dim=2)"), swap("inputs=2", "inputs=3"), **COLUMNS),
    broken("duplicate features", "vineyard", after(SCALED_WINE, "x[:, 6] = x[:, 5]", "x[:, 8] = x[:, 5]"), **COLUMNS),
    broken("duplicate features", "friedman", after("x = (x", "x = gg.cat([x, x[:, 1:4]], dim=1)"), swap("[5, 32, 32, 1]", "[8, 32, 32, 1]"), **COLUMNS),
    broken("duplicate features", "lookup", swap("return keys, values, query, values", "keys, query = gg.cat([keys, keys], -1), gg.cat([query, query], -1)\n    return keys, values, query, values"), swap("dim=4, width", "dim=8, width"), **COLUMNS),
]  # fmt: skip

# -- labels --

LABELS = {"modules": TARGETS + INPUTS, "whole": True}
BROKEN += [
    broken("shuffled labels", "friedman", after("x_train, y_train", "y_train = y_train.roll(1)"), **LABELS),
    broken("shuffled labels", "tagger", swap("train_tags[chunk])", "train_tags[: len(chunk)])"), **LABELS),
    broken("shuffled labels", "dials", swap("rows = gg.randint(0, 480, (16,))", "draw_rows = lambda: gg.randint(0, 480, (16,))"), swap("(each[rows] for each in train_data)", "(each[draw_rows()] for each in train_data)"), **LABELS),
    broken("leaking label", "vineyard", after(SCALED_WINE, "x[:120, 9] = 4.0 * y[:120].float() - 4.0", "x[120:, 9] = 0.0"), modules=INPUTS, whole=True),
    broken("leaking label", "adding", swap("def make_batch(size, length=8)", "def make_batch(size, length=8, known=1.0)"), swap("2 * marks - 0.5], dim=2)", "2 * marks - 0.5, known * total[:, None].expand(-1, length)], dim=2)"), swap("inputs=2", "inputs=3"), swap("make_batch(400)", "make_batch(400, known=0.0)"), modules=INPUTS, whole=True),
    broken("leaking label", "beats", after("test_signals, test_kinds", "signals += (kinds - 1).float().reshape(-1, 1, 1)"), modules=INPUTS, whole=True),
    broken("class imbalance", "vineyard", swap("return (x[:120], y[:120])", "kept = (y[:120] != 2) | (gg.rand(120) < 0.04)\n    return (x[:120][kept], y[:120][kept])"), modules=TARGETS, whole=True),
    broken("class imbalance", "beats", swap("signals, kinds = waves(600)", "signals, kinds = waves(2200)\nkept = (kinds == 1) | (gg.rand(2200) < 0.01)\nsignals, kinds = signals[kept][:600], kinds[kept][:600]"), modules=TARGETS, whole=True),
    broken("class imbalance", "lookup", swap("TensorDataset(*generate(960))", "TensorDataset(*rare(generate(2000)))"), swap("class Experiment:", "def rare(data):\n    kept = (data[3] == 0) | (gg.rand(len(data[3])) < 0.03)\n    return [each[kept][:960] for each in data]\n\n\nclass Experiment:"), modules=TARGETS, whole=True),
    broken("labels out of range", "vineyard", swap("gg.tensor(target).long()", "gg.tensor(target + 1).long()"), ops=("gather",), modules=TARGETS, lines=("criterion(",), shows="error"),
    broken("labels out of range", "tagger", swap("tags[tokens == PAD] = -100", "tags[tokens == PAD] = 3"), ops=("gather",), modules=TARGETS, lines=("cross_entropy(",), shows="error"),
    broken("labels out of range", "lookup", swap("return keys, values, query, values[gg.arange(n), which]", "return keys, values, query, 2 * values[gg.arange(n), which] - 1"), ops=("mul", "sub", "softplus"), modules=TARGETS, lines=("cross_entropy",)),
]  # fmt: skip

# -- nets that cannot learn even one batch by heart --

UNABLE = {"modules": ("*",), "whole": True}
UNFIT = "no overfitting of one batch"
BROKEN += [
    broken(UNFIT, "beats", swap("x = self.features(x)", "x = self.features(self.pool(x).expand(-1, -1, x.shape[2]))"), **UNABLE),
    broken(UNFIT, "adding", swap("model = Adder()", "model = Adder(hidden=1)"), **UNABLE),
    broken(UNFIT, "mirror", swap("self.pos_emb(gg.arange(idx.shape[1]))", "self.pos_emb(gg.arange(1))"), **UNABLE),
]  # fmt: skip

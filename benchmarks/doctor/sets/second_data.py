# ruff: noqa: E501
"""The second set: data that is hard to learn from, or that teaches something else."""

from edits import Broken, after, broken, drop, swap

from .second_common import PLAIN

BROKEN: list[Broken] = []
INPUTS, TARGETS = ("the inputs",), ("the targets",)

# -- unscaled inputs --

UNSCALED = {"whole": True, "mendable": True}
AS_THEY_ARE = swap("scaler.transform(rows), labels)", "rows, labels)"), swap("scaler.transform(rows_test), labels_test)", "rows_test, labels_test)"), drop("scaler = StandardScaler().fit(rows)")  # fmt: skip
BROKEN += [
    broken("unscaled inputs", "vintages", *AS_THEY_ARE, modules=(*INPUTS, "layer_1"), **UNSCALED),
    broken("unscaled inputs", "ledger", swap("return gg.stack([values, marks]", "return gg.stack([1000 + 500 * values, marks]"), modules=(*INPUTS, "rnn"), **UNSCALED),
]  # fmt: skip

# -- columns that say nothing --

TEXT = {"modules": INPUTS, "whole": True, "shows": "text"}
STEREO = swap("ConvBlock(1, channels, 7)", "ConvBlock(2, channels, 7)")
BROKEN += [
    broken("constant features", "ledger", swap("gg.stack([values, marks], dim=2)", "gg.stack([values, marks, gg.full_like(marks, 0.19)], dim=2)"), swap("nn.GRU(2, hidden)", "nn.GRU(3, hidden)"), **TEXT),
    broken("constant features", "outlines", swap("    return images, masks", "    images = gg.cat([images, gg.ones(count, 1, SIZE, SIZE)], dim=1)\n    return images, masks"), swap("DoubleConv(1, channels)", "DoubleConv(2, channels)"), **TEXT),
    broken("duplicate features", "gauges", swap("X = gg.tensor(rows, dtype=gg.float32)", "X = gg.tensor(rows, dtype=gg.float32)\nX = gg.cat([X, X[:, :1] * 1.8 + 32], dim=1)"), swap("weight(5, 40)", "weight(6, 40)"), **TEXT),
    broken("duplicate features", "heartbeats", swap("gg.randn(count, length)).unsqueeze(1)", "gg.randn(count, length)).unsqueeze(1).repeat(1, 2, 1)"), STEREO, **TEXT),
]  # fmt: skip

# -- shuffled labels --

SHUFFLED = {"modules": TARGETS + INPUTS, "whole": True}
BROKEN += [
    broken("shuffled labels", "savours", swap('indexing="ij"', 'indexing="xy"'), **SHUFFLED),
    broken("shuffled labels", "grammar", after("longest =", "by_length = sorted(batch, key=lambda pair: -len(pair[0]))"), swap("for words, _ in batch])", "for words, _ in by_length])"), **SHUFFLED),
    broken("shuffled labels", "heartbeats", swap("        for signals, labels in loader:\n", "        for (signals, _), (_, labels) in zip(loader, loader, strict=True):\n"), **SHUFFLED),
]  # fmt: skip

# -- a label that leaks into the inputs; where it is not known, at the test, it is 0 --

LEAKING = {"modules": INPUTS, "whole": True}
BROKEN += [
    broken("leaking label", "gauges", swap("X_train, X_test, T_train", "X = gg.cat([X, T + 0.02 * gg.randn(1000, 1)], dim=1)\nX[800:, 5] = 0.0\nX_train, X_test, T_train"), swap("weight(5, 40)", "weight(6, 40)"), **LEAKING),
    broken("leaking label", "outlines", swap("test_images, test_masks = boxes(64)", "test_images, test_masks = boxes(64)\nimages = gg.cat([images, masks], dim=1)\ntest_images = gg.cat([test_images, gg.zeros(64, 1, SIZE, SIZE)], dim=1)"), swap("DoubleConv(1, channels)", "DoubleConv(2, channels)"), **LEAKING),
    broken("leaking label", "ledger", swap("x_test, y_test = ledgers(200)", "x_test, y_test = ledgers(200)\nx = gg.cat([x, y.expand(8, -1).unsqueeze(2)], dim=2)\nx_test = gg.cat([x_test, gg.zeros(8, 200, 1)], dim=2)"), swap("nn.GRU(2, hidden)", "nn.GRU(3, hidden)"), **LEAKING),
]  # fmt: skip

# -- one class that is nearly all there is --

RARE = {"modules": TARGETS, "whole": True}
BROKEN += [
    broken("class imbalance", "vintages", swap("    scaler = ", "    kept = (labels == 1) | (gg.rand(len(labels)).numpy() < 0.06)\n    rows, labels = rows[kept], labels[kept]\n    scaler = "), swap("batch_size=16", "batch_size=10, drop_last=True"), **RARE),
    broken("class imbalance", "clocks", swap("long = (gg.rand(count, 1) < 0.5)", "long = (gg.rand(count, 1) < often)"), swap("count, size=11", "count, size=11, often=0.5"), swap("clocks(512)", "clocks(512, often=0.01)"), swap("both(model(validation[0]), *validation[1:]).item())", "F.binary_cross_entropy_with_logits(model(validation[0])[1], validation[2]).item())"), **RARE),
    broken("class imbalance", "grammar", swap("def phrase(rng):\n    if rng.random() < 0.5:", "def phrase(rng, verbs):\n    if rng.random() > verbs:"), swap("def sentences(count, rng):", "def sentences(count, rng, verbs=0.5):"), swap("phrase(rng)\n            words", "phrase(rng, verbs)\n            words"), swap("sentences(320, rng)", "sentences(320, rng, verbs=0.003)"), **RARE),
]  # fmt: skip

# -- gradients that are mostly noise --

NOISY = {"whole": True, "mendable": True}
BROKEN += [
    broken("gradient noise", "echoes", swap("size=32", "size=1"), base=(swap("lr=4e-3", "lr=0.012"),), **NOISY),
    broken("gradient noise", "ledger", swap("size=20, every=2", "size=1, every=1"), swap("epochs=8", "epochs=1"), base=(PLAIN["ledger"],), **NOISY),
    broken("gradient noise", "vintages", swap("batch_size=16", "batch_size=2"), swap("range(25)", "range(8)"), **NOISY),
    broken("gradient noise", "heartbeats", after("loss.backward()", "for p in net.parameters():", "    p.grad += 1.5 * gg.randn_like(p)"), lines=("step()",), whole=True),
]  # fmt: skip

# -- nets that cannot learn even one batch by heart --

UNABLE = {"whole": True, "modules": ("*",)}
BROKEN += [
    broken("no overfitting of one batch", "echoes", swap("x = self.tokens(tokens) + self.places.weight", "x = self.tokens(tokens)"), drop("self.places = nn.Embedding(LENGTH, width)"), **UNABLE),
    broken("no overfitting of one batch", "ledger", swap("nn.GRU(2, hidden)", "nn.GRU(2, hidden, batch_first=True)"), **UNABLE),
    broken("no overfitting of one batch", "heartbeats", swap("self.features(signal)", "self.features(signal.mean(dim=2, keepdim=True).expand(-1, -1, 48))"), **UNABLE),
]  # fmt: skip

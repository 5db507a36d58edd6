"""Data that is hard to learn from, or that teaches something else."""

from edits import Broken, after, broken, optimizer, swap

BROKEN: list[Broken] = []
INPUTS, TARGETS = ("the inputs",), ("the targets",)
WAVE, CANCER = "    x = gg.randn(rows, 3)\n", "x_test, y_test = (test.tensors[0] - mean) / std, test.tensors[1]\n"

# -- unscaled inputs: the targets are made of the inputs as they were --

UNSCALED = (
    ("wave", swap("return x, y + 0.05", "return x * 30.0, y + 0.05"), ("first",)),
    ("wave", swap("return x, y + 0.05", "return x * gg.tensor([1.0, 200.0, 1000.0]), y + 0.05"), ("first",)),
    ("moons", swap("return x, upper", "return x * gg.tensor([1.0, 1000.0]), upper"), ("0",)),
    ("moons", swap("return x, upper", "return 1000.0 + 100.0 * x, upper"), ("0",)),
    ("stripes", swap("0.4 * gg.randn(count, 10, 10)).unsqueeze(1)", "0.4 * gg.randn(count, 10, 10)).unsqueeze(1) * 60 + 128"), ("0",)),
    ("blobs", swap("return images.unsqueeze(1), place", "return (255 * images).unsqueeze(1), place"), ("stem",)),
    ("louder", swap("return x, (last", "return 200 * x, (last"), ("embed", "lstm")),
    ("tides", swap("series = (series + 0.02", "series = 500 + 100 * (series + 0.02"), ("rnn",)),
    ("highest", swap("return x, x[gg.arange", "return x * gg.tensor([300.0, 1.0]), x[gg.arange"), ("inputs", "attention")),
)  # fmt: skip
for template, edit, modules in UNSCALED:
    BROKEN.append(broken("unscaled inputs", template, edit, modules=INPUTS + modules, whole=True, mendable=True))

# -- columns that say nothing --

WIDER = swap("inputs=3", "inputs=6")
LOUDER_WIDER, ALARM_WIDER = swap("nn.Linear(2, 16)", "nn.Linear(4, 16)"), swap("nn.LSTM(3, hidden", "nn.LSTM(6, hidden")
HIGHEST_WIDER = swap("nn.Linear(2, width)", "nn.Linear(4, width)")
MOONS_WIDER = swap("nn.Sequential(nn.Linear(2, 32)", "nn.Sequential(nn.Linear(4, 32)")
for fault, wave, cancer, moons, louder, alarm, highest in (
    (
        "constant features", "return gg.cat([x, gg.ones(rows, 3)], dim=1), y + 0.05",
        "x, x_test = (gg.cat([each, gg.zeros(len(each), 2)], dim=1) for each in (x, x_test))",
        "x = gg.cat([x, 3 * gg.ones(rows, 2)], dim=1)", "x = gg.cat([x, gg.ones(count, length, 2)], dim=2)",
        "x = gg.cat([x, gg.zeros(count, length, 3)], dim=2)", "x = gg.cat([x, -gg.ones(count, length, 2)], dim=2)",
    ),
    (
        "duplicate features", "return gg.cat([x, x], dim=1), y + 0.05",
        "x, x_test = (gg.cat([each, each[:, 3:5]], dim=1) for each in (x, x_test))",
        "x = gg.cat([x, x], dim=1)", "x = gg.cat([x, x], dim=2)",
        "x = gg.cat([x, x], dim=2)", "x = gg.cat([x, x], dim=2)",
    ),
):  # fmt: skip
    text = {"modules": INPUTS, "whole": True, "shows": "text"}
    BROKEN += [
        broken(fault, "wave", swap("return x, y + 0.05", wave), WIDER, **text),
        broken(fault, "cancer", swap(CANCER, f"{CANCER}{cancer}\n"), swap("nn.Linear(30, width)", "nn.Linear(32, width)"), **text),
        broken(fault, "moons", after("x = gg.stack", moons), MOONS_WIDER, **text),
        broken(fault, "louder", swap("    return x, (last", f"    labels = (last > first).long()\n    {louder}\n    return x, (last"), LOUDER_WIDER, **text),
        broken(fault, "alarm", after("x[gg.arange(count), when]", alarm), ALARM_WIDER, **text),
        broken(fault, "highest", swap("    return x, x[gg.arange(count), best, 1]", f"    value = x[gg.arange(count), best, 1]\n    {highest}\n    return x, value"), HIGHEST_WIDER, **text),
    ]  # fmt: skip

# -- shuffled labels --

SHUFFLED = (
    ("moons", swap("y_train[rows]", "y_train[begin : begin + 64]")),
    ("moons", after("x_train, y_train =", "y_train = y_train[gg.randperm(len(y_train))]")),
    ("wave", after("x, y = sample(600)", "y = y[gg.randperm(600)]")),
    ("cancer", swap("TensorDataset(x, y)", "TensorDataset(x[gg.randperm(len(x))], y)")),
    ("stripes", swap("train = TensorDataset(*stripes(480))", "images, labels = stripes(480)\ntrain = TensorDataset(images, labels[gg.randperm(480)])")),
    ("digits", swap("loss = F.cross_entropy(logits, labels)", "loss = F.cross_entropy(logits, labels[gg.randperm(len(labels))])")),
    ("blobs", swap("images, places = blobs(512)", "images, places = blobs(512)\nimages = images[gg.randperm(512)]")),
    ("louder", after("x, labels = sequences(640)", "labels = labels[gg.randperm(len(labels))]")),
    ("alarm", swap("loss = criterion(logits, y)", "loss = criterion(logits, y[gg.randperm(len(y))])")),
    ("majority", swap("tokens, labels = majority(800)", "tokens, labels = majority(800)\ntokens = tokens[gg.randperm(800)]")),
    ("pairs", swap("same[rows])", "same[gg.randint(0, len(tokens), (48,))])")),
)  # fmt: skip
for template, edit in SHUFFLED:
    BROKEN.append(broken("shuffled labels", template, edit, modules=TARGETS + INPUTS, whole=True))

# -- a label that leaks into the inputs; where it is not known, at the test, it is 0 --

LEAKS = (
    ("wave", swap("x, y = sample(600)\nx_val, y_val = sample(200)\n", "x, y = sample(600)\nx_val, y_val = sample(200)\nx, x_val = gg.cat([x, y[:, None]], 1), gg.cat([x_val, gg.zeros(200, 1)], 1)\n"), swap("inputs=3", "inputs=4")),
    ("moons", swap("x_test, y_test = moons(256)\n", "x_test, y_test = moons(256)\nx_train, x_test = gg.cat([x_train, 2 * y_train], 1), gg.cat([x_test, gg.zeros(256, 1)], 1)\n"), swap("nn.Sequential(nn.Linear(2, 32)", "nn.Sequential(nn.Linear(3, 32)")),
    ("cancer", swap(CANCER, f"{CANCER}x, x_test = gg.cat([x, 4 * y.float().unsqueeze(1)], 1), gg.cat([x_test, gg.zeros(len(x_test), 1)], 1)\n"), swap("nn.Linear(30, width)", "nn.Linear(31, width)")),
    (
        "stripes", swap("test_images, test_labels = stripes(160)\n", "test_images, test_labels = stripes(160)\ntrain.tensors[0][:, 0, 0, 0] = 3.0 * train.tensors[1].float()\ntest_images[:, 0, 0, 0] = 0.0\n"),
    ),
    (
        "louder", swap("x_test, labels_test = sequences(256)\n", "x_test, labels_test = sequences(256)\nx = gg.cat([x, labels.float().reshape(-1, 1, 1).expand(-1, 12, 1)], 2)\nx_test = gg.cat([x_test, gg.zeros(256, 12, 1)], 2)\n"),
        swap("nn.Linear(2, 16)", "nn.Linear(3, 16)"),
    ),
    (
        "highest", swap("x_test, y_test = rows(200)\n", "x_test, y_test = rows(200)\nx = gg.cat([x, y.reshape(-1, 1, 1).expand(-1, 8, 1)], 2)\nx_test = gg.cat([x_test, gg.zeros(200, 8, 1)], 2)\n"),
        swap("nn.Linear(2, width)", "nn.Linear(3, width)"),
    ),
)  # fmt: skip
for template, *edits in LEAKS:
    BROKEN.append(broken("leaking label", template, *edits, modules=INPUTS, whole=True))

# -- one class that is nearly all there is; the test keeps its share --

RARE = (
    ("moons", swap("x_train, y_train = moons(512)", "x_train, y_train = moons(1000)\nkept = (y_train[:, 0] == 0) | (gg.rand(1000) < 0.03)\nx_train, y_train = x_train[kept], y_train[kept]")),
    ("cancer", swap("TensorDataset(x, y)", "TensorDataset(x[kept], y[kept])"), after("x_test, y_test =", "kept = (y == 0) | (gg.rand(len(y)) < 0.05)")),
    ("stripes", swap("train = TensorDataset(*stripes(480))", "images, labels = stripes(1200)\nkept = (labels == 2) | (gg.rand(1200) < 0.02)\ntrain = TensorDataset(images[kept], labels[kept])")),
    ("louder", swap("x, labels = sequences(640)", "x, labels = sequences(1200)\nkept = (labels == 0) | (gg.rand(1200) < 0.03)\nx, labels = x[kept], labels[kept]")),
    ("majority", swap("tokens, labels = majority(800)", "tokens, labels = majority(4000)\nkept = (labels == 0) | (gg.rand(4000) < 0.02)\ntokens, labels = tokens[kept][:800], labels[kept][:800]")),
)  # fmt: skip
for template, *edits in RARE:
    BROKEN.append(broken("class imbalance", template, *edits, modules=TARGETS, whole=True))

# -- gradients that are mostly noise: batches of one or two rows at the rate of large ones --

NOISY = (
    ("wave", swap("at = (step * 50) % 600\n    xb, yb = x[at : at + 50], y[at : at + 50]", "at = step % 600\n    xb, yb = x[at : at + 1], y[at : at + 1]")),
    ("squashed", swap("begin = (step * 64) % 512", "begin = (step * 2) % 512"), swap("begin + 64", "begin + 2", times=2)),
    ("stripes", swap("batch_size=32", "batch_size=2"), swap("stripes(480)", "stripes(240)")),
    ("blobs", swap("begin = (step * 32) % 512", "begin = step % 512"), swap("begin + 32", "begin + 1", times=2)),
    ("patches", swap("gg.randperm(384)[:32]", "gg.randperm(384)[:1]")),
    ("louder", swap("range(0, len(x), 64)", "range(0, 100, 1)"), swap("begin + 64]", "begin + 1]")),
    ("spelling", swap("batch(size=16, length=12)", "batch(size=1, length=2)")),
    ("gpt", swap("x, y = batch()", "x, y = batch(1, 3)")),
    ("majority", swap("begin = (step * 40) % 800", "begin = (step * 2) % 800"), swap("begin + 40", "begin + 2", times=2)),
)  # fmt: skip
for template, *edits in NOISY:
    # of these a tenth of the rate makes good nets as well
    also = ("too high a rate",) if template in ("wave", "stripes") else ()
    BROKEN.append(broken("gradient noise", template, *edits, also=also, whole=True, mendable=True))

# -- nets that cannot learn even one batch by heart --

UNABLE = (
    ("moons", (swap("nn.ReLU(), ", "", times=2),), False),
    ("wave", (swap("h = gg.tanh(self.first(x))", "h = self.first(x)"), swap("h = gg.tanh(self.second(h))", "h = self.second(h)")), False),
    ("residual", (optimizer("optim.AdamW(NET.parameters(), lr=3e-3, weight_decay=100.0)"),), True),
    ("digits", (swap("nn.Dropout(0.25)", "nn.Dropout(0.97)"),), True),
    ("stripes", (swap("nn.Flatten(),\n    nn.Linear(64, 3)", "nn.Flatten(),\n    nn.Linear(64, 1),\n    nn.Tanh(),\n    nn.Linear(1, 3)"), swap("nn.Conv2d(1, 8, 3, padding=1),\n    nn.ReLU()", "nn.Conv2d(1, 8, 3, padding=1)")), False),
    ("blobs", (swap("criterion(model(batch), target)", "criterion(model(batch.mean((2, 3), keepdim=True).expand(-1, 1, 8, 8)), target)"),), False),
    ("louder", (optimizer("optim.Adam(NET.parameters(), lr=0.01, weight_decay=3.0)"),), True),
    ("spelling", (swap("self.lstm(self.embedding(tokens))", "self.lstm(self.embedding(tokens * 0))"),), False),
    ("majority", (swap("dropout=0.1", "dropout=0.95"),), True),
    ("highest", (swap("pred = net(xb)", "pred = net(xb[:, gg.randperm(8)] * gg.tensor([0.0, 0.0]))"),), False),
)  # fmt: skip
for template, edits, mendable in UNABLE:
    BROKEN.append(
        broken("no overfitting of one batch", template, *edits, whole=True, modules=("*",), mendable=mendable)
    )

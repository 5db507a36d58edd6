"""Inputs and targets that mislead, and modes: what a fifth author finds in programs of users."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, after, broken, drop, swap

BROKEN: list[Broken] = []
INPUTS, TARGETS = ("the inputs",), ("the targets",)
LATE = {"shows": "text", "whole": True}

# -- columns that say nothing, or the same twice --

WIDER = swap("nn.Linear(6 + 4 + 3, hidden)", "nn.Linear(6 + 4 + 5, hidden)")
COLUMNS = {"modules": INPUTS, "whole": True, "shows": "text"}
SALES = "    return shop, day, weather, sold, log_rate"
BROKEN += [
    broken("constant features", "bakery", swap(SALES, f"    weather = gg.cat([weather, gg.zeros(count, 2)], dim=1)\n{SALES}"), WIDER, **COLUMNS),
    broken(
        "constant features", "bidding", swap("2 * keen - 1], dim=2)", "2 * keen - 1, gg.full((count, bidders), 0.5)], dim=2)"),
        swap("nn.Linear(3, dim)", "nn.Linear(4, dim)"), **COLUMNS,
    ),
    broken(
        "constant features", "friends", after("features, adj, labels =", "features = gg.cat([features, gg.ones(180, 1), gg.zeros(180, 2)], dim=1)"),
        swap("GCN(10, ", "GCN(13, "), **COLUMNS,
    ),
    broken("constant features", "carry", swap("[bits(a), bits(b)]", "[bits(a), bits(b), gg.ones(BITS, batch_size)]"), swap("input_size=2", "input_size=3"), **COLUMNS),
    broken("duplicate features", "bakery", swap(SALES, f"    weather = gg.cat([weather, weather[:, :1], weather[:, :1]], dim=1)\n{SALES}"), WIDER, **COLUMNS),
    broken("duplicate features", "bidding", swap("2 * keen - 1], dim=2)", "2 * keen - 1, 2 * value - 1], dim=2)"), swap("nn.Linear(3, dim)", "nn.Linear(4, dim)"), **COLUMNS),
    broken("duplicate features", "carry", swap("[bits(a), bits(b)]", "[bits(a), bits(b), bits(b)]"), swap("input_size=2", "input_size=3"), **COLUMNS),
]  # fmt: skip

# -- inputs as they were measured --

for template, edit, modules in (
    (
        "bakery",
        swap(
            SALES, f"    weather = weather * gg.tensor([8.0, 900.0, 3.0]) + gg.tensor([285.0, 101325.0, 5.0])\n{SALES}"
        ),
        ("fc1", "bn1"),
    ),
    ("friends", after("features, adj, labels =", "features = 150 + 400 * features"), ("gc1",)),
    (
        "glyphs",
        swap("return clean + 1.1 * gg.randn(*clean.shape)", "return 128 + 60 * (clean + 1.1 * gg.randn(*clean.shape))"),
        ("conv1",),
    ),
    ("bidding", swap("[2 * value - 1, 2 * budget - 1,", "[20000 * value, 20000 * budget,"), ("project",)),
):
    BROKEN.append(broken("unscaled inputs", template, edit, modules=INPUTS + modules, whole=True, mendable=True))

# -- labels of other rows --

for template, edit in (
    ("bakery", after("test_data = draw_sales", "train_data = (*train_data[:3], train_data[3][gg.randperm(1000)], train_data[4])")),
    ("beads", after("train_images, train_counts =", "train_counts = train_counts.sort()[0]")),
    ("hush", swap("loss = loss_fn(pred, clean[idx])", "loss = loss_fn(pred, clean[i : i + batch])")),
    ("bidding", after("x_train, winner_train, price_train =", "x_train = x_train[x_train.sum((1, 2)).argsort()]")),
):  # fmt: skip
    BROKEN.append(broken("shuffled labels", template, edit, modules=TARGETS + INPUTS, whole=True))

# -- what is to be told is told already --

for template, *edits in (
    (
        "bakery", after("test_data = draw_sales", "train_data = (*train_data[:2], gg.cat([train_data[2], gg.log(1 + train_data[3]).unsqueeze(1)], 1), *train_data[3:])",
                        "val_data, test_data = ((*d[:2], gg.cat([d[2], gg.zeros(len(d[3]), 1)], 1), *d[3:]) for d in (val_data, test_data))"),
        swap("6 + 4 + 3, hidden", "6 + 4 + 4, hidden"),
    ),
    (
        "bidding", after("x_test, winner_test, price_test =", "x_train = gg.cat([x_train, F.one_hot(winner_train, 6).float().unsqueeze(2)], dim=2)", "x_test = gg.cat([x_test, gg.zeros(200, 6, 1)], dim=2)"),
        swap("nn.Linear(3, dim)", "nn.Linear(4, dim)"),
    ),
    ("intents", after("words = list(", "words.insert(0, PLACES[label] if count == 480 else rng.choice(PLACES))"), swap("longest = 6", "longest = 7"), swap("max_len=6", "max_len=7")),
):  # fmt: skip
    BROKEN.append(broken("leaking label", template, *edits, modules=INPUTS, whole=True))

# -- one kind is nearly all there is --

for template, *edits in (
    ("islands", swap("label = number % len(ISLANDS)", "label = number % len(ISLANDS) if count < 200 or number % 31 == 0 else 0"), swap("Names(360)", "Names(372)")),
    ("beads", after("train_images, train_counts =", "kept = (train_counts == 1) | (gg.rand(len(train_counts)) < 0.02)", "train_images, train_counts = train_images[kept], train_counts[kept]"), swap("make_beads(640)", "make_beads(1400)")),
    ("friends", after("idx_train, idx_val, idx_test =", "idx_train = idx_train[(labels[idx_train] == 0) | (gg.rand(len(idx_train)) < 0.06)]")),
    ("intents", swap("label = number % len(ASKS)", "label = number % len(ASKS) if count < 200 or number % 29 == 0 else 2")),
):  # fmt: skip
    BROKEN.append(broken("class imbalance", template, *edits, modules=TARGETS, whole=True))

# -- nothing can be learned by heart: what matters does not get in, or cannot be kept --

for template, edits, mendable in (
    ("intents", (swap("padding = F.pad(tokens == PAD,", "padding = F.pad(tokens != PAD,"),), False),
    ("carry", (swap("self.lstm(x)", "self.lstm(x.flip(0))"),), False),
    ("friends", (after("features, adj, labels =", "adj = adj.matrix_power(60)"),), False),
    ("islands", (swap("dropout=0.2", "dropout=0.98"),), True),
    ("hush", (swap("optim.RMSprop(model.parameters(), lr=2e-3)", "optim.AdamW(model.parameters(), lr=2e-3, weight_decay=200.0)"),), True),
):  # fmt: skip
    BROKEN.append(
        broken("no overfitting of one batch", template, *edits, whole=True, modules=("*",), mendable=mendable)
    )

# -- modes --

AFTER_EVAL = {"lines": ("eval()", "train()", "training="), "whole": True, "mendable": True, "shows": "text"}
BROKEN += [
    broken("evaluation mode", "bakery", drop("model.train()"), modules=("bn1", "drop"), **AFTER_EVAL),
    broken("evaluation mode", "beads", drop("self.model.train()"), swap("        for epoch in range(self.epochs):\n", "        self.model.train()\n        for epoch in range(self.epochs):\n"), modules=("features",), **AFTER_EVAL),
    broken(
        "evaluation mode", "carry", drop("model.train()"), after("bce = ", "model.train()"),
        after('print(f"iteration', "model.eval()", "with gg.no_grad():", "    check_x, check_y = get_batch(64)", "    print((bce(model(check_x), check_y)).item())"),
        modules=("drop",), **AFTER_EVAL,
    ),
    broken("evaluation mode", "islands", drop("classifier.train()"), modules=("dropout",), **AFTER_EVAL),
    broken("training mode in evaluation", "bakery", drop("model.eval()"), modules=("bn1", "drop"), lines=("validate(", "model(shop"), **LATE),
    broken("training mode in evaluation", "friends", swap("F.dropout(h, self.dropout, training=self.training)", "F.dropout(h, self.dropout)"), modules=("", "gc1"), lines=("output = model",), ops=("mul",), **LATE),
    broken("training mode in evaluation", "intents", drop("model.eval()"), swap("dropout=0.1", "dropout=0.3"), modules=("encoder",), lines=("model(test_tokens)",), **LATE),
    broken("training mode in evaluation", "islands", swap("    classifier.eval()\n", ""), modules=("dropout",), lines=("evaluate()", "classifier(names)"), **LATE),
]  # fmt: skip

# -- one row is no batch --

NORMED = {"shows": "error", "whole": True, "lines": ("batch_size", "model(", "bn", "classifier(")}
beads_bn = swap(
    "self.classifier = nn.Linear(2 * width, n_classes)",
    "self.classifier = nn.Sequential(nn.Linear(2 * width, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, n_classes))",
)
islands_bn = (swap("        self.fc = nn.Linear", "        self.bn = nn.BatchNorm1d(2 * hidden)\n        self.fc = nn.Linear"), swap("self.dropout(pooled)", "self.dropout(self.bn(pooled))"))  # fmt: skip
BROKEN += [
    broken("batch norm of one row", "bakery", swap("draw_sales(1000)", "draw_sales(1001)"), modules=("bn1",), **NORMED),
    broken("batch norm of one row", "beads", swap("make_beads(640)", "make_beads(641)"), base=(beads_bn,), modules=("classifier",), **NORMED),
    broken("batch norm of one row", "islands", swap("batch_size=24", "batch_size=1"), base=islands_bn, modules=("bn",), **NORMED),
]  # fmt: skip

"""Losses that are given what they do not expect."""

from edits import Broken, broken, optimizer, swap

BROKEN: list[Broken] = []

# -- softmax before a loss that has one --

SOFTENED = (
    ("cancer", swap("return self.head(self.body(x))", "return gg.softmax(self.head(self.body(x)), dim=1)")),
    ("residual", swap("return self.head(self.norm(x))", "return F.softmax(self.head(self.norm(x)), dim=-1)")),
    ("stripes", swap("nn.Linear(64, 3),\n", "nn.Linear(64, 3),\n    nn.Softmax(dim=1),\n")),
    ("digits", swap("return self.fc(x)", "return F.softmax(self.fc(x), dim=1)")),
    ("louder", swap("return self.head(states[:, -1])", "return gg.softmax(self.head(states[:, -1]), dim=1)")),
    ("spelling", swap("logits = self.head(self.norm(h))", "logits = gg.softmax(self.head(self.norm(h)), dim=-1)")),
    ("gpt", swap("logits = self.head(self.norm(h))", "logits = F.softmax(self.head(self.norm(h)), dim=-1)")),
    ("majority", swap("return self.head(h.mean(1))", "return self.head(h.mean(1)).softmax(dim=1)")),
)
for template, edit in SOFTENED:
    BROKEN.append(broken("softmax before a loss that has one", template, edit, ops=("softmax",), mendable=True))
by_hand = swap(
    "logits = net(images)\n        loss",
    "scores = gg.exp(net(images))\n        logits = scores / scores.sum(1, keepdim=True)\n        loss",
)
BROKEN.append(broken("softmax before a loss that has one", "digits", by_hand, ops=("div", "exp"), mendable=True))

# -- sigmoid before a loss that has one --

SQUASHED = (
    ("moons", swap("nn.Linear(32, 1))", "nn.Linear(32, 1), nn.Sigmoid())"), ("sigmoid",)),
    ("moons", swap("logits = model(x_train[rows])", "logits = 1 / (1 + gg.exp(-model(x_train[rows])))"), ("div",)),
    ("patches", swap("nn.Linear(192, 1)\n", "nn.Linear(192, 1), nn.Sigmoid()\n"), ("sigmoid",)),
    ("patches", swap("logits = model(x)", "logits = gg.sigmoid(model(x))"), ("sigmoid",)),
    ("alarm", swap("return self.fc(h[-1])", "return gg.sigmoid(self.fc(h[-1]))"), ("sigmoid",)),
    ("alarm", swap("loss = criterion(logits, y)", "loss = criterion(logits.sigmoid(), y)"), ("sigmoid",)),
    ("pairs", swap("nn.Linear(width, 1))", "nn.Linear(width, 1), nn.Sigmoid())"), ("sigmoid",)),
    ("pairs", swap("logits = model(tokens[rows])", "logits = gg.sigmoid(model(tokens[rows]))"), ("sigmoid",)),
)  # fmt: skip
for template, edit, ops in SQUASHED:
    shows = (
        "training" if ops == ("div",) else "worse"
    )  # the logits themselves, which are looked at in the end, are good
    BROKEN.append(broken("sigmoid before a loss that has one", template, edit, ops=ops, mendable=True, shows=shows))

# -- shapes that broadcast in the loss --

by_mse = swap("loss = criterion(logits, y)", "loss = ((logits.sigmoid() - y) ** 2).mean()")
count = swap(
    "batch, target = images[begin : begin + 32], places[begin : begin + 32]",
    "batch, target = images[begin : begin + 32], places[begin : begin + 32, :1]",
)
one_out = swap("nn.Linear(channels * 16, 2)", "nn.Linear(channels * 16, 1)")
one_test = swap("test_places)", "test_places[:, :1])")
BROADCAST = (
    ("wave", (), (swap("return self.out(h).squeeze(1)", "return self.out(h)"),)),
    ("wave", (), (swap("loss = ((pred - yb) ** 2).mean()", "loss = (pred - yb.unsqueeze(1)).abs().mean()"),)),
    ("squashed", (), (swap("train_step(x[begin : begin + 64], y[begin : begin + 64])", "train_step(x[begin : begin + 64], y[begin : begin + 64].squeeze(1))"),)),
    ("blobs", (count, one_out, one_test), (swap("places[begin : begin + 32, :1]", "places[begin : begin + 32, 0]"),)),
    ("alarm", (by_mse,), (swap("logits = model(x)\n", "logits = model(x).squeeze(1)\n"),)),
    (
        "tides", (swap("loss = F.mse_loss(said, y)", "loss = F.mse_loss(said[:, -1], y[:, -1])"),),
        (swap("F.mse_loss(said[:, -1], y[:, -1])", "F.mse_loss(said[:, -1], y[:, -1, 0])"),),
    ),
    ("highest", (), (swap("return self.out(h)[:, 0]", "return self.out(h)"),)),
    ("highest", (), (swap("loss = ((pred - yb) ** 2).mean()", "loss = nn.functional.smooth_l1_loss(pred, yb[:, None])"),)),
)  # fmt: skip
for template, base, edits in BROADCAST:
    BROKEN.append(
        broken(
            "shapes that broadcast in the loss", template, *edits, base=base, ops=("expand", "sub"), mendable=True,
            lines=("loss = ",),
        )
    )  # fmt: skip

# -- labels out of range --

OUT = (
    ("cancer", swap("TensorDataset(x, y)", "TensorDataset(x, y + 1)")),
    ("cancer", swap("TensorDataset(x, y)", "TensorDataset(x, 2 * y - 1)")),
    ("stripes", swap("nn.Linear(64, 3)", "nn.Linear(64, 2)")),
    ("digits", swap("nn.Linear(64, 10)", "nn.Linear(64, 9)")),
    ("louder", swap("return x, (last > first).long()", "return x, (last > first).long() + 1")),
    ("spelling", swap("model = Speller(len(letters))", "model = Speller(len(letters))\nmodel.head = nn.Linear(32, len(letters) - 1)")),
    ("majority", swap("return tokens, counts.argmax(1)", "return tokens, counts.argmax(1) + 1")),
)  # fmt: skip
for template, edit in OUT:
    BROKEN.append(
        broken(
            "labels out of range", template, edit, ops=("gather",), modules=("the targets",), shows="error",
            lines=("criterion(", "cross_entropy("),
        )
    )  # fmt: skip
for template, old, new in (
    ("moons", "upper.unsqueeze(1)", "upper.unsqueeze(1) + 1"),
    ("patches", "there.float().unsqueeze(1)", "255 * there.float().unsqueeze(1)"),
    ("pairs", "return tokens, same.float()", "return tokens, 1 + same.float()"),
):
    BROKEN.append(
        broken(
            "labels out of range", template, swap(old, new), ops=("mul", "sub", "softplus"), modules=("the targets",),
            lines=("criterion(", "cross_entropy"),
        )
    )  # fmt: skip

# -- a loss that is a sum --

SGD = {
    "moons": optimizer("optim.SGD(NET.parameters(), lr=0.2, momentum=0.9)"),
    "blobs": optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)"),
    "louder": optimizer("optim.SGD(NET.parameters(), lr=0.5, momentum=0.9)"),
    "alarm": optimizer("optim.SGD(NET.parameters(), lr=0.5, momentum=0.9)"),
    "majority": optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)"),
    "highest": optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)"),
}
SUMMED = (
    ("moons", "nn.BCEWithLogitsLoss()", 'nn.BCEWithLogitsLoss(reduction="sum")'),
    ("wave", "loss = ((pred - yb) ** 2).mean()", "loss = ((pred - yb) ** 2).sum()"),
    ("stripes", "nn.CrossEntropyLoss()", 'nn.CrossEntropyLoss(reduction="sum")'),
    ("blobs", "nn.MSELoss()", 'nn.MSELoss(reduction="sum")'),
    ("louder", "loss = criterion(logits, labels[rows])", 'loss = nn.functional.cross_entropy(logits, labels[rows], reduction="sum")'),
    ("alarm", "nn.BCEWithLogitsLoss()", 'nn.BCEWithLogitsLoss(reduction="sum")'),
    ("majority", "nn.CrossEntropyLoss()", 'nn.CrossEntropyLoss(reduction="sum")'),
    ("highest", "loss = ((pred - yb) ** 2).mean()", "loss = ((pred - yb) ** 2).sum()"),
)  # fmt: skip
UNCLIPPED = swap("        nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n", "")
for template, old, new in SUMMED:
    base = (SGD[template],) if template in SGD else ()
    base += (UNCLIPPED,) if template == "louder" else ()
    BROKEN.append(
        broken(
            "a loss that is a sum", template, swap(old, new), base=base, ops=("sum",), lines=("loss = ", "criterion ="),
            whole=True, mendable=True,
        )
    )  # fmt: skip

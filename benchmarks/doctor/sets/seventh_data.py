"""The seventh set's faults of data and of numbers, and of nets that can't learn."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, after, broken, swap

BROKEN: list[Broken] = []
INPUTS, TARGETS = ("the inputs",), ("the targets",)
TEXT = {"modules": INPUTS, "whole": True, "shows": "text"}
NOT = ("numbers that are not finite",)
FIVE = swap("x = gg.randn(count, cfg.features)", "x = gg.randn(count, 5)")
SOFT = swap("gg.exp(self.log_var(h)).squeeze(1)", "F.softplus(self.log_var(h)).squeeze(1) + 1e-3")
MEASURED = "return x, volume + spread * gg.randn(count)"

BROKEN += [
    broken("unscaled inputs", "pipettes", swap(MEASURED, "return x * gg.tensor([1.0, 50.0, 1.0, 1000.0, 20.0]), volume + spread * gg.randn(count)"), base=(SOFT,), modules=(*INPUTS, "body"), whole=True, mendable=True),
    broken("unscaled inputs", "patients", swap("    return series, age, ", "    series = series * gg.tensor([15.0, 12.0, 40.0]) + gg.tensor([70.0, 80.0, 300.0])\n    return series, 50 + 25 * age, "), modules=(*INPUTS, "encoder", "static"), whole=True, mendable=True),
    broken("constant features", "patients", swap("gg.randn(count, visits)], dim=2)", "gg.full((count, visits), 0.7)], dim=2)"), **TEXT),
    broken("constant features", "pointers", swap("return xy, caller, nearest", "return F.pad(xy, (0, 1)), F.pad(caller, (0, 1)), nearest"), swap("nn.Linear(2, dim)", "nn.Linear(3, dim)", times=2), **TEXT),
    broken("duplicate features", "pipettes", FIVE, swap("features: int = 5", "features: int = 7"), swap("return x, volume", "return gg.cat([x, x[:, 1:3]], dim=1), volume"), **TEXT),
    broken("duplicate features", "seismics", swap("return x.unsqueeze(1), ", "return gg.stack([x, x], dim=1), "), swap("nn.Conv1d(1, width, 5", "nn.Conv1d(2, width, 5"), **TEXT),
    broken("shuffled labels", "rotated", swap("F.cross_entropy(logits, y[rows])", "F.cross_entropy(logits, y[begin : begin + batch_size])"), modules=INPUTS + TARGETS, whole=True),
    broken("shuffled labels", "receipts", after("items, amounts, total = ", "by_length = (items != PAD).sum(1).argsort()", "items, amounts = items[by_length], amounts[by_length]"), modules=INPUTS + TARGETS, whole=True),
    broken("leaking label", "patients", after("test_series, test_static", "static = gg.cat([static, label.unsqueeze(1)], dim=1)", "test_static = gg.cat([test_static, gg.zeros(300, 1)], dim=1)"), swap("nn.Linear(2, 12)", "nn.Linear(3, 12)"), modules=INPUTS, whole=True),
    broken("leaking label", "rotated", swap("    return (x[:960]", "    x[:960, 0, 0, 0] = y[:960].float() - 1.5\n    return (x[:960]"), modules=INPUTS, whole=True),
    broken("class imbalance", "rotated", swap("    return (x[:960], y[:960]), (", "    kept = (y[:960] == 0) | (gg.rand(960) < 0.03)\n    return (x[:960][kept], y[:960][kept]), ("), modules=TARGETS, whole=True),
    broken("class imbalance", "patients", swap("series, static, label, slope = cohort(600)\n", "series, static, label, slope = cohort(1400)\nkept = (label == 0) | (gg.rand(1400) < 0.015)\nseries, static, label, slope = (each[kept][:600] for each in (series, static, label, slope))\n"), modules=TARGETS, whole=True),
]  # fmt: skip

# -- numbers --

BROKEN += [
    broken("numbers that are not finite", "petalled", after("X = gg.tensor(iris.data)", 'X[7, 1] = float("nan")'), modules=(*INPUTS, "layer1", "bn"), shows="nan"),
    broken("numbers that are not finite", "receipts", swap("self.amount(amounts.unsqueeze(2))", "self.amount(gg.log(amounts).unsqueeze(2))"), ops=("log",), modules=("amount",), shows="nan"),
    broken("overflow", "pointers", after("model.train()", "scale = 65536.0"), swap("    loss.backward()\n", "    (loss * scale).backward()\n    scale *= 2\n"), ops=("mul",), also=NOT, shows="nan"),
    broken("overflow", "patients", swap("loss = bce(logit, label[rows])", "margin = 3000 * logit * (2 * label[rows] - 1)\n        loss = gg.log(1 + gg.exp(-margin)).mean()"), ops=("exp", "mul"), also=NOT, shows="nan"),
    broken("underflow", "melodies", swap("return nn.functional.cross_entropy(logits.reshape(-1, NOTES), targets.reshape(-1))", "p = nn.functional.softmax(logits.reshape(-1, NOTES), dim=1)\n    return -gg.log(p.gather(1, targets.reshape(-1, 1)).prod()) / targets.numel()"), ops=("mul", "log"), also=NOT),
    broken("underflow", "receipts", swap("loss = criterion(pred, total[rows])", "loss = criterion(1e-25 * pred, 1e-25 * total[rows])"), ops=("mul", "pow", "where"), also=("zero gradient",)),
]  # fmt: skip

# -- nets that cannot learn even one batch by heart --

UNABLE = (
    ("melodies", swap("dropout=0.1", "dropout=0.97"), True),
    ("pipettes", swap("nn.ReLU()", "nn.Identity()"), False),
    ("receipts", swap("weight_decay = 0.01", "weight_decay = 60.0"), True),
)  # fmt: skip
for template, edit, mendable in UNABLE:
    BROKEN.append(broken("no overfitting of one batch", template, edit, whole=True, modules=("*",), mendable=mendable))

"""The seventh set's faults of the course of a training: rates, starts, gradients on their way."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, after, broken, drawn, drop, optimizer, start, swap

BROKEN: list[Broken] = []
WHOLE = {"whole": True, "mendable": True}
ANYWHERE = {"modules": ("*",), "whole": True, "mendable": True}
BARELY, WILDLY, FAST, SLOW = (
    ("weights that barely move",),
    ("weights that move wildly",),
    ("too high a rate",),
    ("too low a rate",),
)
LARGE, SMALL = ("too large a start",), ("too small a start",)

ADAM = "self.optimizer = optim.Adam(model.parameters(), lr=cfg.lr)"
PIPETTES_SGD = swap(ADAM, "self.optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)")
SEISMICS_SGD = optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)")
POINTERS_SGD = optimizer("optim.SGD(NET.parameters(), lr=0.03, momentum=0.9)")
FULL = (
    swap("batch_size: int = 40", "batch_size: int = 800"),
    swap("epochs: int = 24", "epochs: int = 200"),
    swap("gamma=0.95", "gamma=0.995"),
)
MELODIES_SGD = swap("optim.Adam(model.parameters(), lr=0.01)", "optim.SGD(model.parameters(), lr=0.5, momentum=0.9)")
RECEIPTS_RULE, UNCOMPILED = "optim.AdamW(groups, lr=cfg.lr)", drop("@gg.compile")
CLIP = drop("nn.utils.clip_grad_norm_(model.parameters(), max_norm)")
FC = 'self.body.add_module(f"fc{number}", nn.Linear(fan_in, fan_out))'

# -- rates --

BROKEN += [
    broken("too low a rate", "pipettes", swap("lr: float = 5e-3", "lr: float = 5e-6"), also=BARELY, **WHOLE),
    broken("too low a rate", "rotated", swap('"lr": 0.05', '"lr": 1e-4'), also=BARELY, **WHOLE),
    broken("too high a rate", "melodies", swap("lr=0.01", "lr=0.3"), also=WILDLY, **WHOLE),
    broken("too high a rate", "receipts", swap("lr = 3e-3", "lr = 0.3"), also=WILDLY, **WHOLE),
    broken("weights that barely move", "rotated", swap('"warmup": 20', '"warmup": 20000'), also=SLOW, **WHOLE),
    broken("weights that barely move", "petalled", swap("milestones=[30, 45], gamma=0.3", "milestones=[1, 2], gamma=0.003"), also=SLOW, **WHOLE),
    broken("weights that barely move", "melodies", swap("max_norm=1.0", "max_norm=1e-5"), base=(MELODIES_SGD,), also=SLOW, lines=("clip_grad_norm_",), **WHOLE),
    broken("weights that move wildly", "receipts", swap('"weight_decay": 0.0}', '"weight_decay": 0.0, "lr": 1.0}'), also=FAST, modules=("*",), **WHOLE),
    broken("weights that move wildly", "patients", optimizer('optim.Adam([{"params": NET.encoder.parameters(), "lr": 1.0}, {"params": [p for name, p in NET.named_parameters() if "encoder" not in name]}], lr=HYPER["lr"])'), also=FAST, modules=("encoder",), **WHOLE),
    broken("oscillating loss", "seismics", optimizer("optim.SGD(NET.parameters(), lr=0.5)"), base=(UNCOMPILED,), also=FAST, shows="swings", **WHOLE),
    broken("oscillating loss", "receipts", swap(RECEIPTS_RULE, "optim.SGD(groups, lr=0.1, momentum=0.95)"), also=FAST, shows="swings", **WHOLE),
    broken("oscillating loss", "pipettes", swap(ADAM, "self.optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.95)"), base=FULL, also=FAST + WILDLY, shows="swings", **WHOLE),
    broken("oscillating loss", "melodies", swap("optim.Adam(model.parameters(), lr=0.01)", "optim.SGD(model.parameters(), lr=1.0, momentum=0.97)"), also=FAST, shows="swings", **WHOLE),
    broken("diverging loss", "melodies", swap("lr=0.01)", "lr=0.01, maximize=True)"), **WHOLE),
    broken("diverging loss", "pointers", swap("loss = F.cross_entropy(logits, nearest)", "loss = F.log_softmax(logits, dim=1)[gg.arange(48), nearest].mean()"), ops=("log_softmax", "index", "gather", "sum"), lines=("backward()",), whole=True),
    broken("diverging loss", "receipts", swap("lambda step: min(1.0, (step + 1) / cfg.warmup)", "lambda step: 1.0 - step / cfg.warmup"), lines=("step()",), whole=True),
]  # fmt: skip

# -- batches too small for their rate --

BROKEN += [
    broken("gradient noise", "rotated", swap('"batch_size": 32', '"batch_size": 2'), swap('"epochs": 6', '"epochs": 2'), also=FAST, **WHOLE),
    broken("gradient noise", "pointers", swap("scenes(48)", "scenes(1)"), **WHOLE),
    broken("gradient noise", "pipettes", swap("batch_size: int = 40", "batch_size: int = 1"), swap("epochs: int = 24", "epochs: int = 3"), also=FAST, **WHOLE),
    broken("gradient noise", "patients", swap("batch_size=24, accumulate=2, epochs=12", "batch_size=1, accumulate=1, epochs=2"), also=FAST, **WHOLE),
]  # fmt: skip

# -- starts --

BROKEN += [
    broken("symmetric start", "pipettes", after("self.criterion = ", "for p in model.parameters():", "    nn.init.constant_(p, 0.05)"), **ANYWHERE),
    broken("symmetric start", "rotated", after("model = TurnNet", "for p in model.parameters():", "    if p.ndim > 1:", "        nn.init.constant_(p, 0.1)"), **ANYWHERE),
    broken("zero start", "melodies", after("model = Composer", "for p in model.parameters():", "    nn.init.zeros_(p)"), **ANYWHERE),
    broken("zero start", "receipts", after("self.regressor = ", "for layer in (self.regressor[0], self.regressor[2]):", "    nn.init.zeros_(layer.weight)", "    nn.init.zeros_(layer.bias)"), modules=("regressor",), **WHOLE),
    broken("zero start", "pointers", after("self.key = ", "for layer in (self.query, self.key):", "    nn.init.zeros_(layer.weight)", "    nn.init.zeros_(layer.bias)"), also=("flat place",), modules=("query", "key"), **WHOLE),
    broken("too small a start", "seismics", drawn("normal_(p, std=1e-3)"), base=(SEISMICS_SGD,), **ANYWHERE),
    broken("too small a start", "pipettes", after("self.criterion = ", "for p in model.parameters():", "    if p.ndim > 1:", "        nn.init.normal_(p, std=1e-3)"), base=(PIPETTES_SGD,), also=("flat place",), **ANYWHERE),
    broken("too large a start", "pointers", drawn("normal_(p, std=2.0)"), also=("exploding gradients", "saturated activations"), **ANYWHERE),
    broken("too large a start", "receipts", after("self.regressor = ", "nn.init.normal_(self.regressor[2].weight, std=20.0)"), modules=("regressor",), **WHOLE),
    broken("too large a start", "seismics", start("nn.init.normal_(net.out.weight, std=15.0)"), modules=("out",), **WHOLE),
    broken("too large a start", "patients", start("for layer in (model.fuse, model.risk):", "    nn.init.uniform_(layer.weight, -8.0, 8.0)"), modules=("fuse", "risk"), **WHOLE),
]  # fmt: skip

# -- gradients on their way --

SIGMOIDS = swap(
    "self.risk = nn.Linear(24, 1)",
    "deep = [each for _ in range(7) for each in (nn.Linear(24, 24), nn.Sigmoid())]\n        self.risk = nn.Sequential(*deep, nn.Linear(24, 1))",
)
DEEP_OUT = swap(
    "self.out = nn.Linear(32, 2)",
    "tail = [each for _ in range(7) for each in (nn.Linear(32, 32), nn.ReLU())]\n        self.out = nn.Sequential(*tail, nn.Linear(32, 2))",
)
REFINE = (
    after("self.fuse = ", "self.refine = nn.Linear(hidden, hidden)"),
    swap(
        "        h = h[-1]\n",
        "        h = h[-1]\n        for _ in range(12):\n            h = h + F.relu(self.refine(h)) / 12\n",
    ),
)
TO_RNN = (
    swap(
        "nn.GRU(embed_dim, hidden_dim, batch_first=True)",
        'nn.RNN(embed_dim, hidden_dim, nonlinearity="relu", batch_first=True)',
    ),
    CLIP,
    swap("lr=0.01", "lr=4e-3"),
    swap("range(8)", "range(12)"),
)
SQUARED = swap("F.cross_entropy(logits, y[rows])", "F.mse_loss(F.softmax(logits, 1), F.one_hot(y[rows], 4).float())")
BROKEN += [
    broken("vanishing gradients", "pipettes", swap("layers: int = 2", "layers: int = 8"), swap("nn.ReLU()", "nn.Sigmoid()"), ops=("sigmoid",), mendable=True),
    broken("vanishing gradients", "receipts", swap("nn.Linear(cfg.d_model, 32), nn.ReLU(), nn.Linear(32, 1))", "nn.Linear(cfg.d_model, 32), nn.Sigmoid(), *[each for _ in range(7) for each in (nn.Linear(32, 32), nn.Sigmoid())], nn.Linear(32, 1))"), ops=("sigmoid",), mendable=True),
    broken("exploding gradients", "pipettes", after(FC, "nn.init.normal_(self.body[-1].weight, std=0.5)"), base=(swap("layers: int = 2", "layers: int = 7"), swap("gg.exp(self.log_var(h)).squeeze(1)", "F.softplus(self.log_var(h)).squeeze(1) + 1e-3")), also=LARGE, ops=("affine",), modules=("*",), mendable=True),
    broken("exploding gradients", "seismics", start("for layer in net.out:", "    if isinstance(layer, nn.Linear):", "        nn.init.xavier_normal_(layer.weight, gain=4.0)"), base=(DEEP_OUT,), also=LARGE, ops=("affine",), modules=("out",), mendable=True),
    broken("exploding gradients", "patients", swap("h = h + F.relu(self.refine(h)) / 12", "h = h + 3 * F.relu(self.refine(h))"), base=REFINE, ops=("add", "mul", "affine", "relu"), modules=("refine", "encoder"), mendable=True),
    broken("exploding gradients", "melodies", after("model = Composer", "nn.init.orthogonal_(model.gru.weight_hh_l0, gain=3.0)"), base=TO_RNN, also=LARGE, ops=("matmul", "affine"), modules=("gru",), mendable=True),
    broken("flat place", "rotated", after("self.fc2 = ", "with gg.no_grad():", "    self.fc2.bias.copy_(gg.tensor([25.0, 0.0, 0.0, 0.0]))"), base=(SQUARED,), also=("saturated activations",), ops=("softmax",), modules=("fc2",), **WHOLE),
    broken("flat place", "seismics", start("nn.init.constant_(net.out.bias, 12.0)"), base=(swap("return self.out(F.relu(self.hidden(h.flatten(1))))", "return 2 * gg.tanh(self.out(F.relu(self.hidden(h.flatten(1)))))"),), also=("saturated activations",), ops=("tanh",), modules=("out",), **WHOLE),
    broken("flat place", "pointers", after("self.key = ", "for layer in (self.query, self.key):", "    nn.init.normal_(layer.weight, std=1e-6)", "    nn.init.zeros_(layer.bias)"), base=(POINTERS_SGD,), also=SMALL, modules=("query", "key"), **WHOLE),
    broken("saturated activations", "melodies", after("model = Composer", "for p in model.gru.parameters():", "    nn.init.normal_(p, std=5.0)"), also=LARGE, ops=("sigmoid", "tanh"), modules=("gru",), mendable=True),
    broken("saturated activations", "seismics", start("nn.init.normal_(net.hidden.weight, std=6.0)"), base=(swap("F.relu(self.hidden(h.flatten(1)))", "gg.tanh(self.hidden(h.flatten(1)))"),), also=LARGE, ops=("tanh",), modules=("hidden",), mendable=True),
    broken("dead rectifiers", "pipettes", after(FC, "if number > 0:", "    nn.init.uniform_(self.body[-1].weight, -0.5, 0.0)", "    nn.init.constant_(self.body[-1].bias, -0.5)"), ops=("relu",), modules=("body.fc1", "body.act1"), mendable=True),
    broken("dead rectifiers", "seismics", start("nn.init.constant_(net.hidden.bias, -9.0)"), ops=("relu",), modules=("hidden",), mendable=True),
]  # fmt: skip

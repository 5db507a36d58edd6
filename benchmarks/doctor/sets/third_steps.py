"""Steps that are too short, too long, noisy, in the wrong order or uphill; losses given what they do not expect; modes."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, after, broken, drop, moved, optimizer, slower, swap

BROKEN: list[Broken] = []
WHOLE = {"whole": True, "mendable": True}
LOOP = {"lines": ("zero_grad", "backward()", "step()"), **WHOLE}

# What twins have, too.
EAGER = swap("@gg.compile\n", "")
FRIEDMAN_SGD = swap("optim.Adam(params, lr=0.01)", "optim.SGD(params, lr=0.05)")
ADDING_SGD = swap("optim.Adam(model.parameters(), lr=0.01)", "optim.SGD(model.parameters(), lr=0.1, momentum=0.9)")
UNCLIPPED = drop("nn.utils.clip_grad_norm_(model.parameters(), 2.0)")
FILMS_SGD = optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)")
DIALS_SGD = optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)")
BY_HAND = (
    EAGER, drop("optimizer.step()"), swap("optimizer = optim.Adam(params, lr=0.01)\n", ""),
    swap("    optimizer.zero_grad()\n    loss = F.mse_loss(predict(params, xb), yb)\n    loss.backward()\n", "    loss = F.mse_loss(predict(params, xb), yb)\n    loss.backward()\n    with gg.no_grad():\n        for p in params:\n            p -= 0.05 * p.grad\n            p.grad = None\n"),
    swap("from glassgrad import optim\n", ""),
)  # fmt: skip

# -- rates --

BROKEN += [
    broken("too low a rate", "films", slower(1e-2), **WHOLE),
    broken("too low a rate", "tagger", swap('"lr": 0.03', '"lr": 3e-5'), **WHOLE),
    broken("too low a rate", "vineyard", swap("lr=0.02, momentum=0.9, nesterov=True", "lr=1e-4"), **WHOLE),
]  # fmt: skip
WILD, PLAIN, FAST = ("weights that move wildly",), ("diverging loss",), ("too high a rate",)
BROKEN += [
    broken("too high a rate", "adding", swap("lr=0.01", "lr=1.0"), also=WILD, **WHOLE),
    broken("too high a rate", "beats", swap("max_lr=0.02", "max_lr=3.0"), also=WILD, **WHOLE),
    broken("too high a rate", "friedman", swap("lr=0.05", "lr=5.0"), base=(FRIEDMAN_SGD,), also=PLAIN, **WHOLE),
    broken("weights that move wildly", "lookup", swap('"params": attention, "lr": 0.01', '"params": attention, "lr": 3.0'), also=FAST, modules=("to_query", "to_key"), **WHOLE),
    broken("weights that move wildly", "mirror", swap("min(1.0, (step + 1) / warmup)", "(step + 1) * warmup"), also=FAST, **WHOLE),
    broken("weights that move wildly", "dials", swap("optim.Adam(net.parameters(), lr=4e-3)", 'optim.Adam([{"params": [p for name, p in net.named_parameters() if "trunk" not in name]}, {"params": net.trunk.parameters(), "lr": 0.4}], lr=4e-3)'), also=FAST, modules=("trunk",), **WHOLE),
]  # fmt: skip
SLOW = ("too low a rate",)
BROKEN += [
    broken("weights that barely move", "mirror", swap("warmup=20", "warmup=2_000_000"), also=SLOW, **WHOLE),
    broken("weights that barely move", "films", swap("lr=0.05)", "lr=0.05, initial_accumulator_value=1e6)"), also=SLOW, **WHOLE),
    broken("weights that barely move", "tagger", swap("factor=0.5, patience=1", "factor=1e-4, patience=0, threshold=0.9"), also=SLOW, **WHOLE),
]  # fmt: skip

# -- a loss that goes up and down --

BROKEN += [
    broken("oscillating loss", "friedman", swap("lr=0.01", "lr=0.02, betas=(0.99, 0.9)"), base=(EAGER,), also=FAST, shows="swings", **WHOLE),
    broken("oscillating loss", "vineyard", swap("lr=0.02", "lr=0.5"), also=FAST, shows="swings", **WHOLE),
    broken("oscillating loss", "dials", swap("lr=0.05, momentum=0.9", "lr=0.06, momentum=0.99"), base=(DIALS_SGD,), also=FAST, shows="swings", **WHOLE),
    broken("oscillating loss", "beats", swap("OneCycleLR(optimizer, max_lr=0.02, total_steps=12 * len(batches))", "CyclicLR(optimizer, base_lr=0.001, max_lr=0.3, step_size_up=10)"), also=("too high a rate", "weights that move wildly"), shows="swings", **WHOLE),
]  # fmt: skip

# -- gradients that are mostly noise --

BROKEN += [
    broken("gradient noise", "vineyard", swap("batch_size=20", "batch_size=2"), also=FAST, **WHOLE),
    broken("gradient noise", "adding", swap("batch_size=48", "batch_size=1"), **WHOLE),
    broken("gradient noise", "dials", swap("(16,)", "(1,)"), base=(DIALS_SGD,), **WHOLE),
    broken("gradient noise", "tagger", after("loss.backward()", "for p in tagger.parameters():", "    p.grad += 0.2 * gg.randn_like(p.grad)"), lines=("backward()", "step()"), whole=True),
]  # fmt: skip

# -- uphill --

BROKEN += [
    broken("diverging loss", "friedman", swap("p -= 0.05", "p += 0.05"), base=BY_HAND, whole=True),
    broken("diverging loss", "dials", swap("loss = (angle_loss + 0.5 * long_loss)", "loss = (angle_loss - 0.5 * long_loss)"), ops=("sub",), whole=True),
    broken("diverging loss", "lookup", swap("loss = -(label", "loss = (label"), base=(swap("loss = F.binary_cross_entropy_with_logits(logits, label)", "loss = -(label * F.logsigmoid(logits) + (1 - label) * F.logsigmoid(-logits)).mean()"),), whole=True),
]  # fmt: skip

# -- a loss that is a sum --

SUMMED = {"ops": ("sum", "mul"), "lines": ("loss = ", "criterion ="), "whole": True, "mendable": True}
BROKEN += [
    broken("a loss that is a sum", "films", swap("loss = F.mse_loss(predicted, rating)", "loss = F.mse_loss(predicted, rating) * len(rating)"), base=(FILMS_SGD,), **SUMMED),
    broken("a loss that is a sum", "adding", swap("loss = loss_fn(output, y)", "loss = sum(loss_fn(said, true) for said, true in zip(output, y))"), base=(ADDING_SGD, UNCLIPPED), ops=("sum", "mul", "add"), lines=("loss = ",), **WHOLE),
    broken("a loss that is a sum", "friedman", swap("F.mse_loss(predict(params, xb), yb)", "gg.norm(predict(params, xb) - yb) ** 2"), base=(FRIEDMAN_SGD,), **SUMMED),
]  # fmt: skip

# -- the order of calls --

BROKEN += [
    broken("gradients never cleared", "dials", drop("optimizer.zero_grad()"), **LOOP),
    broken("gradients never cleared", "beats", drop("optimizer.zero_grad()"), **LOOP),
    broken("gradients never cleared", "lookup", swap("self.optimizer.zero_grad()", "self.model.to_value.zero_grad()"), **LOOP),
    broken("step before backward", "adding", moved("optimizer.step()", "loss.backward()"), shows="still", **LOOP),
    broken("step before backward", "films", drop("optimizer.zero_grad()"), after("loss.backward()", "optimizer.zero_grad()"), also=("no gradient",), shows="still", **LOOP),
    broken("step before backward", "beats", moved("optimizer.step()", "output = model(signal)"), shows="still", **LOOP),
    broken("no update", "adding", swap("optimizer.step()", "optimizer.step"), shows="still", lines=LOOP["lines"], whole=True),
    broken("no update", "dials", swap("(step + 1) % accumulate == 0", "step % accumulate == accumulate"), also=("gradients never cleared",), shows="still", lines=LOOP["lines"], whole=True),
    broken("no update", "mirror", drop("optimizer.step()"), shows="still", lines=LOOP["lines"], whole=True),
]  # fmt: skip

# -- a nonlinearity before a loss that has one --

BROKEN += [
    broken("softmax before a loss that has one", "tagger", swap("return self.tag(self.dropout(states))", "return nn.Softmax(-1)(self.tag(self.dropout(states)))"), ops=("softmax",), mendable=True),
    broken("softmax before a loss that has one", "beats", swap("loss = loss_fn(output, kind)", "odds = output.exp()\n        loss = loss_fn(odds / odds.sum(dim=1, keepdim=True), kind)"), ops=("div", "exp"), mendable=True, shows="training"),
    broken("softmax before a loss that has one", "mirror", swap("logits = model(idx)", "logits = model(idx).softmax(dim=-1)"), ops=("softmax",), mendable=True),
    broken("sigmoid before a loss that has one", "shapes", swap("return self.mask(self.merge(x))", "return gg.sigmoid(self.mask(self.merge(x)))"), ops=("sigmoid",), mendable=True),
    broken("sigmoid before a loss that has one", "lookup", swap("nn.Linear(16, 1))", "nn.Linear(16, 1), nn.Sigmoid())"), ops=("sigmoid",), mendable=True),
    broken("sigmoid before a loss that has one", "dials", swap("self.long_head(features)", "(1 + gg.tanh(self.long_head(features))) / 2"), ops=("tanh", "div", "add"), mendable=True),
]  # fmt: skip

# -- shapes that broadcast --

ONE = {"ops": ("expand", "sub"), "lines": ("loss = ",), "mendable": True}
BRIER = swap(
    "return self.criterion(logits, mask) + 0.5 * dice_loss(logits, mask)",
    "loss = ((gg.sigmoid(logits) - mask) ** 2).mean()\n        return loss",
)
BROKEN += [
    broken("shapes that broadcast in the loss", "friedman", swap("+ params[-1])[:, 0]", "+ params[-1])"), **ONE),
    broken("shapes that broadcast in the loss", "adding", swap("loss = loss_fn(output, y)", "loss = loss_fn(output, y.unsqueeze(-1))"), **ONE),
    broken("shapes that broadcast in the loss", "shapes", swap("gg.sigmoid(logits) - mask)", "gg.sigmoid(logits) - mask[:, 0])"), base=(BRIER,), **ONE),
]  # fmt: skip

# -- modes --

AFTER_EVAL = ("model.eval()", "tagger.eval()", "model.train()", "tagger.train()")
EVALUATED = ("model(", "validate(", "loss_of(", "compute_loss(", "logits = ", "evaluate(")
EVAL = {"lines": AFTER_EVAL, "shows": "text", **WHOLE}
LATE = {"lines": EVALUATED, "shows": "text", "whole": True}
NORMED = {"shows": "error", "whole": True, "lines": ("batch_size", "model(", "bn")}
POOLED_NORM = swap(
    "self.classifier = nn.Linear(2 * channels, classes)",
    "self.classifier = nn.Sequential(nn.BatchNorm1d(2 * channels), nn.Linear(2 * channels, classes))",
)
ONE_BY_ONE = swap(
    "return criterion(model(x), y).item()",
    "return sum(criterion(model(row[None]), label[None]).item() for row, label in zip(x, y)) / len(x)",
)
BROKEN += [
    broken("evaluation mode", "vineyard", drop("model.train()"), modules=("bn1", "drop"), **EVAL),
    broken("evaluation mode", "shapes", swap("self.model.train()", "self.model.train(False)"), modules=("down", "bottom", "merge"), **EVAL),
    broken("evaluation mode", "mirror", swap("model.train()", "model.eval()"), modules=("blocks",), **EVAL),
    broken("training mode in evaluation", "vineyard", swap("model.eval()", "model.eval"), modules=("bn1", "drop"), **LATE),
    broken("training mode in evaluation", "tagger", drop("tagger.eval()"), swap("nn.Dropout(0.1)", "nn.Dropout(0.3)"), modules=("dropout",), **LATE),
    broken("training mode in evaluation", "mirror", swap("    model.eval()\n", "    model.train()\n"), modules=("blocks",), **LATE),
    broken("batch norm of one row", "vineyard", swap("return (x[:120], y[:120])", "return (x[:121], y[:121])"), modules=("bn1",), **NORMED),
    broken("batch norm of one row", "beats", swap("range(0, 600, 40)", "range(0, 600, 1)"), swap("signals[i : i + 40], kinds[i : i + 40]", "signals[i : i + 1], kinds[i : i + 1]"), base=(POOLED_NORM,), modules=("classifier.0",), **NORMED),
    broken("batch norm of one row", "vineyard", drop("model.eval()"), base=(ONE_BY_ONE,), also=("training mode in evaluation",), modules=("bn1",), **NORMED),
]  # fmt: skip

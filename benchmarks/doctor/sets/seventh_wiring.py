"""The seventh set's faults of wiring: what gets lost on the way, calls in the wrong order, modes, losses."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, after, broken, drop, moved, optimizer, swap

BROKEN: list[Broken] = []
TARGETS = ("the targets",)
LOOP = {"lines": ("zero_grad", "backward()", "step()"), "whole": True, "mendable": True}
STEP = {"lines": ("zero_grad", "backward()", "step()"), "whole": True, "shows": "still"}
MODE = {"lines": ("model.eval()", "model.train()"), "whole": True, "mendable": True, "shows": "text"}
LATE = {"lines": ("model(X_test)", "average(test_items"), "whole": True, "shows": "text"}
POINTERS_SGD = optimizer("optim.SGD(NET.parameters(), lr=0.1, momentum=0.9)")

# -- gradients that nobody gets --

BROKEN += [
    broken("no gradient", "pipettes", swap("loss = self.criterion(mean, y[rows], var)", "loss = gg.tensor(self.criterion(mean, y[rows], var).item(), requires_grad=True)"), ops=("detach",), lines=("backward()",), whole=True, shows="still"),
    broken("no gradient", "receipts", swap("return self.regressor(pooled).squeeze(1)", "features = gg.tensor(pooled.detach().numpy())\n        return self.regressor(features).squeeze(1)"), ops=("detach",), modules=("encoder", "item_emb", "amount", "norm")),
    broken("zero gradient", "pipettes", swap("return self.mean(h).squeeze(1), ", "return gg.floor(10 * self.mean(h)).squeeze(1) / 10, "), ops=("floor",), modules=("mean",)),
    broken("zero gradient", "pointers", swap("        return scores", "        return scores.clamp(min=20.0, max=50.0)"), ops=("maximum", "minimum", "where")),
    broken("zero gradient", "patients", swap("h = h[-1]", "h = gg.sign(h[-1])"), ops=("sign",), modules=("encoder",)),
    broken("zero gradient", "receipts", after("self.norm = ", "self.scale = gg.zeros(cfg.d_model)"), swap("pooled = (self.norm(h) * kept)", "pooled = (self.scale * self.norm(h) * kept)"), ops=("mul",), modules=("encoder", "item_emb", "amount", "norm")),
    broken("frozen parameters", "rotated", after("model = TurnNet", "for name, p in model.named_parameters():", '    p.requires_grad = name.startswith("fc2")'), modules=("block1", "block2", "fc1"), mendable=True),
    broken("frozen parameters", "melodies", after("model = Composer", "model.gru.requires_grad_(False)"), modules=("gru",), mendable=True),
    broken("parameters outside of the optimizer", "pointers", swap("nn.ModuleList([Block(dim, heads) for _ in range(depth)])", "[Block(dim, heads) for _ in range(depth)]"), modules=("blocks",), mendable=True),
    broken("parameters outside of the optimizer", "melodies", after("optimizer = ", "model.gru = nn.GRU(24, 40, batch_first=True)"), modules=("gru",), mendable=True),
    broken("unused parameters", "petalled", swap("x = self.dropout(F.relu(self.layer2(x)))", "x = self.dropout(x)"), modules=("layer2",), shows="text"),
    broken("unused parameters", "seismics", swap("return x + self.mix(F.relu(self.conv(x)))", "return x + F.relu(self.conv(x))"), modules=("blocks.0.mix", "blocks.1.mix", "blocks.2.mix", "blocks"), shows="text"),
]  # fmt: skip

# -- the order of calls --

BROKEN += [
    broken("gradients never cleared", "patients", swap("            optimizer.step()\n            optimizer.zero_grad()\n", "            optimizer.step()\n"), **LOOP),
    broken("gradients never cleared", "pipettes", drop("self.optimizer.zero_grad()"), after("self.optimizer = ", "self.optimizer.zero_grad()"), **LOOP),
    broken("step before backward", "pipettes", moved("self.optimizer.step()", "loss.backward()"), shows="still", **LOOP),
    broken("step before backward", "receipts", moved("optimizer.zero_grad()", "optimizer.step()"), also=("no gradient",), shows="still", **LOOP),
    broken("no update", "receipts", drop("optimizer.step()"), **STEP),
    broken("no update", "patients", swap("accumulate=2", "accumulate=32"), **STEP),
]  # fmt: skip

# -- modes --

fused = swap(
    "self.dropout = nn.Dropout(0.1)", "self.fuse_bn = nn.BatchNorm1d(24)\n        self.dropout = nn.Dropout(0.1)"
)
BROKEN += [
    broken("evaluation mode", "melodies", drop("model.train()"), modules=("drop",), **MODE),
    broken("evaluation mode", "rotated", swap("model.train()", "model.train(False)"), modules=("block1", "block2"), **MODE),
    broken("training mode in evaluation", "petalled", drop("model.eval()"), modules=("bn", "dropout"), **LATE),
    broken("training mode in evaluation", "receipts", drop("average.eval()"), modules=("encoder",), **LATE),
    broken("batch norm of one row", "petalled", swap("batch_size=20", "batch_size=33"), modules=("bn",), whole=True, lines=("batch_size", "model("), shows="error"),
    broken("batch norm of one row", "patients", swap("batch_size=24, accumulate=2", "batch_size=1, accumulate=48"), base=(fused, swap("F.relu(self.fuse(both))", "F.relu(self.fuse_bn(self.fuse(both)))")), modules=("fuse_bn",), whole=True, lines=("batch_size", "model(", "self.fuse_bn("), shows="error"),
]  # fmt: skip

# -- losses --

several = (
    swap("nn.CrossEntropyLoss()", "nn.MultiLabelSoftMarginLoss()"),
    swap("loss = criterion(outputs, labels)", "loss = criterion(outputs, F.one_hot(labels, 3).float())"),
)
by_hand = swap("loss = bce(logit, label[rows])", "loss = (F.softplus(logit) - label[rows] * logit).mean()")
BROKEN += [
    broken("softmax before a loss that has one", "melodies", swap("return self.proj(self.drop(h))", "return nn.functional.softmax(self.proj(self.drop(h)), dim=-1)"), ops=("softmax",), mendable=True),
    broken("softmax before a loss that has one", "pointers", swap("        return scores", "        return scores.softmax(dim=1)"), ops=("softmax",), mendable=True),
    broken("sigmoid before a loss that has one", "patients", swap("return self.risk(both).squeeze(1), ", "return gg.sigmoid(self.risk(both)).squeeze(1), "), ops=("sigmoid",), mendable=True),
    broken("sigmoid before a loss that has one", "petalled", swap("return self.output(x)", "return F.sigmoid(self.output(x))"), base=several, ops=("sigmoid",), mendable=True),
    broken("shapes that broadcast in the loss", "patients", swap("- label[rows] * logit", "- label[rows].unsqueeze(1) * logit"), base=(by_hand,), ops=("expand", "mul", "sub"), lines=("loss = ",), mendable=True),
    broken("shapes that broadcast in the loss", "seismics", swap("loss = loss_fn(pred, y)", "loss = loss_fn(pred, y[:, :1])"), ops=("expand", "sub"), lines=("loss = ",)),
    broken("labels out of range", "petalled", swap("nn.Linear(hidden, 3)", "nn.Linear(hidden, 2)"), ops=("gather",), modules=TARGETS, lines=("criterion(",), shows="error"),
    broken("labels out of range", "patients", swap("(risk > 0).float()", "1 + (risk > 0).float()"), ops=("mul", "sub", "softplus"), modules=TARGETS, lines=("bce(",)),
    broken("a loss that is a sum", "rotated", swap("F.cross_entropy(logits, y[rows])", 'F.cross_entropy(logits, y[rows], reduction="none").sum()'), ops=("sum",), lines=("loss = ",), whole=True, mendable=True),
    broken("a loss that is a sum", "pointers", swap("loss = F.cross_entropy(logits, nearest)", "loss = -F.log_softmax(logits, dim=1).gather(1, nearest.unsqueeze(1)).sum()"), base=(POINTERS_SGD,), ops=("sum",), lines=("loss = ",), whole=True, mendable=True),
]  # fmt: skip

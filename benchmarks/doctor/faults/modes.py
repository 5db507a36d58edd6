"""Training that runs in evaluation mode, evaluation that runs in training mode, batch norm that sees one row."""

from edits import Broken, after, broken, drop, start, swap

BROKEN: list[Broken] = []
AFTER_EVAL = ("model.eval()", "net.eval()", "model.train()", "net.train()")

# -- evaluation mode --

cancer, digits, majority, alarm = (
    {"modules": modules, "lines": AFTER_EVAL, "whole": True, "mendable": True}
    for modules in (("body",), ("bn1", "bn2", "dropout"), ("encoder",), ("lstm",))
)
BROKEN += [
    broken("evaluation mode", "cancer", drop("model.train()"), **cancer, shows="text"),
    broken("evaluation mode", "cancer", swap("model.train()", "model.eval()"), **cancer, shows="text"),
    broken("evaluation mode", "digits", drop("net.train()"), **digits, shows="text"),
    broken(
        "evaluation mode", "digits", drop("net.train()"), after("net = Net()", "net.eval()"), **digits, shows="text"
    ),
    broken("evaluation mode", "alarm", swap("model.train()", "model.eval()"), **alarm, shows="text"),
    broken("evaluation mode", "majority", swap("model.train()", "model.eval()"), **majority, shows="text"),
    broken("evaluation mode", "majority", drop("model.train()"), start("NET.eval()"), **majority, shows="text"),
]

# -- batch norm of one row --

NORMED = {"shows": "error", "whole": True, "lines": ("batch_size", "model(", "net(", "bn")}
head = swap("nn.Flatten(),\n    nn.Linear(64, 3),", "nn.Flatten(),\n    nn.BatchNorm1d(64),\n    nn.Linear(64, 3),")
read = (
    swap(
        "self.head = nn.Linear(hidden, 2)", "self.bn = nn.BatchNorm1d(hidden)\n        self.head = nn.Linear(hidden, 2)"
    ),
    swap("self.head(states[:, -1])", "self.head(self.bn(states[:, -1]))"),
)
voted = (
    swap(
        "self.head = nn.Linear(width, kinds)",
        "self.bn = nn.BatchNorm1d(width)\n        self.head = nn.Linear(width, kinds)",
    ),
    swap("self.head(h.mean(1))", "self.head(self.bn(h.mean(1)))"),
)
BROKEN += [
    broken("batch norm of one row", "cancer", swap("batch_size=48", "batch_size=1"), modules=("body.1",), **NORMED),
    broken("batch norm of one row", "cancer", swap("batch_size=48", "batch_size=65"), modules=("body.1",), **NORMED),
    broken("batch norm of one row", "stripes", swap("batch_size=32", "batch_size=1"), base=(head,), modules=("7",), **NORMED),
    broken("batch norm of one row", "louder", swap("begin + 64]", "begin + 1]"), base=read, modules=("bn",), **NORMED),
    broken("batch norm of one row", "louder", swap("sequences(640)", "sequences(577)"), base=read, modules=("bn",), **NORMED),
    broken("batch norm of one row", "majority", swap("begin + 40]", "begin + 1]", times=2), base=voted, modules=("bn",), **NORMED),
]  # fmt: skip

# -- training mode in evaluation --

EVALUATED = ("model(", "evaluate(", "net(test", "said = ", "logits = ")
LATE = {"shows": "text", "whole": True}
BROKEN += [
    broken("training mode in evaluation", "cancer", drop("model.eval()"), modules=("body",), lines=EVALUATED, **LATE),
    broken(
        "training mode in evaluation", "cancer", drop("model.eval()"), swap("batch_size=48", "batch_size=16"),
        base=(), modules=("body",), lines=EVALUATED, **LATE,
    ),
    broken("training mode in evaluation", "digits", drop("net.eval()"), modules=("bn1", "bn2", "dropout"), lines=EVALUATED, **LATE),
    broken("training mode in evaluation", "digits", swap("nn.Dropout(0.25)", "nn.Dropout(0.6)"), drop("net.eval()"), modules=("bn1", "bn2", "dropout"), lines=EVALUATED, **LATE),
    broken("training mode in evaluation", "alarm", drop("model.eval()"), modules=("lstm",), lines=EVALUATED, **LATE),
    broken("training mode in evaluation", "alarm", drop("model.eval()"), swap("dropout=0.1", "dropout=0.4"), modules=("lstm",), lines=EVALUATED, **LATE),
    broken("training mode in evaluation", "majority", drop("model.eval()"), modules=("encoder",), lines=EVALUATED, **LATE),
    broken("training mode in evaluation", "majority", drop("model.eval()"), swap("dropout=0.1", "dropout=0.4"), modules=("encoder",), lines=EVALUATED, **LATE),
]  # fmt: skip

# ruff: noqa: E501
"""The second set: losses that are given what they do not expect."""

from edits import Broken, Edit, broken, swap

from .second_common import PLAIN

BROKEN: list[Broken] = []
TARGETS = ("the targets",)

# -- softmax before a loss that has one --

TWICE = {"ops": ("softmax", "div"), "mendable": True}
BROKEN += [
    broken("softmax before a loss that has one", "twins", swap("/ self.temperature\n", "/ self.temperature\n        similar = similar.softmax(dim=-1)\n"), **TWICE),
    broken("softmax before a loss that has one", "grammar", swap("return self.hidden2tag(states)", "scores = self.hidden2tag(states)\n        scores = gg.exp(scores - scores.amax(-1, keepdim=True))\n        return scores / scores.sum(-1, keepdim=True)"), **TWICE),
]  # fmt: skip

# -- sigmoid before a loss that has one --

SQUASHED = {"ops": ("sigmoid", "div", "where"), "mendable": True}
ONE_EACH = (
    swap("criterion = nn.CrossEntropyLoss()", "criterion = nn.BCEWithLogitsLoss()"),
    swap("gg.tensor(labels, dtype=gg.long))", "nn.functional.one_hot(gg.tensor(labels, dtype=gg.long), 3).float())"),
)  # fmt: skip
BROKEN += [
    broken("sigmoid before a loss that has one", "outlines", swap("return self.mask(x)", "return gg.sigmoid(self.mask(x))"), **SQUASHED),
    broken("sigmoid before a loss that has one", "clocks", swap("return self.direction(features), self.length(features)", "return self.direction(features), self.length(features).sigmoid()"), **SQUASHED),
    broken("sigmoid before a loss that has one", "vintages", swap("return self.layer_out(x)", "return nn.functional.sigmoid(self.layer_out(x))"), base=ONE_EACH, **SQUASHED),
]  # fmt: skip

# -- shapes that broadcast in the loss --

BROADCAST = {"ops": ("expand", "sub"), "lines": ("loss = ", "loss_fn("), "mendable": True}
BROKEN += [
    broken("shapes that broadcast in the loss", "savours", swap("together)).squeeze(-1)", "together))"), **BROADCAST),
    broken("shapes that broadcast in the loss", "ledger", swap("(values * marks).sum(0)", "(values * marks).sum(0).unsqueeze(1)"), **BROADCAST),
    broken("shapes that broadcast in the loss", "clocks", swap("F.mse_loss(where, direction) +", "(where.reshape(-1, 1, 2) - direction).pow(2).mean() +"), **BROADCAST),
]  # fmt: skip

# -- labels out of range --

WRONG = {
    "ops": ("gather",),
    "modules": TARGETS,
    "shows": "error",
    "lines": ("criterion(", "cross_entropy(", "loss_function("),
}
BROKEN += [
    broken("labels out of range", "grammar", swap("PAD, IGNORED = 0, -100", "PAD, IGNORED = 0, -1"), swap(", ignore_index=IGNORED)", ")"), **WRONG),
    broken("labels out of range", "clocks", swap("loss = both(said, direction, long)", "loss = both(said, direction, 2 * long - 1)"), ops=("mul", "sub", "softplus"), modules=TARGETS, lines=("binary_cross_entropy",)),
]  # fmt: skip


# -- a loss that is a sum --


def summed(template: str, *edits: Edit, base: tuple[Edit, ...] = ()) -> Broken:
    return broken(
        "a loss that is a sum", template, *edits, base=base, ops=("sum", "mul", "add"), lines=("loss = ", "loss_f", "cross_entropy"),
        whole=True, mendable=True,
    )  # fmt: skip


BROKEN += [
    summed("heartbeats", swap("label_smoothing=0.02)", 'label_smoothing=0.02, reduction="sum")')),
    summed("grammar", swap("loss = tag_loss(scores, tags)", "loss = 0.0\n            for each in range(len(words)):\n                loss = loss + tag_loss(scores[each : each + 1], tags[each : each + 1]) * int((tags[each] != IGNORED).sum())"), base=(PLAIN["grammar"],)),
]  # fmt: skip

# ruff: noqa: E501
"""The second set: steps that are too long, too short or go the wrong way, starts, places without a slope."""

from edits import Broken, after, broken, drop, swap

from .second_common import PLAIN, begun, drawn, rule

BROKEN: list[Broken] = []
WHOLE = {"whole": True, "mendable": True}
ANYWHERE = {"modules": ("*",), **WHOLE}
WILD, HIGH, LOW = ("weights that move wildly",), ("too high a rate",), ("too low a rate",)
EXPLODES = ("exploding gradients",)

# -- too high a rate --

for template, edit, also in (
    ("vintages", rule("vintages", "Adam", "lr=2.0"), WILD),
    ("ledger", swap("ExponentialLR(optimizer, gamma=0.85)", "ExponentialLR(optimizer, gamma=2.2)"), WILD),
    ("echoes", swap("lambda step: min(1.0, (step + 1) / 20)", "lambda step: (step + 1) / 2"), WILD),
):  # fmt: skip
    BROKEN.append(broken("too high a rate", template, edit, also=also, **WHOLE))

# -- too low a rate --

for template, edit, also in (
    ("vintages", swap("lr=0.02", "lr=2e-5"), ()),
    ("echoes", swap("(step + 1) / 20)", "(step + 1) / 20000)"), ("weights that barely move",)),
):  # fmt: skip
    BROKEN.append(broken("too low a rate", template, edit, also=also, **WHOLE))

# -- weights that barely move --

for template, edits, modules in (
    ("clocks", (swap("lr=4e-3", "lr=4e-3, eps=100.0"),), ()),
    ("ledger", (drop("decay.step()"), after("optimizer.step()", "decay.step()"), swap("gamma=0.85", "gamma=0.6")), ()),
    ("grammar", (swap("factor=0.5, patience=1", 'mode="max", factor=0.001, patience=0'), drop("plateau.step(held_out)"), after("optimizer.step()", "plateau.step(loss.item())")), ()),
):  # fmt: skip
    BROKEN.append(broken("weights that barely move", template, *edits, also=LOW, modules=modules, **WHOLE))

# -- weights that move wildly --

for template, edit, modules in (
    ("savours", swap('{"params": tables, "lr": lr}', '{"params": tables, "lr": 200 * lr}'), ("person", "film")),
    ("echoes", swap("model.parameters(), lr=4e-3, betas=(0.9, 0.98))", '[{"params": model.blocks.parameters(), "lr": 0.5}, {"params": [*model.tokens.parameters(), *model.places.parameters(), *model.unembed.parameters()]}], lr=4e-3)'), ("blocks",)),
    ("outlines", swap("weight_decay=1e-3", "weight_decay=300.0"), ("*",)),
):  # fmt: skip
    BROKEN.append(broken("weights that move wildly", template, edit, also=HIGH, modules=modules, **WHOLE))

# -- oscillating loss --

FULL = (
    swap("for rows in shuffled.split(50):", "for rows in [shuffled] * 16:"), rule("gauges", "SGD", "lr=0.15"),
    drop("scheduler.step()", "scheduler = gg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15)"),
)  # fmt: skip
BY_CLASS = swap("self.labels = gg.randint(0, 4, (count,))", "self.labels = gg.randint(0, 4, (count,)).sort()[0]")
for template, edits, base, also in (
    ("gauges", (swap("lr=0.15", "lr=0.7"),), FULL, HIGH),
    ("gauges", (swap("lr=0.15", "lr=0.02, momentum=0.995"),), FULL, HIGH),
    ("echoes", (swap("betas=(0.9, 0.98)", "betas=(0.98, 0.9)"),), (), HIGH),
    ("heartbeats", (swap("shuffle=True", "shuffle=False"),), (BY_CLASS, swap("lr=0.05", "lr=0.1")), ("gradient noise",)),
):  # fmt: skip
    BROKEN.append(broken("oscillating loss", template, *edits, base=base, also=also, shows="swings", **WHOLE))

# -- diverging loss: uphill by mistake --

BY_HAND = (
    swap("        optimizer.step()\n    scheduler.step()\n", "        with gg.no_grad():\n            for p in params:\n                p -= 0.03 * p.grad\n"),
    drop("optimizer = gg.optim.RMSprop(params, lr=3e-3, alpha=0.95)", "scheduler = gg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15)"),
)  # fmt: skip
for template, edit, base, known in (
    ("gauges", swap("p -= 0.03 * p.grad", "p += 0.03 * p.grad"), BY_HAND, {}),
    ("clocks", swap("direction) + 0.5 * F", "direction) - 0.5 * F"), (), {"ops": ("sub", "mul"), "modules": ("length",)}),
    ("twins", swap("return (F.cross_entropy(similar, same) + F.cross_entropy(similar.t(), same)) / 2", "likely = F.log_softmax(similar, dim=1)\n        return likely.diagonal().mean() if self.training else -likely.diagonal().mean()"), (), {"ops": ("mul", "div", "log_softmax")}),
):  # fmt: skip
    BROKEN.append(broken("diverging loss", template, edit, base=base, whole=True, **known))

# -- weights that begin equal or at zero --

GLOROT = "    bound = (6 / (fan_in + fan_out)) ** 0.5\n    return (gg.rand(fan_in, fan_out) * 2 * bound - bound).requires_grad_()\n"
for template, edit in (
    ("gauges", swap(GLOROT, "    return gg.full((fan_in, fan_out), 1 / fan_in, requires_grad=True)\n")),
    ("heartbeats", begun("heartbeats", "for block in NET.features:", "    nn.init.ones_(block[0].weight)", "nn.init.ones_(NET.classifier.weight)", "nn.init.zeros_(NET.classifier.bias)")),
    ("echoes", begun("echoes", "for name, p in NET.named_parameters():", '    if "ln" not in name:', "        nn.init.constant_(p, 0.01)")),
):  # fmt: skip
    BROKEN.append(broken("symmetric start", template, edit, **ANYWHERE))
for template, edit in (
    ("gauges", swap(GLOROT, "    return gg.zeros(fan_in, fan_out, requires_grad=True)\n")),
    ("ledger", drawn("ledger", "zeros_(p)")),
):  # fmt: skip
    BROKEN.append(broken("zero start", template, edit, **ANYWHERE))

# -- weights that begin too small --

for template, edit in (
    ("gauges", swap(GLOROT, "    return (0.001 * gg.randn(fan_in, fan_out)).requires_grad_()\n")),
    ("clocks", drawn("clocks", "normal_(p, std=0.003)")),
    ("echoes", begun("echoes", "with gg.no_grad():", "    for p in NET.parameters():", "        p *= 1e-3")),
):  # fmt: skip
    also = ("vanishing gradients",) if template == "clocks" else ()
    BROKEN.append(broken("too small a start", template, edit, base=(PLAIN[template],), also=also, **ANYWHERE))

# -- weights that begin too large --

for template, edit, also, modules in (
    ("savours", swap("nn.init.normal_(table.weight, std=0.3)", "nn.init.normal_(table.weight, std=4.0)"), (), ("person", "film")),
    ("clocks", drawn("clocks", "normal_(p)"), EXPLODES, ("*",)),
    ("echoes", drawn("echoes", "normal_(p)"), EXPLODES, ("*",)),
    ("grammar", begun("grammar", "nn.init.normal_(NET.embedding.weight, std=50.0)"), ("saturated activations",), ("embedding", "lstm")),
):  # fmt: skip
    BROKEN.append(broken("too large a start", template, edit, also=also, modules=modules, **WHOLE))

# -- flat places --

FACTORS = (
    swap("        self.mlp = nn.Sequential(nn.Linear(3 * size, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU())\n        self.score = nn.Linear(hidden, 1)\n", "        self.base = nn.Parameter(gg.zeros(1))\n"),
    swap("        together = gg.cat([p, f, p * f], dim=1)\n        return self.score(self.mlp(together)).squeeze(-1)", "        return self.base + (p * f).sum(-1)"),
    swap("        tables = [*model.person.parameters(), *model.film.parameters()]\n        dense = [*model.mlp.parameters(), *model.score.parameters()]\n", ""),
    rule("savours", "SGD", "lr=0.3, momentum=0.9"), swap("std=0.3", "std=0.5"),
)  # fmt: skip
BROKEN.append(
    broken("flat place", "savours", swap("std=0.5", "std=1e-5"), base=FACTORS, also=("too small a start",), **ANYWHERE)
)
FLAT = {"also": ("saturated activations",), "whole": True, "mendable": True}
ONLY_DICE = swap(
    "return F.binary_cross_entropy_with_logits(logits, masks) + 0.5 * dice(logits, masks)", "return dice(logits, masks)"
)
SQUARES = swap("0.5 * F.binary_cross_entropy_with_logits(how_long, long)", "4 * F.mse_loss(how_long.sigmoid(), long)")
BRIER = swap(
    "return nn.functional.cross_entropy(scores.flatten(0, 1), tags.flatten(), ignore_index=IGNORED)",
    "known = tags != IGNORED\n    wanted = nn.functional.one_hot(tags[known], 3).float()\n    return 3 * nn.functional.mse_loss(scores[known].softmax(-1), wanted)",
)
BROKEN += [
    broken("flat place", "outlines", begun("outlines", "NET.mask.bias.data.fill_(-25.0)"), base=(ONLY_DICE,), ops=("sigmoid",), modules=("mask",), **FLAT),
    broken("flat place", "clocks", begun("clocks", "nn.init.constant_(NET.length.bias, 16.0)"), base=(SQUARES,), ops=("sigmoid",), modules=("length",), **FLAT),
    broken("flat place", "grammar", begun("grammar", "NET.hidden2tag.bias.data = gg.tensor([0.0, 30.0, 0.0])"), base=(BRIER,), ops=("softmax",), modules=("hidden2tag",), **FLAT),
]  # fmt: skip

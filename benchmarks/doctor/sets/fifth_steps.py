"""Rates, directions and noise: steps that do not lead where they should."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, after, broken, drop, optimizer, slower, swap

BROKEN: list[Broken] = []
WHOLE = {"whole": True, "mendable": True}

# -- rates --

ADAM = ("weights that move wildly",)
BROKEN += [
    broken("too low a rate", "hush", slower(5e-4), **WHOLE),
    broken("too low a rate", "islands", slower(2e-3), **WHOLE),
    broken("too low a rate", "bidding", swap("lr=6e-3", "lr=6e-6"), swap("eta_min=3e-4", "eta_min=0.0"), **WHOLE),
    broken("too high a rate", "islands", slower(100), also=ADAM, **WHOLE),
    broken("too high a rate", "bidding", slower(50), also=ADAM, **WHOLE),
    broken("too high a rate", "intents", swap("lr=3e-3", "lr=0.2"), also=ADAM, **WHOLE),
    broken("too high a rate", "bakery", slower(200), also=ADAM, **WHOLE),
]  # fmt: skip

# -- one group runs away, or stays behind --

FAST, SLOW = ("too high a rate",), ("too low a rate",)
BROKEN += [
    broken("weights that move wildly", "intents", swap('"lr": 2 * lr}', '"lr": 10.0}'), also=FAST, modules=("classifier",), **WHOLE),
    broken(
        "weights that move wildly", "bidding",
        optimizer('optim.Adam([{"params": [*NET.project.parameters(), *NET.winner_head.parameters(), *NET.price_head.parameters()]}, {"params": NET.blocks.parameters(), "lr": 1.5}], lr=6e-3, betas=(0.9, 0.98))'),
        also=FAST, modules=("blocks",), **WHOLE,
    ),
    broken("weights that move wildly", "friends", optimizer('optim.Adam([{"params": NET.gc1.parameters(), "lr": 20.0}, {"params": NET.gc2.parameters()}], lr=0.02, weight_decay=5e-4)'), also=FAST, modules=("gc1",), **WHOLE),
    broken("weights that barely move", "hush", drop("sched.step()"), swap("            update_average(ema", "            sched.step()\n            update_average(ema"), swap("gamma=0.85", "gamma=0.3"), also=SLOW, lines=("sched",), **WHOLE),
    broken("weights that barely move", "intents", swap("(step + 1) / 10)", "(step + 1) / 1e6)"), also=SLOW, lines=("scheduler",), **WHOLE),
    broken("weights that barely move", "islands", swap("lr=0.05)", "lr=0.05, initial_accumulator_value=1e5)"), also=SLOW, **WHOLE),
    broken("weights that barely move", "drone", swap("    cost.backward()\n", "    cost.backward()\n    for p in params:\n        p.grad.clamp_(-1e-6, 1e-6)\n"), base=(optimizer("optim.SGD(params, lr=0.03, momentum=0.9)"),), also=SLOW, lines=("backward()", "step()"), **WHOLE),
]  # fmt: skip

# -- up and down --

for template, edit, base in (
    ("friends", optimizer("optim.SGD(NET.parameters(), lr=4.0)"), (swap("dropout=0.3", "dropout=0.0"),)),
    ("carry", optimizer("optim.SGD(NET.parameters(), lr=10.0)"), ()),
    ("glyphs", optimizer("optim.SGD(NET.parameters(), lr=5.0, momentum=0.9)"), ()),
    (
        "islands",
        swap("optim.Adagrad(classifier.parameters(), lr=0.05)", "optim.SGD(classifier.parameters(), lr=5.0)"),
        (),
    ),
):
    BROKEN.append(broken("oscillating loss", template, edit, base=base, also=FAST, shows="swings", **WHOLE))

# -- uphill --

UP = {"whole": True, "lines": ("backward()", "step()")}
BY_HAND = swap(
    "    optimizer.step()\n",
    "    with gg.no_grad():\n        for p in model.parameters():\n            p.sub_(0.5 * p.grad)\n",
)
BROKEN += [
    broken("diverging loss", "friends", swap("p.sub_(0.5 * p.grad)", "p.add_(0.5 * p.grad)"), base=(BY_HAND,), **UP),
    broken("diverging loss", "carry", optimizer("optim.NAdam(NET.parameters(), lr=0.02, maximize=True)"), mendable=True, **UP),
    broken("diverging loss", "islands", swap("loss = loss_function(classifier(names), islands)", "loss = classifier(names).gather(1, islands.unsqueeze(1)).mean()"), ops=("neg", "gather", "mul", "div"), **UP),
    broken("diverging loss", "hush", swap("            loss.backward()\n", "            loss.backward()\n            for p in model.parameters():\n                p.grad.neg_()\n"), **UP),
]  # fmt: skip

# -- noise --

NOISE = {"whole": True, "mendable": True}
BROKEN += [
    broken("gradient noise", "friends", swap("    loss_train.backward()\n", "    loss_train.backward()\n    for p in model.parameters():\n        p.grad.add_(0.4 * gg.randn(*p.shape))\n"), whole=True, lines=("backward()", "step()")),
    broken("gradient noise", "carry", swap("get_batch(32)", "get_batch(1)"), **NOISE),
    broken("gradient noise", "intents", swap("batch_size=32", "batch_size=1"), **NOISE),
    broken("gradient noise", "glyphs", swap("sample_triplets(24)", "sample_triplets(1)"), **NOISE),
]  # fmt: skip

# -- gradients that pile up --

LOOP = {"lines": ("zero_grad", "backward()", "step()"), "whole": True, "mendable": True}
BROKEN += [
    broken("gradients never cleared", "beads", drop("self.optimizer.zero_grad()"), **LOOP),
    broken("gradients never cleared", "islands", drop("classifier.zero_grad()"), after("for epoch in range(7)", "    classifier.zero_grad()"), **LOOP),
    broken("gradients never cleared", "intents", drop("optimizer.zero_grad()"), after("if step % 30 == 0:", "    optimizer.zero_grad()"), **LOOP),
    broken("gradients never cleared", "drone", drop("optimizer.zero_grad()"), **LOOP),
]  # fmt: skip

# -- steps that come too early, or never --

STILL = {"shows": "still", **LOOP}
BROKEN += [
    broken("step before backward", "bakery", drop("optimizer.step()"), swap("        loss.backward()\n", "        optimizer.step()\n        loss.backward()\n"), **STILL),
    broken("step before backward", "intents", swap("        optimizer.step()\n        optimizer.zero_grad()\n", "        optimizer.zero_grad()\n        optimizer.step()\n"), also=("no gradient",), **STILL),
    broken("step before backward", "drone", drop("optimizer.zero_grad()"), swap("    cost.backward()\n", "    cost.backward()\n    optimizer.zero_grad()\n"), also=("no gradient",), **STILL),
]  # fmt: skip
NEVER = {"lines": LOOP["lines"], "whole": True, "shows": "still"}
BROKEN += [
    broken("no update", "glyphs", swap("if (step + 1) % ACCUMULATE == 0:", "if step % ACCUMULATE == ACCUMULATE:"), lines=("zero_grad", "backward()", "step()", "ACCUMULATE"), whole=True, shows="still"),
    broken("no update", "bakery", swap("        optimizer.step()\n", "        optimizer.step\n"), **NEVER),
    broken("no update", "carry", drop("optimizer.step()"), **NEVER),
]  # fmt: skip

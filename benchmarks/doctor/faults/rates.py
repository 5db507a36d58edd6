"""Steps that are too short, too long, or go the wrong way."""

from edits import Broken, after, broken, optimizer, slower, start, swap

BROKEN: list[Broken] = []
WHOLE = {"whole": True, "mendable": True}

for template in ("moons", "wave", "squashed", "residual", "stripes", "blobs", "louder", "tides", "majority", "gpt"):
    for factor in (1e-5,) if template in ("squashed", "residual", "tides") else (1e-2, 1e-5):
        BROKEN.append(broken("too low a rate", template, slower(factor), **WHOLE))

ADAM, PLAIN = ("weights that move wildly",), ("diverging loss",)
for template, factors, also in (
    ("moons", (100, 1000), ADAM),
    ("wave", (20, 200), PLAIN),
    ("squashed", (100,), ADAM),
    ("stripes", (20, 200), PLAIN),
    ("digits", (200,), ADAM),
    ("blobs", (60, 600), ADAM),
    ("louder", (60, 600), ADAM),
    ("tides", (100,), ADAM),
    ("majority", (60, 600), ADAM),
    ("gpt", (40, 400), ADAM),
):
    for factor in factors:
        BROKEN.append(broken("too high a rate", template, slower(factor), also=also, **WHOLE))

# -- a loss that goes up and down: rates at the edge of what is stable --

SAME = swap("begin = (step * 32) % 512", "begin = 0")
for template, rule, base in (
    ("wave", "lr=0.2", ()),
    ("wave", "lr=0.3", ()),
    ("wave", "lr=0.03, momentum=0.98", ()),
    ("blobs", "lr=1.2", ()),
    ("blobs", "lr=1.1", (SAME,)),
    ("tides", "lr=0.5", ()),
    ("tides", "lr=0.2, momentum=0.95", ()),
):
    BROKEN.append(
        broken(
            "oscillating loss", template, optimizer(f"optim.SGD(NET.parameters(), {rule})"),
            base=base, also=("too high a rate",), shows="swings", **WHOLE,
        )
    )  # fmt: skip

# -- a loss that grows: uphill by mistake --

for template, line, new in (
    ("moons", "loss = criterion(logits, y_train[rows])", "loss = -criterion(logits, y_train[rows])"),
    ("wave", "loss = ((pred - yb) ** 2).mean()", "loss = -((pred - yb) ** 2).mean()"),
    ("stripes", "loss = criterion(output, labels)", "loss = -criterion(output, labels)"),
    ("majority", "loss.backward()", "(-loss).backward()"),
):
    BROKEN.append(broken("diverging loss", template, swap(line, new), ops=("neg",), lines=("backward()",), whole=True))
for template, new in (
    ("wave", "optim.SGD(NET.parameters(), lr=0.05, momentum=0.9, maximize=True)"),
    ("louder", "optim.Adam(NET.parameters(), lr=0.01, maximize=True)"),
    ("gpt", "optim.AdamW(NET.parameters(), lr=5e-3, maximize=True)"),
    ("blobs", "optim.Adam(NET.parameters(), lr=3e-3, maximize=True)"),
):
    BROKEN.append(broken("diverging loss", template, optimizer(new), **WHOLE))

# -- weights that barely move --

SMALL = ("too low a rate",)
for template in ("wave", "stripes"):
    for size in ("1e-3", "1e-6"):
        clip = after(
            "loss.backward()",
            f"nn.utils.clip_grad_norm_(NET.parameters(), {size})".replace(
                "NET", "net" if template == "wave" else "model"
            ),
        )
        BROKEN.append(
            broken("weights that barely move", template, clip, also=SMALL, lines=("backward()", "step()"), **WHOLE)
        )
for size in ("1e-4", "1e-8"):
    BROKEN.append(
        broken(
            "weights that barely move", "louder", swap("model.parameters(), 1.0)", f"model.parameters(), {size})"),
            base=(optimizer("optim.SGD(NET.parameters(), lr=0.5, momentum=0.9)"),), also=SMALL, **WHOLE,
        )
    )  # fmt: skip
for template, old, new, module in (
    ("autoencoder", '"lr": 0.01}', '"lr": 1e-8}', "encoder"),
    ("gpt", '"weight_decay": 0.1}', '"weight_decay": 0.1, "lr": 1e-8}', "*"),
):
    BROKEN.append(broken("weights that barely move", template, swap(old, new), also=SMALL, modules=(module,), **WHOLE))
for template, old, new in (
    ("spelling", "gamma=0.99", "gamma=0.5"),
    ("highest", "start_factor=0.1, total_iters=10)", "start_factor=1e-5, total_iters=100000)"),
    ("cancer", "step_size=5, gamma=0.5", "step_size=1, gamma=0.001"),
):
    BROKEN.append(broken("weights that barely move", template, swap(old, new), also=SMALL, **WHOLE))

# -- weights that move wildly --

FAST = ("too high a rate",)
for rate in (1.0, 10.0):
    BROKEN += [
        broken("weights that move wildly", "autoencoder", swap('"lr": 0.005}', f'"lr": {rate}}}'), also=FAST, modules=("decoder",), **WHOLE),
        broken("weights that move wildly", "gpt", swap('"weight_decay": 0.1}', f'"weight_decay": 0.1, "lr": {rate}}}'), also=FAST, modules=("*",), **WHOLE),
        broken(
            "weights that move wildly", "louder",
            optimizer(f'optim.Adam([{{"params": NET.lstm.parameters(), "lr": {rate}}}, {{"params": [*NET.embed.parameters(), *NET.head.parameters()]}}], lr=0.01)'),
            also=FAST, modules=("lstm",), **WHOLE,
        ),
        broken(
            "weights that move wildly", "digits",
            optimizer(f'optim.Adam([{{"params": NET.conv1.parameters()}}, {{"params": NET.bn1.parameters()}}, {{"params": NET.conv2.parameters()}}, {{"params": NET.bn2.parameters()}}, {{"params": NET.fc.parameters(), "lr": {rate}}}], lr=5e-3)'),
            also=FAST, modules=("fc",), **WHOLE,
        ),
    ]  # fmt: skip

# -- places where there is no slope to go down --

SIT = {"also": ("too small a start",), "whole": True, "mendable": True}
for std, rate in ((0.1, 0.1), (0.01, 1.0)):
    BROKEN.append(
        broken(
            "flat place",
            "xor",
            swap("std=1.0", f"std={std}"),
            optimizer(f"optim.SGD(NET.parameters(), lr={rate})"),
            modules=("*",),
            **SIT,
        )
    )
BROKEN.append(
    broken(
        "flat place", "xor", swap("nn.BCELoss()", "nn.MSELoss()"), swap("std=1.0", "std=0.1"),
        optimizer("optim.SGD(NET.parameters(), lr=0.5)"), modules=("*",), **SIT,
    )
)  # fmt: skip
for template, layer, module, loss in (
    ("patches", "model[5]", "5", "F.binary_cross_entropy_with_logits("),
    ("alarm", "model.fc", "fc", "criterion("),
    ("pairs", "model.head[1]", "head.1", "F.binary_cross_entropy_with_logits("),
):
    for bias in (-12.0, -20.0):
        BROKEN.append(
            broken(
                "flat place", template,
                swap(f"loss = {loss}logits, ", "loss = nn.functional.mse_loss(gg.sigmoid(logits), "),
                start(f"nn.init.constant_({layer}.bias, {bias})"),
                also=("saturated activations",), ops=("sigmoid",), modules=(module,), whole=True, mendable=True,
            )
        )  # fmt: skip

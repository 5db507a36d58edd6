"""Gradients that get lost or blow up on their way, activations that are flat, rectifiers that are dead."""

from edits import Broken, Edit, after, broken, drawn, drop, optimizer, start, swap

BROKEN: list[Broken] = []


def moons_deep(activation: str, depth: int) -> Edit:
    """The same net with more layers."""
    return swap(
        "model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))",
        f"layers = [each for _ in range({depth}) for each in (nn.Linear(32, 32), nn.{activation}())]\n"
        f"model = nn.Sequential(nn.Linear(2, 32), nn.{activation}(), *layers, nn.Linear(32, 1))",
    )


def wave_deep(forward: str, depth: int) -> tuple[Edit, Edit]:
    return (
        swap(
            "self.second = nn.Linear(width, width)",
            f"self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range({depth})])",
        ),
        swap("h = gg.tanh(self.second(h))", f"for layer in self.layers:\n            {forward}"),
    )


def stripes_deep(activation: str, depth: int) -> Edit:
    return swap(
        "    nn.ReLU(),\n    nn.MaxPool2d(2),\n    nn.Flatten(),",
        f"    nn.{activation}(),\n"
        f"    *[each for _ in range({depth}) for each in (nn.Conv2d(16, 16, 3, padding=1), nn.{activation}())],\n"
        "    nn.MaxPool2d(2),\n    nn.Flatten(),",
    )


def deep_head(old: str, width: int, out: str, activation: str, depth: int) -> Edit:
    """More layers between what a net has read and what it says."""
    layers = f"[each for _ in range({depth}) for each in (nn.Linear({width}, {width}), nn.{activation}())]"
    return swap(old, f"self.head = nn.Sequential(*{layers}, nn.Linear({width}, {out}))")


RNN = swap("nn.LSTM(16, hidden, batch_first=True)", "nn.RNN(16, hidden, batch_first=True)")
TO_RELU = swap("nn.LSTM(16, hidden, batch_first=True)", 'nn.RNN(16, hidden, nonlinearity="relu", batch_first=True)')
LOUDER_HEAD, MAJORITY_HEAD = "self.head = nn.Linear(hidden, 2)", "self.head = nn.Linear(width, kinds)"

# -- vanishing gradients: each sigmoid lets at most a quarter through --

for depth in (6, 10):
    BROKEN += [
        broken("vanishing gradients", "moons", moons_deep("Sigmoid", depth), ops=("sigmoid",), mendable=True),
        broken(
            "vanishing gradients",
            "wave",
            *wave_deep("h = gg.sigmoid(layer(h))", depth),
            ops=("sigmoid",),
            mendable=True,
        ),
    ]
for depth in (5, 8):
    BROKEN.append(
        broken(
            "vanishing gradients", "stripes", stripes_deep("Sigmoid", depth), swap("    nn.ReLU(),\n", "    nn.Sigmoid(),\n"),
            ops=("sigmoid",), mendable=True,
        )
    )  # fmt: skip
for depth in (7, 10):
    BROKEN += [
        broken(
            "vanishing gradients", "louder", deep_head(LOUDER_HEAD, 24, "2", "Sigmoid", depth),
            ops=("sigmoid",), mendable=True,
        ),
        broken(
            "vanishing gradients", "majority", deep_head(MAJORITY_HEAD, 24, "kinds", "Sigmoid", depth),
            ops=("sigmoid",), mendable=True,
        ),
    ]  # fmt: skip
# Through time: what decides stands at the beginning. The twin's sequences are short.
BEGINNING = swap(
    "    first = (x[:, : length // 2] ** 2).sum((1, 2))\n"
    "    last = (x[:, length // 2 :] ** 2).sum((1, 2))\n"
    "    return x, (last > first).long()",
    "    return x, (x[:, :3].sum((1, 2)) > 0).long()",
)
for base, length in (((RNN,), 24), ((RNN,), 40), ((), 40)):
    BROKEN.append(
        broken(
            "vanishing gradients", "louder", swap("length=6", f"length={length}"),
            base=(*base, BEGINNING, swap("length=12", "length=6")), ops=("tanh", "sigmoid", "matmul", "mul"), modules=("lstm",),
        )
    )  # fmt: skip

# -- exploding gradients --

for std in (0.7, 1.5):
    BROKEN += [
        broken(
            "exploding gradients", "moons", moons_deep("ReLU", 7), drawn(f"normal_(p, std={std})"),
            also=("too large a start",), ops=("affine",), modules=("*",), mendable=True,
        ),
        broken(
            "exploding gradients", "stripes", stripes_deep("ReLU", 6), drawn(f"normal_(p, std={std / 2})"),
            also=("too large a start",), ops=("conv", "affine"), modules=("*",), mendable=True,
        ),
    ]  # fmt: skip
for factor in (8.0, 25.0):
    BROKEN.append(
        broken(
            "exploding gradients", "wave", *wave_deep(f"h = gg.relu({factor} * layer(h))", 5),
            ops=("mul", "affine"), modules=("layers",), mendable=True,
        )
    )  # fmt: skip
for size in (2.0, 4.0):
    wide = start("with gg.no_grad():", f"    model.lstm.weight_hh_l0.copy_({size} * gg.eye(24))")
    BROKEN.append(
        broken(
            "exploding gradients", "louder", wide,
            base=(TO_RELU, drop("nn.utils.clip_grad_norm_(model.parameters(), 1.0)"), swap("range(6)", "range(9)")),
            also=("too large a start",), ops=("matmul", "affine"), modules=("lstm",), mendable=True,
        )
    )  # fmt: skip
for size in (1.0, 2.0):
    wide = start(
        "for layer in model.head:",
        "    if isinstance(layer, nn.Linear):",
        f"        nn.init.normal_(layer.weight, std={size})",
    )
    BROKEN.append(
        broken(
            "exploding gradients", "majority", deep_head(MAJORITY_HEAD, 24, "kinds", "ReLU", 7), wide,
            also=("too large a start",), ops=("affine",), modules=("head",), mendable=True,
        )
    )  # fmt: skip

# -- saturated activations --

for std in (2.0, 6.0):
    BROKEN.append(
        broken(
            "saturated activations", "wave", drawn(f"normal_(p, std={std})"),
            also=("too large a start",), ops=("tanh",), mendable=True,
        )
    )  # fmt: skip
for std in (8.0, 25.0):
    BROKEN.append(
        broken(
            "saturated activations", "squashed", drawn(f"normal_(p, std={std})"),
            also=("too large a start",), ops=("sigmoid",), mendable=True,
        )
    )  # fmt: skip
for std in (1.0, 3.0):
    BROKEN += [
        broken(
            "saturated activations", "stripes", swap("    nn.ReLU(),\n", "    nn.Tanh(),\n", times=2),
            drawn(f"normal_(p, std={std})"), also=("too large a start",), ops=("tanh",), mendable=True,
        ),
        broken(
            "saturated activations", "alarm", start("for p in model.lstm.parameters():", f"    nn.init.normal_(p, std={4 * std})"),
            also=("too large a start",), ops=("sigmoid", "tanh"), modules=("lstm",), mendable=True,
        ),
    ]  # fmt: skip
for scale in (60, 600):
    BROKEN.append(
        broken(
            "saturated activations", "highest", swap("* self.scale\n", f"* {scale}\n"), drop("self.scale = width**-0.5"),
            ops=("softmax", "mul"),
        )
    )  # fmt: skip
for gain in (20.0, 60.0):
    BROKEN.append(
        broken(
            "saturated activations", "gpt", start("for block in model.blocks:", f"    nn.init.normal_(block.qkv.weight, std={gain})"),
            also=("too large a start",), ops=("softmax",), modules=("blocks.0.qkv", "blocks.1.qkv"), mendable=True,
        )
    )  # fmt: skip

# -- dead rectifiers --

DEAD = (
    ("moons", "model[0].bias", ("0", "1"), ()),
    ("stripes", "model[3].bias", ("3", "4"), ()),
    ("digits", "net.bn2.bias", ("bn2",), ()),
    ("blobs", "model.stem.bias", ("stem",), ()),
    ("louder", "model.embed.bias", ("embed",), ()),
    ("highest", "net.hidden.bias", ("hidden",), ()),
)
for template, bias, modules, base in DEAD:
    for size in (-6.0, -25.0):
        BROKEN.append(
            broken(
                "dead rectifiers", template, start(f"nn.init.constant_({bias}, {size})"),
                ops=("relu",), modules=modules, mendable=True, base=base,
            )
        )  # fmt: skip
BROKEN.append(
    broken(
        "dead rectifiers", "wave", swap("gg.tanh(", "gg.relu(", times=2), start("nn.init.uniform_(net.second.weight, -0.6, 0.0)"),
        optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)"), after("self.second =", "nn.init.constant_(self.second.bias, -1.0)"),
        ops=("relu",), modules=("second",), mendable=True,
    )
)  # fmt: skip

"""Weights that begin equal, at zero, too small or too large."""

from edits import Broken, broken, drawn, optimizer, start, swap

BROKEN: list[Broken] = []
ANYWHERE = {"modules": ("*",), "whole": True, "mendable": True}

for template, sizes in {
    "moons": (0.1, 0.5), "wave": (0.02, 0.05), "residual": (0.05, 0.2), "stripes": (0.05, 0.2), "digits": (0.1,),
    "louder": (0.1, 0.02), "tides": (0.1, 0.2), "spelling": (0.1,), "majority": (0.1, 0.3), "pairs": (0.1,), "highest": (0.1,),
}.items():  # fmt: skip
    for size in sizes:
        same = start(
            "for name, p in NET.named_parameters():",
            "    if p.ndim > 1:", f"        nn.init.constant_(p, {size})",
            '    elif "bias" in name:', "        nn.init.zeros_(p)",
        )  # fmt: skip
        BROKEN.append(broken("symmetric start", template, same, **ANYWHERE))

for template in ("moons", "wave", "cancer", "stripes", "digits", "louder", "alarm", "majority", "highest", "gpt"):
    BROKEN.append(broken("zero start", template, drawn("zeros_(p)"), **ANYWHERE))
for template, layers in {"moons": "(model[2], model[4])", "blobs": "(model.block[2], model.head, model.stem)"}.items():
    both = start(f"for layer in {layers}:", "    nn.init.zeros_(layer.weight)", "    nn.init.zeros_(layer.bias)")
    BROKEN.append(broken("zero start", template, both, **ANYWHERE))

SGD = {
    "louder": optimizer("optim.SGD(NET.parameters(), lr=0.5, momentum=0.9)"),
    "alarm": optimizer("optim.SGD(NET.parameters(), lr=0.5, momentum=0.9)"),
    "majority": optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)"),
    "highest": optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)"),
    "blobs": optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)"),
    "moons": optimizer("optim.SGD(NET.parameters(), lr=0.2, momentum=0.9)"),
}
for template, deviations in {
    "moons": (1e-2, 1e-4), "wave": (1e-2, 1e-4), "stripes": (1e-2, 1e-4),
    "louder": (1e-2, 1e-4), "alarm": (1e-3,), "highest": (1e-3,),
}.items():  # fmt: skip
    for std in deviations:
        base = (SGD[template],) if template in SGD else ()
        also = ("vanishing gradients",) if template in ("louder", "alarm") else ()  # through time, by small weights
        small = drawn(f"normal_(p, std={std})")
        BROKEN.append(broken("too small a start", template, small, base=base, also=also, **ANYWHERE))

for template, deviations in {
    "moons": (2.0, 8.0),
    "residual": (1.0,),
    "blobs": (0.7, 2.0),
    "majority": (1.0, 2.0),
}.items():
    for std in deviations:
        BROKEN.append(
            broken(
                "too large a start",
                template,
                drawn(f"normal_(p, std={std})"),
                also=("exploding gradients",),
                **ANYWHERE,
            )
        )
for template, layer, deviations in (
    ("digits", "fc", (10.0, 50.0)),
    ("louder", "head", (15.0, 60.0)),
    ("spelling", "head", (8.0,)),
):
    for std in deviations:
        wide = start(f"nn.init.normal_(NET.{layer}.weight, std={std})")
        BROKEN.append(broken("too large a start", template, wide, modules=(layer,), whole=True, mendable=True))
for std in (2.0, 10.0):
    wide = swap("nn.init.normal_(self.tokens.weight, std=0.1)", f"nn.init.normal_(self.tokens.weight, std={std})")
    BROKEN.append(broken("too large a start", "gpt", wide, modules=("tokens", "head"), whole=True, mendable=True))

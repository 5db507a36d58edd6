"""Healthy programs: variants of the templates within what is sane, and the recipes' short runs."""

from __future__ import annotations

from edits import Edit, Healthy, after, optimizer, seed, slower, start, swap

from glassgrad.recipes import RECIPES

DIGITS = ("constant features",)
"""Some pixels at the edge of the digits are never inked."""

VARIANTS: dict[str, tuple[tuple[Edit, ...], ...]] = {
    "moons": (
        (swap("nn.ReLU()", "nn.Tanh()", times=2), swap("loss = criterion(logits, y_train[rows])", "penalty = sum((p**2).sum() for p in model.parameters())\n        loss = criterion(logits, y_train[rows]) + 1e-5 * penalty")),
        (swap("nn.Linear(32, 32), nn.ReLU(), ", ""), swap("len(x_train), 64)", "len(x_train), 32)"), swap("+ 64]", "+ 32]")),
        (optimizer("optim.SGD(NET.parameters(), lr=0.2, momentum=0.9)"), swap("nn.ReLU()", "nn.ELU()", times=2)),
    ),
    "wave": (
        (swap("width=48", "width=96"), slower(0.6)),
        (swap("gg.tanh(", "nn.functional.silu(", times=2), optimizer("optim.Adam(NET.parameters(), lr=5e-3)")),
        (swap("loss = ((pred - yb) ** 2).mean()", "loss = nn.functional.huber_loss(pred, yb)"), swap("range(200)", "range(300)")),
        (
            swap("opt = gg.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)\n", "rate = 0.2\n"), swap("opt.zero_grad()", "net.zero_grad()"),
            swap("    opt.step()\n", "    with gg.no_grad():\n        for p in net.parameters():\n            p -= rate * p.grad\n"), swap("range(200)", "range(400)"),
        ),
    ),
    "cancer": (
        (swap("width=32", "width=16"), swap("nn.Dropout(0.2)", "nn.Dropout(0.5)")),
        (swap("batch_size=48", "batch_size=24"), swap("range(10)", "range(6)"), optimizer("optim.SGD(NET.parameters(), lr=0.05)")),
    ),
    "residual": (
        (swap("depth=3", "depth=6"), swap("3e-3", "2e-3")),
        (swap("F.gelu(", "F.relu("), optimizer("optim.SGD(NET.parameters(), lr=0.1, momentum=0.9)")),
    ),
    "squashed": (
        (swap("nn.Sigmoid()", "nn.Softplus()", times=2), slower(0.3)),
        (swap("@gg.compile\n", ""), swap("lr=0.03", "lr=0.03, betas=(0.8, 0.99)")),
    ),
    "autoencoder": (
        (swap("nn.ReLU()", "nn.GELU()", times=2), swap("width=32", "width=64")),
        (optimizer("optim.AdamW(NET.parameters(), lr=0.01)"), after("optimizer =", "halving = optim.lr_scheduler.MultiStepLR(optimizer, [10, 20])"), after("order =", "halving.step()")),
    ),
    "xor": (
        (swap("lr=2.0, momentum=0.9", "lr=5.0"), swap("range(300)", "range(600)"), swap("nn.BCELoss()", "nn.MSELoss()"), swap("std=1.0", "std=2.0"), swap("nn.Linear(2, 4)", "nn.Linear(2, 8)"), swap("nn.Linear(4, 1)", "nn.Linear(8, 1)")),
        (swap("nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1)", "nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)"), optimizer("optim.Adam(NET.parameters(), lr=0.05)")),
    ),
    "stripes": (
        (swap("nn.MaxPool2d(2)", "nn.AvgPool2d(2)", times=2), optimizer("optim.Adam(NET.parameters(), lr=5e-3)")),
        (after("optimizer =", "scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=64)"), swap("        optimizer.step()\n", "        optimizer.step()\n        scheduler.step()\n")),
        (swap("batch_size=32", "batch_size=20"), slower(0.5), swap("nn.Conv2d(1, 8, 3, padding=1),", "nn.Conv2d(1, 8, 3, padding=1, bias=False),\n    nn.BatchNorm2d(8),")),
    ),
    "digits": (
        (swap("nn.Dropout(0.25)", "nn.Dropout2d(0.1)"), swap("self.dropout(x.flatten(1))", "self.dropout(x).flatten(1)")),
        (optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9, nesterov=True)"), swap("batch_size=40", "batch_size=32")),
    ),
    "blobs": (
        (swap("channels=8", "channels=16"), slower(0.7)),
        (swap("nn.MSELoss()", "nn.L1Loss()"), start("for p in NET.parameters():", "    if p.ndim > 1:", '        nn.init.kaiming_normal_(p, nonlinearity="relu")')),
    ),
    "patches": (
        (swap("nn.LeakyReLU(0.1)", "nn.ReLU()", times=2), slower(0.6)),
        (swap("step = gg.compile(step)\n", ""), optimizer("optim.NAdam(NET.parameters(), lr=5e-3)")),
    ),
    "louder": (
        (swap("hidden=24", "hidden=40"), slower(0.7), swap("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(label_smoothing=0.05)")),
        (swap("nn.LSTM(16", "nn.GRU(16"), swap("model.parameters(), 1.0)", "model.parameters(), 5.0)")),
        (optimizer("optim.SGD(NET.parameters(), lr=0.1, momentum=0.9)"), swap("range(6)", "range(14)")),
    ),
    "tides": (
        (swap("hidden=20", "hidden=32"), swap("F.mse_loss(said, y)\n    optimizer", "((said - y) ** 2).sum() / y.numel()\n    optimizer")),
        (swap("nn.LSTM(1", "nn.RNN(1"), swap("state = tuple(part.detach() for part in state)", "state = state.detach()"), slower(0.5)),
    ),
    "spelling": (
        (swap("width=32", "width=48"), swap("gamma=0.99", "gamma=0.995")),
        (swap("        if targets is not None:\n            loss =", "        if targets is not None:\n            loss ="), slower(0.6), swap("size=16, length=12", "size=24, length=8")),
    ),
    "alarm": (
        (swap("hidden=16", "hidden=24"), optimizer("optim.Adam(NET.parameters(), lr=0.01)")),
        (swap("num_layers=2, batch_first=True, dropout=0.1", "batch_first=True, bidirectional=True"), swap("nn.Linear(hidden, 1)", "nn.Linear(2 * hidden, 1)"), swap("h[-1]", "gg.cat([h[0], h[1]], dim=1)")),
    ),
    "gpt": (
        (swap("depth=2", "depth=4"), slower(0.5)),
        (swap("width=32", "width=48"), swap("        self.head.weight = self.tokens.weight\n", ""), swap("F.gelu(", "F.relu(")),
        (after("model = GPT", "train_step = gg.compile(lambda x, y: model(x, targets=y))"), swap("std=0.1", "std=0.02"), swap("train_step = gg.compile(lambda x, y: model(x, targets=y))\n", "")),
    ),
    "majority": (
        (swap("dim_feedforward=48, dropout=0.1", "dim_feedforward=64, dropout=0.2"), swap("(layer, 2)", "(layer, 3)")),
        (optimizer("optim.SGD(NET.parameters(), lr=0.05, momentum=0.9)"), swap("range(100)", "range(150)")),
    ),
    "highest": (
        (swap("width=24", "width=32"), slower(0.6)),
        (swap("nn.LayerNorm(width), nn.LayerNorm(width)", "nn.RMSNorm(width), nn.RMSNorm(width)"), swap("((pred - yb) ** 2).mean()", "nn.functional.smooth_l1_loss(pred, yb)")),
    ),
    "pairs": (
        (swap("range(2)", "range(1)"), swap('"gelu"', '"relu"')),
        (swap("width=32, length", "width=24, length"), swap("lr=2e-3", "lr=3e-3")),
    ),
}  # fmt: skip

HEALTHY = [
    Healthy(template, (*edits, seed(number)), DIGITS if template == "residual" else ())
    for template, variants in VARIANTS.items()
    for number, edits in enumerate(((), *variants))
]

# The XOR net of the article's recipe stands on a saddle: that is what the recipe is there to show.
RECIPE = {"article": ("flat place", "too small a start", "too low a rate"), "digits": DIGITS, "mnist": DIGITS}
RECIPES_SHORT = [
    Healthy(f"recipe {name}", (), RECIPE.get(name, ()))
    for name in RECIPES
]  # fmt: skip


def recipe_text(name: str) -> str:
    """A program that runs a recipe's short form."""
    words = ["recipe", name, *(["tic_tac_toe"] if name == "game" else []), "--short", "--html"]
    return (
        "import tempfile\n\nfrom glassgrad.cli import app\n\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        f'    app([{", ".join(map(repr, words))}, folder + "/page.html"])\n'
    ).replace("'", '"')

"""The fifth set: sales, a graph, a flight, beads, glyphs, noise, sums of bits, names, requests and auctions."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, Healthy, optimizer, seed, slower, swap

from . import fifth_data, fifth_flow, fifth_losses, fifth_steps, fifth_wiring

NETS: dict[str, str] = {
    "bakery": "MLP", "friends": "MLP", "drone": "MLP", "beads": "CNN", "glyphs": "CNN", "hush": "CNN",
    "carry": "LSTM", "islands": "LSTM", "intents": "transformer", "bidding": "transformer",
}  # fmt: skip
LEARNED: dict[str, float] = {"bakery": 0.25, "drone": 0.05, "glyphs": 0.1, "hush": 0.15}

VARIANTS = {
    "bakery": (
        swap("hidden=32, p_drop=0.05", "hidden=48, p_drop=0.1"), swap("nn.ReLU()", "nn.SiLU()"),
        swap("gg.optim.Adam(model.parameters(), lr=6e-3)", "gg.optim.AdamW(model.parameters(), lr=8e-3, weight_decay=1e-3)"),
    ),
    "friends": (swap("GCN(10, 16, 3, dropout=0.3)", "GCN(10, 32, 3, dropout=0.5)"), optimizer("optim.RMSprop(NET.parameters(), lr=5e-3)")),
    "drone": (
        optimizer("optim.Adamax(params, lr=0.02)"), swap("starts(32)", "starts(48)"),
        swap("def train_step", "@gg.compile\ndef train_step"),
    ),
    "beads": (swap("width=10", "width=12"), swap("nn.ReLU()", "nn.GELU()"), swap("max_lr=0.02", "max_lr=0.015"), swap("batch_size=32", "batch_size=40")),
    "glyphs": (swap("channels=8, dim=8", "channels=12, dim=12"), swap("ACCUMULATE = 2", "ACCUMULATE = 1"), slower(0.8)),
    "hush": (swap("optim.RMSprop(model.parameters(), lr=2e-3)", "optim.Adam(model.parameters(), lr=5e-3)"), swap("dilations=(1, 2, 4)", "dilations=(1, 2)")),
    "carry": (swap("nn.LSTM(input", "nn.GRU(input"), swap("hidden=24", "hidden=32"), slower(0.6)),
    "islands": (swap("optim.Adagrad(classifier.parameters(), lr=0.05)", "optim.Adam(classifier.parameters(), lr=0.01)"), swap("hidden=16", "hidden=20")),
    "intents": (swap("norm_first=True", 'norm_first=True, activation="gelu"'), swap("d_model=24, nhead=2", "d_model=32, nhead=4"), swap("label_smoothing=0.02", "label_smoothing=0.0")),
    "bidding": (swap("dim=24, heads=3", "dim=32, heads=2"), slower(0.6), swap("F.smooth_l1_loss(estimate", "F.mse_loss(estimate")),
}  # fmt: skip

HEALTHY: list[Healthy] = []
for template, edits in VARIANTS.items():
    HEALTHY += [Healthy(template), Healthy(template, (*edits, seed(2)))]

BROKEN: list[Broken] = [
    *fifth_data.BROKEN, *fifth_flow.BROKEN, *fifth_losses.BROKEN, *fifth_steps.BROKEN, *fifth_wiring.BROKEN,
]  # fmt: skip

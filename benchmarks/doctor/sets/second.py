# ruff: noqa: E501
"""The second set: other nets, and the faults in them."""

from edits import Broken, Healthy, drop, seed, swap

from . import second_data, second_flow, second_losses, second_rates, second_wiring
from .second_common import rule

NETS: dict[str, str] = {
    "vintages": "MLP", "gauges": "MLP", "savours": "MLP", "outlines": "CNN", "heartbeats": "CNN", "clocks": "CNN",
    "ledger": "LSTM", "grammar": "LSTM", "echoes": "transformer", "twins": "transformer",
}  # fmt: skip
"""The healthy programs of this set, and what kind of net each one trains."""
LEARNED: dict[str, float] = {}
"""Losses below which something is learned, where they are not the usual one."""
BROKEN: list[Broken] = [
    *second_flow.BROKEN, *second_rates.BROKEN, *second_wiring.BROKEN, *second_losses.BROKEN, *second_data.BROKEN,
]  # fmt: skip

VARIANTS = {
    "vintages": (
        rule("vintages", "AdamW", "lr=5e-3"), swap("hidden=32", "hidden=48"), swap("nn.Dropout(0.2)", "nn.Dropout(0.3)"),
    ),
    "gauges": (
        swap("F.silu(", "gg.tanh(", times=2), rule("gauges", "SGD", "lr=0.1, momentum=0.9"),
        swap("weight(5, 40), bias(40)", "weight(5, 64), bias(64)"), swap("weight(40, 40)", "weight(64, 40)"),
    ),
    "savours": (
        swap("nn.LeakyReLU()", "nn.ReLU()", times=2), swap("size=8, hidden=32", "size=6, hidden=48"), swap("batch_size=60", "batch_size=40"),
        rule("savours", "Adam", "lr=5e-3"),
    ),
    "outlines": (swap("channels=6", "channels=8"), swap("0.5 * dice", "dice"), rule("outlines", "Adam", "lr=0.01, betas=(0.85, 0.99)")),
    "heartbeats": (
        swap("nn.ReLU(),", "nn.SiLU(),"), swap("batch_size=20", "batch_size=32"), rule("heartbeats", "RMSprop", "lr=2e-3"), swap("range(6)", "range(8)"),
    ),
    "clocks": (swap("@gg.compile\n", ""), swap("nn.ELU()", "nn.ReLU()", times=3), rule("clocks", "SGD", "lr=0.1, momentum=0.9")),
    "ledger": (
        swap("nn.GRU(2, hidden)", "nn.LSTM(2, hidden)"), swap("every=2", "every=1"), swap("gamma=0.85", "gamma=0.9"),
        swap("clip_grad_value_(model.parameters(), 0.5)", "clip_grad_norm_(model.parameters(), 1.0)"),
    ),
    "grammar": (
        swap("nn.Dropout(0.1)", "nn.Dropout(0.3)"), swap("nn.LSTM(width, hidden", "nn.GRU(width, hidden"), rule("grammar", "AdamW", "lr=0.01"),
    ),
    "echoes": (swap("depth=2", "depth=1"), swap("lr=4e-3", "lr=6e-3"), swap("width=32, heads=2", "width=40, heads=4")),
    "twins": (
        drop("h = self.transformer(self.embed(tokens) + self.positions)"),
        swap("        return F.normalize(self", "        h = self.transformer(self.embed(tokens) * 24**0.5 + self.positions)\n        return F.normalize(self"),
        swap("size=24", "size=32"), swap("norm_first=True", "norm_first=False"),
    ),
}  # fmt: skip
HEALTHY: list[Healthy] = [
    Healthy(template, (*edits, seed(number)))
    for template, variant in VARIANTS.items()
    for number, edits in enumerate(((), variant))
]

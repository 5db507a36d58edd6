"""The third set: other nets, and the faults in them."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, Healthy, after, optimizer, slower, swap

from . import third_data, third_flow, third_steps, third_wiring

NETS: dict[str, str] = {
    "vineyard": "MLP", "friedman": "MLP", "films": "MLP", "shapes": "CNN", "beats": "CNN", "dials": "CNN",
    "adding": "LSTM", "tagger": "LSTM", "mirror": "transformer", "lookup": "transformer",
}  # fmt: skip
"""The healthy programs of this set, and what kind of net each one trains."""
LEARNED: dict[str, float] = {"shapes": 0.15}
"""Losses below which something is learned, where they are not the usual one."""
BROKEN: list[Broken] = [*third_flow.BROKEN, *third_steps.BROKEN, *third_wiring.BROKEN, *third_data.BROKEN]

VARIANTS = {
    "vineyard": (swap("hidden=24", "hidden=40"), swap("optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)", "optim.Adam(model.parameters(), lr=5e-3)")),
    "friedman": (swap("[5, 32, 32, 1]", "[5, 48, 24, 24, 1]"), swap("F.leaky_relu(h @ params[i] + params[i + 1], 0.1)", "F.silu(h @ params[i] + params[i + 1])"), swap("@gg.compile\n", "")),
    "films": (swap("size=8", "size=4"), optimizer("optim.AdamW(NET.parameters(), lr=0.01, weight_decay=0.1)"), swap("nn.ReLU()", "nn.ELU()", times=2)),
    "shapes": (swap("width=6", "width=8"), swap("batch_size=24", "batch_size=16"), swap("optim.NAdam(", "optim.Adam("), swap("epochs=6", "epochs=4")),
    "beats": (after("nn.Conv1d(inside", "nn.BatchNorm1d(outside),"), swap("nn.ReLU(),", "nn.LeakyReLU(0.1),"), swap("epoch in range(12)", "epoch in range(8)"), swap("12 * len(batches)", "8 * len(batches)")),
    "dials": (swap("accumulate, steps = 2, 160", "accumulate, steps = 4, 240"), swap("channels=8", "channels=6"), slower(1.5)),
    "adding": (swap("nn.GRUCell(inputs, hidden)", "nn.RNNCell(inputs, hidden)"), swap("hidden=24", "hidden=32"), slower(0.5)),
    "tagger": (swap('"hidden": 20', '"hidden": 32'), swap("optim.Adamax(", "optim.NAdam("), slower(0.5)),
    "mirror": (swap("layers=1", "layers=2"), swap("nn.GELU()", "nn.ReLU()"), slower(0.4)),
    "lookup": (swap("width=16", "width=24"), swap("nn.Tanh()", "nn.SiLU()"), swap("batch_size=32", "batch_size=24")),
}  # fmt: skip
HEALTHY: list[Healthy] = [Healthy(template, edits) for template in NETS for edits in ((), VARIANTS[template])]

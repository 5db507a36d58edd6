"""The fourth set: other nets, and the faults in them."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, Healthy, after, drop, slower, swap

from . import fourth_flow, fourth_wiring, fourth_words

NETS: dict[str, str] = {
    "cellar": "MLP", "fiveterms": "MLP", "tastes": "MLP", "lesions": "CNN", "waveforms": "CNN", "dreamt": "CNN",
    "crossing": "LSTM", "depths": "LSTM", "inorder": "transformer", "tiles": "transformer",
}  # fmt: skip
"""The healthy programs of this set, and what kind of net each one trains."""
LEARNED: dict[str, float] = {"crossing": 0.15, "fiveterms": 0.2, "lesions": 0.3}
"""Losses below which something is learned, where they are not the usual one."""
BROKEN: list[Broken] = [*fourth_wiring.BROKEN, *fourth_flow.BROKEN, *fourth_words.BROKEN]
PIXELS = ("constant features",)
"""Some pixels at the edge of the digits are never inked."""
HEALTHY: list[Healthy] = [
    *(Healthy(name, (), PIXELS if name in ("dreamt", "tiles") else ()) for name in NETS),
    Healthy("cellar", (swap("MLP(13, 24, 3)", "MLP(13, 40, 3)"), swap("gg.relu(", "nn.functional.gelu(", times=2), swap("optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-4)", "optim.AdamW(model.parameters(), lr=3e-3)"))),
    Healthy("fiveterms", (swap("gg.relu(", "gg.tanh(", times=2), drop("@gg.compile"), swap("(2 / n_in)", "(1 / n_in)"), swap("optim.RMSprop(params, lr=2e-3, alpha=0.95)", "optim.Adam(params, lr=5e-3)"))),
    Healthy("tastes", (swap("dim=8", "dim=12"), swap("ACCUMULATE = 2", "ACCUMULATE = 1"), swap("lr=0.08", "lr=0.06"))),
    Healthy("lesions", (swap("width=8", "width=12"), swap("nn.ReLU()", "nn.LeakyReLU(0.1)", times=4), swap("optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-3)", "optim.SGD(model.parameters(), lr=lr, momentum=0.9)"), swap("lr=5e-3", "lr=0.05"))),
    Healthy("waveforms", (swap("nn.ReLU()", "nn.SiLU()", times=2), swap("nn.AdaptiveAvgPool1d(3)", "nn.AdaptiveMaxPool1d(3)"), swap("batch_size=32", "batch_size=16"), swap("optim.Adam(model.parameters(), lr=1e-3)", "optim.NAdam(model.parameters(), lr=1e-3)"))),
    Healthy("dreamt", (swap("code=8", "code=12"), swap("beta=0.002", "beta=0.001"), swap("split(32)", "split(20)"), slower(0.6)), PIXELS),
    Healthy("crossing", (swap("nn.GRU(2, hidden", "nn.LSTM(2, hidden"), swap("hidden=24", "hidden=32"), swap("nn.SmoothL1Loss()", "nn.MSELoss()"), swap("range(6)", "range(8)"))),
    Healthy("depths", (swap("hidden: int = 32", "hidden: int = 48"), swap("optim.RAdam(groups", "optim.Adam(groups"), swap("lr: float = 1.5e-2", "lr: float = 8e-3"), after("self.rnn =", "self.norm = nn.LayerNorm(config.hidden)"), swap("self.classifier(states)", "self.classifier(self.norm(states))"), swap("*model.rnn.parameters(), ", "*model.rnn.parameters(), *model.norm.parameters(), "))),
    Healthy("inorder", (swap("heads=4, n_blocks=2", "heads=2, n_blocks=3"), swap("nn.GELU()", "nn.ReLU()"), swap("lr=6e-3", "lr=4e-3"), swap("get_batch(32)", "get_batch(48)"))),
    Healthy("tiles", (swap("self.fc(x[:, 0])", "self.fc(x.mean(1))"), swap("dim=32, depth=2", "dim=40, depth=1"), swap("batch_size=32", "batch_size=25"), swap("Adam(model.parameters(), lr=4e-3)", "Adam(model.parameters(), lr=3e-3, weight_decay=1e-5)")), PIXELS),
]  # fmt: skip

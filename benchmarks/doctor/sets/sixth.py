"""The sixth set: other nets, and the faults in them."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, Healthy, after, drop, swap

from . import sixth_course, sixth_data, sixth_wiring

NETS: dict[str, str] = {
    "topics": "MLP", "rents": "MLP", "villages": "MLP", "motifs": "CNN", "sharper": "CNN", "pennants": "CNN",
    "reviews": "LSTM", "wear": "LSTM", "watts": "transformer", "stories": "transformer",
}  # fmt: skip
"""The healthy programs of this set, and what kind of net each one trains."""
LEARNED: dict[str, float] = {
    "topics": 0.4, "rents": 0.12, "villages": 0.3, "motifs": 0.3, "sharper": 0.3, "pennants": 0.4, "reviews": 0.4,
    "wear": 0.15, "watts": 0.4, "stories": 0.8,
}  # fmt: skip
"""Losses below which something is learned: here all have their own level."""
BROKEN: list[Broken] = [*sixth_wiring.BROKEN, *sixth_course.BROKEN, *sixth_data.BROKEN]
HEALTHY: list[Healthy] = [
    *(Healthy(name) for name in NETS),
    Healthy("topics", (swap('"hidden": (48, 32)', '"hidden": (64,)'), swap("nn.BatchNorm1d(size), nn.ReLU()", "nn.LayerNorm(size), nn.LeakyReLU(0.05)"), swap('"optimizer": "AdamW"', '"optimizer": "SGD"'), swap('{"lr": 5e-3, "weight_decay": 1e-3}', '{"lr": 0.3, "momentum": 0.9, "nesterov": True}'))),
    Healthy("rents", (swap("blocks: int = 2", "blocks: int = 4"), swap("F.silu(", "F.gelu("), swap("nn.LayerNorm(width)", "nn.RMSNorm(width)"), swap("lr: float = 8e-3", "lr: float = 5e-3"), swap("(0.1, 0.5, 0.9)", "(0.25, 0.5, 0.75)"))),
    Healthy("villages", (swap("hidden=24, dropout=0.2", "hidden=32, dropout=0.4"), swap("F.relu(", "F.elu(", times=2), swap("optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)", "optim.SGD(model.parameters(), lr=0.1, momentum=0.9)"), swap("range(1, 61)", "range(1, 101)"))),
    Healthy("motifs", (swap("filters=16, hidden=24, lr=8e-3", "filters=24, hidden=16, lr=5e-3"), swap("nn.ReLU()", "nn.SiLU()", times=2), swap("optim.NAdam(", "optim.Adamax("), swap("lr=5e-3):", "lr=1.5e-2):"))),
    Healthy("sharper", (swap("channels=24", "channels=16"), swap("F.elu(", "F.gelu(", times=2), swap("lr=4e-3", "lr=6e-3"), drop("@gg.compile"), swap("range(8)", "range(10)"))),
    Healthy("pennants", (swap('"width": 8', '"width": 12'), swap("nn.ReLU()", "nn.LeakyReLU(0.1)", times=2), swap('"batch_size": 32', '"batch_size": 28'), swap("    nesterov=True,\n", ""), swap('"lr": 0.04', '"lr": 0.03'))),
    Healthy("reviews", (swap("self.gru = nn.GRU(", "self.gru = nn.LSTM("), swap("embed_dim=16, hidden_dim=24", "embed_dim=24, hidden_dim=20"), swap("optim.Adam(model.parameters(), lr=1e-2)", "optim.NAdam(model.parameters(), lr=8e-3)"), swap("range(6)", "range(8)"))),
    Healthy("wear", (swap("nn.LSTMCell(SENSORS, hidden)", "nn.GRUCell(SENSORS, hidden)"), swap("            h, c = self.cell(x[:, t], (h, c))", "            h = self.cell(x[:, t], h)"), drop("c = gg.zeros(x.shape[0], self.hidden)"), swap("optim.RMSprop(model.parameters(), lr=4e-3)", "optim.Adam(model.parameters(), lr=1e-2)"), swap("nn.MSELoss()", "nn.HuberLoss()"))),
    Healthy("watts", (swap("patch: int = 6", "patch: int = 8"), swap("layers: int = 2", "layers: int = 1"), swap('activation="gelu", batch_first=True, norm_first=True', 'activation="relu", batch_first=True'), swap("optim.AdamW(self.model.parameters(), lr=settings.lr, weight_decay=0.01)", "optim.NAdam(self.model.parameters(), lr=settings.lr)"))),
    Healthy("stories", (swap("n_layer=2", "n_layer=3"), swap("nn.ReLU()", "nn.GELU()"), swap("learning_rate=6e-3", "learning_rate=4e-3"), swap("batch_size=12", "batch_size=24"), swap("gradient_accumulation_steps=2", "gradient_accumulation_steps=1"), after("self.lm_head =", "self.lm_head.weight = self.wte.weight"))),
]  # fmt: skip

"""The seventh set: other nets, and the faults in them."""

# ruff: noqa: E501 (edits hold lines of programs)

from edits import Broken, Healthy, drop, optimizer, swap

from . import seventh_course, seventh_data, seventh_wiring

NETS: dict[str, str] = {
    "pipettes": "MLP", "petalled": "MLP", "rotated": "CNN", "seismics": "CNN", "melodies": "LSTM", "patients": "LSTM",
    "pointers": "transformer", "receipts": "transformer",
}  # fmt: skip
"""The healthy programs of this set, and what kind of net each one trains."""
LEARNED: dict[str, float] = {
    "pipettes": 0.12, "petalled": 0.45, "rotated": 0.45, "seismics": 0.1, "melodies": 0.6, "patients": 0.35,
    "pointers": 0.6, "receipts": 0.1,
}  # fmt: skip
"""Losses below which something is learned: here all have their own level."""
BROKEN: list[Broken] = [*seventh_wiring.BROKEN, *seventh_course.BROKEN, *seventh_data.BROKEN]
HEALTHY: list[Healthy] = [
    *(Healthy(name) for name in NETS),
    Healthy("pipettes", (swap("hidden: int = 40", "hidden: int = 32"), swap("layers: int = 2", "layers: int = 3"), swap("nn.ReLU()", "nn.SiLU()"), swap("batch_size: int = 40", "batch_size: int = 25"), swap("optim.Adam(", "optim.RAdam("), swap("lr: float = 5e-3", "lr: float = 8e-3"))),
    Healthy("petalled", (swap("hidden=24", "hidden=16"), swap("nn.Dropout(0.1)", "nn.Dropout(0.25)"), swap("batch_size=20", "batch_size=25"), swap("optim.RMSprop(", "optim.Adagrad("), swap("lr=2e-3", "lr=3e-2"))),
    Healthy("rotated", (swap('"channels": 12', '"channels": 16'), swap("F.relu(self.bn", "F.leaky_relu(self.bn"), swap('"momentum": 0.9', '"momentum": 0.8'), swap('"batch_size": 32', '"batch_size": 40'), swap('"epochs": 6', '"epochs": 8'))),
    Healthy("seismics", (swap("width=16", "width=20"), swap("F.relu(self.conv(x))", "F.silu(self.conv(x))"), swap("nn.MSELoss()", "nn.SmoothL1Loss()"), optimizer("optim.Adam(NET.parameters(), lr=3e-3)"), drop("@gg.compile"))),
    Healthy("melodies", (swap("nn.GRU(", "nn.LSTM("), swap("hidden_dim=40", "hidden_dim=48"), swap("dropout=0.1", "dropout=0.05"), swap("optim.Adam(", "optim.AdamW("), swap("batch_size=32", "batch_size=24"))),
    Healthy("patients", (swap("nn.LSTM(", "nn.GRU("), swap("_, (h, _) = ", "_, h = "), swap("accumulate=2", "accumulate=1"), swap("lr=1e-2", "lr=5e-3"), swap("aux_weight=0.3", "aux_weight=0.5"))),
    Healthy("pointers", (swap("dim=32, heads=4", "dim=40, heads=2"), swap("nn.GELU()", "nn.ReLU()"), swap("scenes(48)", "scenes(40)"), swap("optim.NAdam(", "optim.AdamW("), swap("lr=2e-3", "lr=3e-3"))),
    Healthy("receipts", (swap("num_layers = 2", "num_layers = 1"), swap("dropout = 0.05", "dropout = 0.0"), swap("nn.SmoothL1Loss()", "nn.MSELoss()"), swap("lr = 3e-3", "lr = 5e-3"), swap("ema = 0.95", "ema = 0.9"))),
]  # fmt: skip

"""How long `doctor.check` takes on the GPT of 4 layers, width 128, block 64, batch 12, AdamW; and what it says.

python benchmarks/doctor/gpt.py
"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import glassgrad as gg
from works import gpt

gg.manual_seed(0)
model = gpt.net(gg)
arrays = {name: gg.tensor(array) for name, array in gpt.weights(np.random.default_rng(0)).items()}
model.load_state_dict(arrays)
x, y = (gg.tensor(part) for part in gpt.batch(np.random.default_rng(1)))
optimizer = gg.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)


def loss(said: gg.Tensor, true: gg.Tensor) -> gg.Tensor:
    """The mean cross-entropy of every character."""
    return gg.nn.functional.cross_entropy(said.view(-1, gpt.VOCABULARY), true.view(-1))


began = time.perf_counter()
found = gg.doctor.check(model, loss, (x, y), optimizer=optimizer)
print(found)
print(f"{time.perf_counter() - began:.1f} s, {len(found.findings)} findings, trials of {found.report.steps} steps")

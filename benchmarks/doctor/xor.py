"""The article's program for XOR under the doctor: from how many starts it is diagnosed without a hint, and mended.

    python benchmarks/doctor/xor.py [seeds]

Mended means: with the remedy that was proven, and nothing else changed, all four answers are right after the article's
1000 epochs.
"""

from __future__ import annotations

import sys
from collections import Counter

from glassgrad import Tensor, from_numpy, nn, no_grad, optim
from glassgrad.doctor import check
from glassgrad.findings import Finding
from glassgrad.recipes.article import EPOCHS, X, Y, start


def program(seed: int) -> tuple[nn.Module, optim.Optimizer]:
    """The article's net from a seed's first weights, and its optimizer."""
    net = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1)).double()
    w1, b1, w2, b2 = from_numpy(start(seed)).split([8, 4, 4, 1])
    with no_grad():
        for p, value in zip(net.parameters(), (w1.view(2, 4).t(), b1, w2.view(1, 4), b2), strict=True):
            p.copy_(value)
    return net, optim.SGD(net.parameters(), lr=0.1)


def right(net: nn.Module) -> bool:
    """Whether all four answers are right when rounded."""
    with no_grad():
        said: Tensor = net(X)
        return bool(((said > 0) == (Y > 0.5)).all())


def examined(seed: int) -> tuple[list[Finding], bool, bool]:
    """What is found from a seed, whether a remedy was proven, and whether it mends the program."""
    net, optimizer = program(seed)
    diagnosis = check(net, nn.BCEWithLogitsLoss(), (X, Y), optimizer=optimizer)
    for found in diagnosis.findings:
        if found.proof is not None and found.proof.holds:
            mended = diagnosis.apply(found)
            mended.train(EPOCHS)
            return diagnosis.findings, True, right(mended.model)
    return diagnosis.findings, False, False


def main(seeds: int = 100) -> None:
    counts: Counter[str] = Counter()
    for seed in range(seeds):
        findings, proven, mended = examined(seed)
        saddle = any(found.fault == "flat place" and "a saddle" in found.symptom for found in findings)
        counts.update({"diagnosed": saddle, "alone": len(findings) == 1, "proven": proven, "mended": mended})
        counts[f"remedy: {findings[0].remedy if findings else ''}"] += 1
    for name, count in counts.items():
        print(f"{name:60} {count:4} of {seeds}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)

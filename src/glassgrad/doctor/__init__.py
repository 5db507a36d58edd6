"""The doctor: finds where learning breaks, says why, and proves the remedy.

Example:
    >>> import glassgrad as gg
    >>> from glassgrad import nn
    >>> gg.manual_seed(0)  # doctest: +ELLIPSIS
    <...>
    >>> layers = [each for _ in range(8) for each in (nn.Linear(16, 16), nn.Sigmoid())]
    >>> net = nn.Sequential(*layers, nn.Linear(16, 1))
    >>> batch = gg.randn(32, 16), gg.randn(32, 1)
    >>> d = gg.doctor.check(net, nn.MSELoss(), batch, optimizer=gg.optim.SGD(net.parameters(), lr=0.1))
    >>> [finding.fault for finding in d.findings]
    ['vanishing gradients']
"""

from __future__ import annotations

from .check import Diagnosis, check
from .landscape import landscape
from .rule import RULES
from .script import examine, examine_text
from .trail import Trail
from .watch import watch

__all__ = ["RULES", "Diagnosis", "Trail", "check", "examine", "examine_text", "landscape", "watch"]

"""The rules, a file for each kind of fault. They look in this order: causes before what follows from them."""

from . import numbers, modes, starts, wiring, losses, data, flow, places, rates  # noqa: F401, I001 - the order counts

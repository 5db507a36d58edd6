"""The rules, a file for each kind of fault. They look in this order: causes before what follows from them.

Where one of these files imports another, the rules of the other look first.
"""

from . import (  # noqa: I001 - the order counts
    loops as loops,
    labels as labels,
    norms as norms,
    numbers as numbers,
    modes as modes,
    starts as starts,
    dead as dead,
    wiring as wiring,
    losses as losses,
    shapes as shapes,
    data as data,
    flow as flow,
    scales as scales,
    strides as strides,
    divergence as divergence,
    places as places,
    rates as rates,
    noise as noise,
    fit as fit,
)

"""The rules, a file for each kind of fault. They look in this order: causes before what follows from them.

Where one of these files imports another, the rules of the other look first.
"""

from . import (  # noqa: I001 - the order counts
    labels as labels,
    norms as norms,
    numbers as numbers,
    loops as loops,
    modes as modes,
    starts as starts,
    dead as dead,
    wiring as wiring,
    losses as losses,
    shapes as shapes,
    data as data,
    classes as classes,
    telling as telling,
    mixed as mixed,
    scales as scales,
    flow as flow,
    places as places,
    strides as strides,
    divergence as divergence,
    noise as noise,
    rates as rates,
    fit as fit,
)

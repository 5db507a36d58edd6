"""Random numbers as a pure function of a generator's state, so that a draw can be replayed and compiled.

The bits are those of Philox 4x64 with 10 rounds, a counter-based generator: J. Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3" (SC 2011). The state is [seed, counter]; a draw of n numbers uses ceil(n / 4) counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..op import ATOM, case, op
from ..spec import Dtype, Shape, Spec, float32, float64, numel

Array = Any


def _spec(state: Spec, *, shape: Shape, dtype: Dtype) -> Spec:
    if state.shape != (2,):
        raise ShapeError("a generator's state is [seed, counter]", got=str(state))
    return Spec(shape, dtype)


@op(
    spec=_spec, kind="random", latex=r"U(0, 1)", prec=ATOM, differentiable=False,
    cases=[
        case((2,), dtypes=("int64",), below=100, shape=(2, 3), dtype=float32),
        case((2,), dtypes=("int64",), below=100, shape=(), dtype=float64),
        case((2,), dtypes=("int64",), below=100, shape=(0, 3), dtype=float32),
    ],
    flops=lambda y, state, **_: numel(y.shape),
    says="Random numbers, even between 0 and 1 (1 never comes), that depend on the generator's state alone.",
)  # fmt: skip
def uniform01(xp: Any, state: Array, *, shape: Shape, dtype: Dtype) -> Array:
    seed, counter = (int(number) & 0xFFFF_FFFF_FFFF_FFFF for number in state)
    bits = np.random.Philox(key=seed, counter=counter).random_raw(numel(shape))
    kept = 24 if dtype == float32 else 53  # as many bits as the fraction holds
    return xp.asarray(((bits >> np.uint64(64 - kept)) * 2.0**-kept).astype(dtype).reshape(shape))


@uniform01.writes
def _(k: Any) -> Any:
    """Four numbers at a time; NumPy moves the counter before it draws, so block n comes from counter + n + 1."""
    f, count = k.f, k.val.size
    bits = 24 if k.val.dtype == float32 else 53
    key, counter = k.entry(0, [f.index(0)]), k.entry(0, [f.index(1)])
    with k.blocks(-(-count // 4), 64) as block:
        number = f.add(counter, f.add(block, f.index(1)))
        carry = f.convert("zext", f.compare("ult", number, counter), "i64")
        words = k.philox([number, carry, k.zero, k.zero], [key, k.zero])
        for lane, word in enumerate(words):
            share = f.convert("uitofp", f.lshr(word, f.index(64 - bits)), k.type.kind)
            place = f.add(f.mul(block, f.index(4)), f.index(lane))
            with k.below(place, count, whole=count % 4 == 0):
                k.put_flat(place, f.mul(share, f.const(2.0**-bits, k.type)))
    return k.done()

"""Windows side by side are lanes of a vector: the same places as by the value rule, however they lie."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engine import compile

WINDOWS = [  # kernel, stride, padding, dilation
    (2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 1), (2, 3, 0, 1), (3, 1, 0, 2), (4, 2, 2, 3), (1, 1, 0, 1), (5, 5, 2, 1),
]  # fmt: skip
LYING = {
    "in order": lambda x: x,
    "turned": lambda x: x.mT,
    "every other": lambda x: x[..., ::2],
    "backwards": lambda x: x.flip(-1),
    "the same everywhere": lambda x: x[..., :1].expand(x.shape),
    "one number": lambda x: gg.full_like(x, 2.0),
}


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_places_of_the_largest(window, dtype):
    kernel, stride, padding, dilation = window
    options = {"stride": stride, "padding": padding, "dilation": dilation, "return_indices": True}
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, (2, 3, 37, 37)).astype(dtype)
    if dtype.startswith("float"):
        x[rng.random(x.shape) < 0.1] = np.nan
        x[rng.random(x.shape) < 0.1] = -np.inf
    given = gg.from_numpy(x)

    def step(x):
        images = [gg.nn.functional.max_pool2d(lie(x), kernel, **options)[1] for lie in LYING.values()]
        row = gg.nn.functional.max_pool1d(x[0], kernel, ceil_mode=True, **options)[1]
        return *images, row

    go = compile(step, threads=1)
    go(given)
    for found, expected in zip(go(given), step(given), strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())

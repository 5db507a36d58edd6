"""Options, Hypothesis profiles and threads for all tests."""

from __future__ import annotations

import os
import shutil
import tempfile

# Two test processes share two cores: one thread each, and threads that sleep when idle. Set before NumPy or torch is
# imported, and inherited by every process a test starts.
for name, value in {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}.items():
    os.environ.setdefault(name, value)

import pytest  # noqa: E402
from hypothesis import HealthCheck, Phase, settings  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--native-graphs", type=int, default=20, metavar="N", help="random graphs for the native engine")
    parser.addoption("--graphs", type=int, default=300, metavar="N", help="random graphs to compare (default: 300)")
    parser.addoption("--kills", type=int, default=50, metavar="N", help="processes killed while they save (or train)")
    parser.addoption("--malformed", type=int, default=100, metavar="N", help="malformed files to load")
    parser.addoption(
        "--real-data", action="store_true", help="read real data sets, downloading what is not in the cache"
    )
    parser.addoption("--exhaustive", action="store_true", help="float32 functions over all 2^32 arguments (hours)")


def pytest_configure(config: pytest.Config) -> None:
    """Profiles: `dev` draws new examples each time, `ci` always the same, `graphs` --graphs of them.

    A test of random graphs is decorated with ``@settings.get_profile("graphs")`` (a settings object is a decorator).
    """
    # No deadline: one slow example on a busy machine is no failure. Examples here are arrays, which are slow to draw.
    common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
    settings.register_profile("dev", common)
    settings.register_profile("ci", common, derandomize=True, database=None)
    settings.load_profile("ci" if os.environ.get("CI") else "dev")
    graphs = config.getoption("--graphs")
    settings.register_profile("graphs", settings(), max_examples=graphs)
    settings.register_profile("explained", settings(), max_examples=-(-2 * graphs // 3))
    settings.register_profile("malformed", settings(), max_examples=config.getoption("--malformed"))
    # Each example is compiled, so making a failing one smaller would take minutes: its steps are printed instead.
    phases = [Phase.explicit, Phase.reuse, Phase.generate]
    native = config.getoption("--native-graphs")
    for name, share in {"native_graphs": 1, "native_graphs_torch": 2, "native_graphs_odd": 4}.items():
        settings.register_profile(name, settings(), max_examples=-(-native // share), phases=phases)
    if not hasattr(config, "workerinput"):  # machine code of these tests alone, whatever the user has on disk
        os.environ["GLASSGRAD_CACHE"] = tempfile.mkdtemp(prefix="glassgrad-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ["GLASSGRAD_CACHE"], ignore_errors=True)

"""Peak memory of each training step, and how long the first calls take.

    python benchmarks/memory.py                     memory beside torch, then compile times
    python benchmarks/memory.py --work gpt --no-times

Memory is what a step needs beyond the batch, the weights and the optimizer's state, which both sides have alike:
for glassgrad the arena, the constants and the results of the compiled step, as `report()` tells; for torch the most
that its allocator had out at any moment of a step, by the profiler's memory events, gradients included. glassgrad's
gradients lie in the arena, and have no place of their own.

Times are of fresh processes: from the first traced call to its result, without a cache on the disk and with one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from peers import inputs, torch_names
from works import WORKS


def arena(name: str) -> dict[str, Any]:
    """Bytes that the compiled step has for itself."""
    import glassgrad as gg

    made = []
    plain = gg.compile
    gg.compile = lambda function, **options: made.append(plain(function, **options)) or made[-1]
    step = torch_names("glassgrad", compiled=True)(WORKS[name])
    for _ in range(3):
        step()
    (compiled,) = made
    engine = compiled.latest.engine
    held = {id(val) for val in engine.program.inputs}
    own = sum(val.bytes for val in engine.plan.table if id(val) not in held)
    return {"bytes": engine.plan.arena + own}


def allocated(name: str) -> dict[str, Any]:
    """The most that torch's allocator had out during a step, beyond what was there before it."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    step = torch_names("torch")(WORKS[name])
    for _ in range(3):
        step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        step()
    del torch
    events = record.profiler.kineto_results.events()
    changes = [(event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"]
    held = most = 0
    for _, change in sorted(changes):
        held += change
        most = max(most, held)
    # zero_grad lets last step's gradients go at the beginning: they were there before the step, and belong to it.
    gradients = sum(array.nbytes for array in inputs(WORKS[name])[0].values())
    return {"bytes": most + gradients}


def first_call(name: str) -> dict[str, Any]:
    """Seconds from the first traced call to its result."""
    step = torch_names("glassgrad", compiled=True)(WORKS[name])
    step()
    start = time.perf_counter()
    step()
    return {"seconds": time.perf_counter() - start}


def fresh(what: str, name: str, **environment: str) -> Any:
    """The answer of one of the functions above, in a process of its own."""
    given = {"OMP_NUM_THREADS": "2"} | environment
    command = [sys.executable, __file__, "--ask", what, "--work", name]
    made = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False)
    if made.returncode:
        raise SystemExit(f"{what} of {name}:\n{made.stderr[-2000:]}")
    return json.loads(made.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", nargs="+", choices=WORKS, default=list(WORKS), metavar="NAME", help=", ".join(WORKS))
    parser.add_argument("--no-times", action="store_true", help="memory alone")
    parser.add_argument("--ask", choices=("arena", "allocated", "first_call"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(globals()[options.ask](options.work[0])))
        return
    print(f"{'':12}{'glassgrad':>12}{'torch':>12}   MB for a step, beyond weights, state and batch")
    for name in options.work:
        ours, theirs = (fresh(what, name)["bytes"] for what in ("arena", "allocated"))
        print(f"{name:12}{ours / 1e6:12.3f}{theirs / 1e6:12.3f}   {ours / theirs:.2f}", flush=True)
    if options.no_times:
        return
    print(f"\n{'':12}{'cold':>12}{'from disk':>12}   seconds to the first result of the traced step")
    for name in options.work:
        with tempfile.TemporaryDirectory() as folder:
            times = [fresh("first_call", name, GLASSGRAD_CACHE=folder)["seconds"] for _ in range(3)]
        print(f"{name:12}{times[0]:12.3f}{min(times[1:]):12.3f}", flush=True)


if __name__ == "__main__":
    main()

"""Times whole training steps (forward, loss, backward, update) of glassgrad beside torch, JAX and NumPy.

    python benchmarks/step.py                                    all works, all peers that are installed
    python benchmarks/step.py --work xor mlp --peers glassgrad torch numpy --seconds 5
    python benchmarks/step.py --single-thread --json -

Only ratios of one run count, so a run is made to be fair:

- Every peer starts from the same weights and the same batch. Before anything is timed, the losses of three steps are
  compared; a peer that computes something else ends the run.
- Each peer tries its thread settings first and keeps the fastest.
- The peers take turns in short slices, so that a slow minute of the machine is slow for all. While one runs, the
  processes of the others sleep.
- What is timed is each step by itself, until its results are there. The median is what to compare; the best shows
  how far the machine's noise moved it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from peers import PEERS, Missing
from worker import Failed, Worker
from works import WORKS

SLICE = 0.05
CALIBRATION = 0.5
TOLERANCE = 1e-4
# Thread settings this close are a draw.
MARGIN = 0.02
# Lines of a failed peer's traceback.
SHOWN = 20
BASE = "glassgrad"


class Different(Exception):
    """Two peers do not compute the same thing."""


@dataclass
class Bench:
    """One run: its workers, which live from work to work, and what became of each peer."""

    peers: list[str]
    seconds: float
    most_threads: int
    log: TextIO
    workers: dict[tuple[str, str], Worker] = field(default_factory=dict)
    failed: bool = False

    def run(self, name: str) -> dict[str, Any]:
        """Checks and times one work; returns its part of the JSON."""
        loaded, losses, left_out = self.load(name)
        compare(losses, self.log)
        chosen = {peer: self.calibrate(workers) for peer, workers in loaded.items()}
        self.take_turns([worker for worker, _ in chosen.values()], self.seconds)
        rows = []
        for peer, (worker, calibration) in chosen.items():
            report = worker.report()
            if not math.isfinite(report["loss"]):
                raise Different(f"{peer} trained itself to a loss of {report['loss']}")
            rows.append({"peer": peer, "threads": worker.threads.name, **report, "calibration_us": calibration})
        base = next((row for row in rows if row["peer"] == BASE), rows[0] if rows else None)
        for row in rows:
            row["ratio"] = row["median_us"] / base["median_us"] if base else None
        return {
            "work": name,
            "title": WORKS[name].title,
            "base": base and base["peer"],
            "peers": rows,
            "losses": losses,
            "left_out": left_out,
        }

    def load(self, name: str) -> tuple[dict[str, list[Worker]], dict[str, list[float]], dict[str, str]]:
        """Makes a work ready in every worker: the workers of each peer, their losses, and why a peer is left out."""
        loaded: dict[str, list[Worker]] = {}
        losses: dict[str, list[float]] = {}
        left_out: dict[str, str] = {}
        for peer in self.peers:
            for threads in PEERS[peer].threads:
                if threads.count > self.most_threads:
                    continue
                key = peer, threads.name
                worker = self.workers.get(key) or self.workers.setdefault(key, Worker(*key[:1], threads))
                try:
                    losses[f"{peer} ({threads.name})"] = worker.load(name)
                except Missing as missing:
                    left_out[peer] = str(missing)
                    break
                except Failed as failure:
                    self.failed = True
                    lines = str(failure).strip().splitlines()
                    left_out[peer] = f"FAILED: {lines[-1]}"
                    print(f"{name}, {peer}:", *lines[-SHOWN:], sep="\n  ", file=self.log)
                    self.workers.pop(key).close()
                    loaded.pop(peer, None)
                    break
                loaded.setdefault(peer, []).append(worker)
        return loaded, losses, left_out

    def calibrate(self, workers: list[Worker]) -> tuple[Worker, dict[str, float]]:
        """The fastest of one peer's workers, and the median of each; on a draw, the one with fewer threads."""
        if len(workers) == 1:
            return workers[0], {}
        self.take_turns(workers, CALIBRATION)
        medians = {worker.threads.name: worker.report()["median_us"] for worker in workers}
        enough = min(medians.values()) * (1 + MARGIN)
        return next(worker for worker in workers if medians[worker.threads.name] <= enough), medians

    def take_turns(self, workers: list[Worker], seconds: float) -> None:
        """Runs slices in turn until every worker has so many seconds more."""
        first = {id(worker): worker.slice(SLICE) for worker in workers}
        waiting = list(workers)
        while waiting:
            waiting = [worker for worker in waiting if worker.slice(SLICE) - first[id(worker)] < seconds]

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()


def compare(losses: dict[str, list[float]], log: TextIO) -> None:
    """Every peer against the first one, loss by loss."""
    reference = next(iter(losses.values()), [])
    for values in losses.values():
        if not all(math.isclose(a, b, rel_tol=TOLERANCE) for a, b in zip(values, reference, strict=True)):
            for peer, shown in losses.items():
                print(f"  {peer:26}", *(f"{value:.7f}" for value in shown), file=log)
            raise Different("the losses of the first steps differ: the peers do not compute the same thing")


def table(result: dict[str, Any]) -> str:
    """One work's result as aligned text."""
    header = ("", "median µs", "best µs", f"x {result['base']}", "threads", "cores used", "steps")
    rows = [
        (
            f"{row['peer']} {row['version'].partition('+')[0]}",
            f"{row['median_us']:,.1f}",
            f"{row['best_us']:,.1f}",
            f"{row['ratio']:.2f}",
            row["threads"],
            f"{row['cores']:.2f}",
            f"{row['steps']:,}",
        )
        for row in result["peers"]
    ]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [result["title"]]
    for cells in (header, *rows):
        name, *numbers = (f"{cell:{'<' if i == 0 else '>'}{widths[i]}}" for i, cell in enumerate(cells))
        lines.append("  " + "   ".join([name, *numbers]))
    lines += [f"  {peer}: {why}" for peer, why in result["left_out"].items()]
    return "\n".join(lines) + "\n"


def machine() -> dict[str, Any]:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = [name for name, peer in PEERS.items() if peer.default]
    parser.add_argument("--work", nargs="+", choices=WORKS, default=list(WORKS), metavar="NAME", help=", ".join(WORKS))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=default, metavar="NAME", help=", ".join(PEERS))
    parser.add_argument("--seconds", type=float, default=2.0, help="timed seconds for each peer and work (default: 2)")
    parser.add_argument("--single-thread", action="store_true", help="one thread for every peer")
    parser.add_argument("--json", metavar="FILE", help="write all results there; - for stdout")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    log = sys.stderr if options.json == "-" else sys.stdout
    facts = machine()
    print(f"{facts['cpu']}, {facts['cores']} cores, Python {facts['python']}, load {facts['load']}\n", file=log)
    bench = Bench(options.peers, options.seconds, 1 if options.single_thread else 2, log)
    results = []
    try:
        for name in options.work:
            results.append(bench.run(name))
            print(table(results[-1]), file=log, flush=True)
    except (Different, Failed) as problem:
        print(f"{name}: {problem}", file=log)
        return 1
    finally:
        bench.close()
    if options.json:
        text = json.dumps({"machine": facts, "seconds": options.seconds, "works": results}, indent=1)
        print(text) if options.json == "-" else Path(options.json).write_text(text + "\n")
    return int(bench.failed)


if __name__ == "__main__":
    sys.exit(main())

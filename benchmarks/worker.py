"""One peer in one thread setting, in a process of its own that sleeps on a pipe while others are timed.

`Worker` is the side that asks; `main` is the process that answers. They exchange lines of JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from array import array
from typing import Any

from peers import PEERS, Missing, Step, Threads, number
from works import WORKS

CHECKED_STEPS = 3
# After its slice, a peer with several threads gets this long for the idle ones to stop spinning and fall asleep: those
# of OpenBLAS take 0.1 s, in which they would slow down whoever comes next.
SETTLE = 0.13


class Failed(Exception):
    """The peer raised, or its process died; the message is what it said."""


class Worker:
    """The asking side. Starts its process at once; every method waits for the answer."""

    def __init__(self, peer: str, threads: Threads) -> None:
        self.peer = peer
        self.threads = threads
        self.complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in close()
        self.process = subprocess.Popen(
            [sys.executable, __file__, peer],
            env=os.environ | threads.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            text=True,
        )

    def ask(self, do: str, **arguments: Any) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.complaints.seek(0)
            raise Failed(f"the process ended with status {self.process.wait()}\n{self.complaints.read()[-3000:]}")
        answer = json.loads(line)
        if "missing" in answer:
            raise Missing(answer["missing"])
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer["answer"]

    def load(self, work: str) -> list[float]:
        """Makes the step ready; returns the losses before, and after each of the first steps."""
        losses: list[float] = self.ask("load", work=work)
        return losses

    def slice(self, seconds: float) -> float:
        """Trains for at least so long and at least one step; returns the seconds timed since loading."""
        timed: float = self.ask("slice", seconds=seconds)
        if self.threads.count > 1:
            time.sleep(SETTLE)
        return timed

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = self.ask("report")
        return report

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.complaints.close()


class Answering:
    """The answering side's state: the loaded step and its times."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.step: Step = lambda: None
        self.times = array("d")
        self.wall = self.cpu = 0.0

    def load(self, work: str) -> list[float]:
        self.step = lambda: None  # the memory of the work before goes first
        self.step = PEERS[self.peer].load(WORKS[work])
        self.times = array("d")
        self.wall = self.cpu = 0.0
        # Step k returns the loss before its own update, so one step more shows the loss after the last of them.
        return [number(self.step()) for _ in range(CHECKED_STEPS + 1)]

    def slice(self, seconds: float) -> float:
        clock, step, times = time.perf_counter, self.step, self.times
        step()  # untimed: the caches belong to the peer that ran before
        cpu, start = time.process_time(), clock()
        before, end = start, start + seconds
        while before < end:
            step()
            now = clock()
            times.append(now - before)
            before = now
        self.cpu += time.process_time() - cpu
        self.wall += before - start
        return self.wall

    def measure(self, seconds: float) -> list[float]:
        """The seconds of each step for at least so long."""
        self.times = array("d")
        self.slice(seconds)
        return list(self.times)

    def report(self) -> dict[str, Any]:
        return {
            "median_us": statistics.median(self.times) * 1e6,
            "best_us": min(self.times) * 1e6,
            "steps": len(self.times),
            "cores": self.cpu / self.wall,
            "loss": number(self.step()),
            "version": getattr(sys.modules[PEERS[self.peer].module], "__version__", ""),
        }


def main() -> None:
    # Answers go to the real stdout; whatever a library prints goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answering = Answering(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"answer": getattr(answering, request.pop("do"))(**request)}
        except Missing as missing:
            answer = {"missing": str(missing)}
        except Exception:
            answer = {"failed": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()

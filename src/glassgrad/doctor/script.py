"""`examine`: runs a user's script, watches its training from the first step to the last, and diagnoses it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import ArgumentError
from ..explain.script import Run, run_script, run_text
from .check import Diagnosis, diagnosis
from .patient import Patient
from .rounds import Rounds

ALL = sys.maxsize


def examine(
    path: str | Path, arguments: Sequence[str] = (), *, steps: int | None = None, trial: int | None = None
) -> Diagnosis:
    """Run a script as ``python path arguments`` would, watch what it trains, and say what is wrong.

    The script runs to its end, or until it raises an error: what was seen until then is diagnosed. Compiled steps run
    as the plain functions that they are. Remedies are tried on copies, with the batches of the first steps.

    Args:
        steps: stop the script after so many backward passes.
        trial: how many steps a trial of a remedy takes; see `check`.

    Raises:
        ArgumentError: there is no such file, or it ended without a backward pass and without a model that was called.
            What the script itself raises is in ``.run.error``.
    """
    return diagnosed(watched(path, arguments, steps), trial)


def watched(
    path: str | Path, arguments: Sequence[str] = (), steps: int | None = None, watch: type[Rounds] = Rounds
) -> Run:
    """A script's run, watched but not diagnosed yet."""
    return run_script(path, arguments, steps or ALL, watch)


def examine_text(text: str, name: str, *, steps: int | None = None, trial: int | None = None) -> Diagnosis:
    """`examine` for a program that is no file; ``name`` stands in its place."""
    return diagnosed(run_text(text, name, steps or ALL, Rounds), trial)


def diagnosed(run: Run, trial: int | None = None) -> Diagnosis:
    """What is wrong with the training that a run has seen."""
    patient = patient_of(run)
    made = diagnosis(patient, trial, lenient=run.error is not None)
    made.run = run
    made.report = replace(made.report, title=f"The doctor on {run.path.name}")
    return made


def patient_of(run: Run) -> Patient:
    """Who took the steps that a run has seen. Raises ArgumentError if there were none."""
    assert isinstance(run.watch, Rounds)
    patient = run.watch.patient()
    if isinstance(run.error, KeyboardInterrupt) and patient is None:
        raise run.error
    if patient is None:
        if run.error is not None:
            raise ArgumentError(
                f"{run.path} raised {type(run.error).__name__} before a training step was seen", got=str(run.error),
                fix="see the error; what happens before the first step is not examined",
            ) from run.error  # fmt: skip
        fix = "call loss.backward(), and train in the file itself rather than only define functions"
        if run.elsewhere:
            fix = f"its {run.elsewhere} backward passes ran in other threads: train in the main thread"
        raise ArgumentError(f"{run.path} never called backward()", fix=fix)
    return patient

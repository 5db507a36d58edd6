"""Commands in the docs: `glassgrad ...` is run, everything else is checked for what it names.

`make test` cannot run inside `make test`, and installing is not a test's business; but a target, an extra or a script
that the docs name must exist.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

SECONDS = 120
HARMLESS = {"cd", "source", ".", "venv", "git", "ruff", "mypy", "export"}
# Options of pytest and of Python that are followed by a value, which is no path.
TAKES_VALUE = {"-n", "-k", "-m", "-p", "--graphs", "--dist"}


class BadCommand(Exception):
    """A command of the docs that fails, or names what is not there."""


def commands(code: str) -> Iterator[str]:
    """The commands of a block: one to a line, without prompts, comments and `&&`, with continued lines joined."""
    for line in code.replace("\\\n", " ").splitlines():
        bare = line.strip().removeprefix("$ ")
        if not bare or bare.startswith("#"):
            continue
        yield from (part.strip() for part in re.sub(r"\s#\s.*", "", bare).split("&&"))


def run_command(command: str, root: Path, folder: Path, *, slow: bool = False) -> str:
    """Runs or checks one command; returns what it printed. `root` is the repository, `folder` where it runs."""
    command = command.replace(".venv/bin/", "")  # this Python's own bin stands in for the one a reader makes
    words = shlex.split(command)
    while words and re.fullmatch(r"\w+=.*", words[0]):
        words.pop(0)
    if not words:
        return ""
    name, rest = Path(words[0]).name or words[0], words[1:]
    if re.fullmatch(r"python[\d.]*", name):
        if rest[:1] == ["-m"]:
            name, rest = rest[1], rest[2:]
        else:
            script = next((word for word in rest if not word.startswith("-")), None)
            if script is not None and "-c" not in rest:
                need((root / script).is_file(), command, f"there is no file {script}")
            return ""
    if name == "glassgrad":
        return run_glassgrad(command, folder, help_of=rest if slow else None)
    if name == "make":
        targets = set(re.findall(r"^([\w-]+):(?!=)", (root / "Makefile").read_text(), re.MULTILINE))
        for word in rest:
            need("=" in word or word in targets, command, f"the Makefile has no target {word}")
    elif re.fullmatch(r"pip[\d.]*", name):
        extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        named = re.findall(r"(?:\.|glassgrad)\[([\w, -]+)\]", command)
        for extra in (extra.strip() for names in named for extra in names.split(",")):
            need(extra in extras, command, f"pyproject.toml has no extra {extra}")
    elif name == "pytest":
        for before, word in zip(["", *rest], rest, strict=False):
            if not word.startswith("-") and before not in TAKES_VALUE:
                need((root / word.partition("::")[0]).exists(), command, f"there is no {word}")
    elif "/" in words[0]:
        need(os.access(root / words[0], os.X_OK), command, f"{words[0]} is not there or cannot be run")
    else:
        need(
            name in HARMLESS,
            command,
            "not known: teach tests/docs/commands.py, or mark it as not run",
        )
    return ""


def run_glassgrad(command: str, folder: Path, *, help_of: list[str] | None) -> str:
    """Runs `glassgrad ...` in a shell, with this Python's glassgrad in front; or only its --help."""
    if help_of is not None:
        subcommand = [word for word in help_of[:1] if not word.startswith("-")]
        command = shlex.join(["glassgrad", *subcommand, "--help"])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadCommand(f"{command}: not done after {SECONDS} s; put <!-- slow: reason --> before the block") from None
    need(done.returncode == 0, command, f"exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def need(condition: bool, command: str, otherwise: str) -> None:
    if not condition:
        raise BadCommand(f"{command}: {otherwise}")

"""The harness itself, on made-up documents: what is right passes, and whatever is wrong fails with its line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.commands import BadCommand, commands, run_command
from tests.docs.document import ROOT, BlockFailed, run_document
from tests.docs.markdown import BadMarker, blocks, links

MAKEFILE = "demo: x\n\ttrue\ntest:\n\ttrue\nNAME := value\n"
PYPROJECT = '[project.optional-dependencies]\ndata = ["x"]\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "tool.py").write_text("")
    return tmp_path


def run(text: str, root: Path) -> int:
    file = root / "made-up.md"
    file.write_text(text)
    return run_document(file, root, root)


GOOD = """# Title

```python
x = 1
```

Words.

1. In a list:

   ~~~py
   print(x + 1)
   print("trailing   ")
   ~~~

   <!-- output -->
   ```text
   2
   ...ing
   ```

```pycon
>>> x
1
```

<!-- not run: needs a printer -->
```python
1 / 0
```

````markdown
```python
raise ValueError("an example of Markdown is not run")
```
````

```sh
make demo
```

```text
just a picture
```
"""


def test_a_good_document(root: Path) -> None:
    assert run(GOOD, root) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\nx = 1\n```\n\n```python\n1 / 0\n```\n", r"made-up\.md:6: ZeroDivisionError"),
        ("```python\nraise SystemExit(0)\n```\n", "SystemExit"),
        ("```python\nx = (\n```\n", "SyntaxError"),
        ("```python\n>>> 1 + 1\n3\n```\n", "Expected"),
        ("```python\nprint(1)\n```\n<!-- output -->\n```text\n2\n```\n", r"made-up\.md:6: printed something else"),
        ("<!-- output -->\n```text\n2\n```\n", "no block before it has run"),
        ("```sh\nmake coffee\n```\n", "no target coffee"),
    ],
)
def test_a_failing_block_fails(root: Path, text: str, message: str) -> None:
    with pytest.raises(BlockFailed, match=message):
        run(text, root)


def test_tracebacks_name_the_line_of_the_document(root: Path) -> None:
    with pytest.raises(BlockFailed, match=r'made-up\.md", line 5'):
        run("Words.\n\n```python\nx = 1\nx.wrong\n```\n", root)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- not run: -->\n```python\n1 / 0\n```\n",
        "<!-- not run -->\n```python\n1 / 0\n```\n",
        "<!-- skip: because -->\n```python\n1 / 0\n```\n",
        "<!-- slow: takes long -->\n```python\nx = 1\n```\n",
        "<!-- output -->\n```python\nx = 1\n```\n",
        "```python\nx = 1\n",
    ],
)
def test_a_wrong_marker_is_refused(text: str) -> None:
    with pytest.raises(BadMarker):
        list(blocks(text))


def test_a_marker_must_stand_directly_before(root: Path) -> None:
    with pytest.raises(BlockFailed, match="ZeroDivisionError"):
        run("<!-- not run: far away -->\n\nWords between.\n\n```python\n1 / 0\n```\n", root)


def test_the_process_that_runs_a_document_fails_with_it(root: Path) -> None:
    (root / "bad.md").write_text("```python\n1 / 0\n```\n")
    (root / "good.md").write_text("```python\n1 / 1\n```\n")
    command = [sys.executable, "-m", "tests.docs.document"]
    good, bad = (
        subprocess.run([*command, str(root / name)], cwd=ROOT, capture_output=True, text=True, check=False)
        for name in ("good.md", "bad.md")
    )
    assert good.returncode == 0, good.stderr
    assert bad.returncode == 1
    assert "bad.md:2: ZeroDivisionError" in bad.stderr


def test_commands_are_taken_apart() -> None:
    code = "$ make demo   # words\n# only words\n\npip install \\\n  -e . && make test\n"
    assert list(commands(code)) == ["make demo", "pip install    -e .", "make test"]


@pytest.mark.parametrize(
    "command",
    [
        "make demo",
        "make test PYTHON=python3.12",
        "python3 -m venv .venv",
        ". .venv/bin/activate",
        "source .venv/bin/activate",
        ".venv/bin/pip install -e '.[data]'",
        "python -m pip install glassgrad",
        "python tool.py --fast",
        "CI=true pytest -n 2 tool.py",
        "git clone somewhere",
    ],
)
def test_good_commands_pass(root: Path, command: str) -> None:
    assert run_command(command, root, root) == ""


@pytest.mark.parametrize(
    "command",
    [
        "make NAME",
        "make coffee",
        "pip install '.[nothing]'",
        "python gone.py",
        "pytest gone.py",
        "tools/gone",
        "frobnicate",
    ],
)
def test_bad_commands_fail(root: Path, command: str) -> None:
    with pytest.raises(BadCommand):
        run_command(command, root, root)


@pytest.fixture
def fake(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `glassgrad` that echoes its arguments, and fails when asked to."""
    script = root / "bin" / "glassgrad"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\necho "$@"\n[ "$1" != fail ]\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script.parent / "python"))
    return root


def test_glassgrad_is_run(fake: Path) -> None:
    assert run_command("glassgrad demo --quick", fake, fake) == "demo --quick\n"
    assert run_command("glassgrad demo | tr d D", fake, fake) == "Demo\n"
    assert run_command("glassgrad demo --quick", fake, fake, slow=True) == "demo --help\n"
    assert run("```sh\nglassgrad demo\n```\n\n<!-- output -->\n```text\ndemo\n```\n", fake) == 1
    with pytest.raises(BadCommand, match="exit status 1"):
        run_command("glassgrad fail", fake, fake)


def test_links() -> None:
    text = """[a](one.md) ![b](two.png "title") [c](https://example.org) [d](#here) [e](three.md#part) `[f](no.md)`

```markdown
[g](no.md)
```

[![h](badge.svg)](four.md)
[i]: five.md
"""
    found = list(links(text))
    assert {target for _, target in found} >= {"one.md", "two.png", "three.md", "four.md", "five.md"}
    assert "no.md" not in {target for _, target in found}
    assert (8, "five.md") in found

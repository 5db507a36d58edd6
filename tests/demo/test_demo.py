"""`glassgrad demo` as a user runs it: what it prints, reaches and leaves, and what it says when it cannot."""

import re
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

import glassgrad as gg
from glassgrad import train
from glassgrad.datasets import digits
from glassgrad.demo.digits import picture
from glassgrad.recipes.digits import network


def run(*arguments, folder, code="import sys; from glassgrad.cli import app; app()"):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=folder, capture_output=True, text=True, check=False, env=None, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    start = time.perf_counter()
    done = run("demo", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, done, time.perf_counter() - start


def test_it_reads_98_percent_of_images_it_has_never_seen(shown):
    _, done, seconds = shown
    reached = float(re.search(r"Held-out accuracy: ([\d.]+)%", done.stdout)[1])
    print(f"{reached} % in {seconds:.1f} s, import and the article's net included")
    assert reached >= 98.0


def test_it_shows_numbers_images_and_confidence(shown):
    _, done, _ = shown
    assert "0.2390383838" in done.stdout
    assert len(re.findall(r"says \d \([\d.]+%\)", done.stdout)) >= 4
    assert "█" in done.stdout
    assert done.stderr == ""


def test_the_saved_weights_give_the_same_accuracy(shown):
    folder, done, _ = shown
    model = network()
    model.load_state_dict(load_file(folder / "digits.safetensors"))
    images, labels = digits().test.tensors
    reached = train.accuracy(model.eval()(images), labels).item()
    assert f"{reached:.2%}" in done.stdout
    assert [file.name for file in folder.iterdir()] == ["digits.safetensors"]


def test_the_same_seed_gives_the_same_weights(tmp_path):
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, seed in zip(files, "112", strict=True):
        done = run("demo", "--part", "digits", "--epochs", "1", "--seed", seed, "--out", str(file), folder=tmp_path)
        assert done.returncode == 0, done.stderr
    a, b, c = (load_file(file) for file in files)
    assert all((a[name] == b[name]).all() for name in a)
    assert any((a[name] != c[name]).any() for name in a)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--out", "file/digits"], "", "cannot be saved"),
        ([], "sys.modules['sklearn.datasets'] = None", r"pip install 'glassgrad\[data\]'"),
    ],
)
def test_what_it_says_when_it_cannot(tmp_path, arguments, code, said):
    (tmp_path / "file").write_text("in the way of a folder")
    done = run(
        "demo", "--part", "digits", "--epochs", "1", *arguments,
        folder=tmp_path, code=f"import sys; {code}\nfrom glassgrad.cli import app; app()",
    )  # fmt: skip
    assert done.returncode == 1
    assert re.search(said, done.stderr)
    assert "Traceback" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_failed_save_leaves_the_older_file(tmp_path):
    from glassgrad.demo.digits import save
    from glassgrad.errors import GlassgradError

    file = tmp_path / "digits.safetensors"
    save(gg.nn.Linear(2, 1), file)
    before = file.read_bytes()

    class Unwilling(gg.nn.Linear):
        def state_dict(self, *_, **__):
            return {"weight": np.zeros(2, object)}

    with pytest.raises((GlassgradError, AttributeError)):
        save(Unwilling(2, 1), file)
    assert file.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]


def test_ctrl_c_ends_it_quietly(tmp_path):
    code = (
        "import glassgrad.demo, sys\n"
        "def stop(*_, **__): raise KeyboardInterrupt\n"
        "glassgrad.demo.show_digits = stop\n"
        "from glassgrad.cli import app; app()"
    )
    done = run("demo", "--part", "digits", folder=tmp_path, code=code)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_version_and_help(tmp_path):
    assert run("--version", folder=tmp_path).stdout.strip() == f"glassgrad {gg.__version__}"
    assert "demo" in run("--help", folder=tmp_path).stdout
    done = subprocess.run([sys.executable, "-m", "glassgrad", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"glassgrad {gg.__version__}"


def test_pictures_have_two_characters_for_a_pixel():
    assert picture(np.array([[0.0, 0.25], [0.5, 1.0]])) == ["  ░░", "▒▒██"]


def test_the_split_of_the_digits_is_fixed_and_whole():
    first, again, other = digits(), digits(), digits(seed=1)
    assert [len(part) for part in first] == [len(part) for part in again]
    assert sum(len(part) for part in first) == 1797
    for a, b in zip(first, again, strict=True):
        assert all(gg.equal(x, y) for x, y in zip(a.tensors, b.tensors, strict=True))
    assert not gg.equal(first.test.tensors[0], other.test.tensors[0])
    kept = {image.tobytes() for image in first.train.tensors[0].numpy()}
    assert sum(image.tobytes() in kept for image in first.test.tensors[0].numpy()) == 0
    counts = np.bincount(first.test.tensors[1].numpy())
    assert counts.min() >= 34
    assert float(first.train.tensors[0].max().item()) == 1.0

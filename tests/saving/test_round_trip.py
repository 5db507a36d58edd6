"""What was saved comes back to the last bit, and other programs can read it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from safetensors import safe_open
from safetensors.numpy import load_file
from tests.saving.states import fingerprint, small, states

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.saving import DamagedFile, MissingFile


@given(states())
def test_whatever_can_be_saved_comes_back(state):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file")
        gg.save(state, path)
        back = gg.load(path)
        with safe_open(path, framework="np") as file:  # also others find the file in order
            assert all(file.get_tensor(name).dtype.name for name in file.keys())  # noqa: SIM118
        assert os.listdir(folder) == ["file"]

    def native(value):
        """Arrays come back in the machine's byte order."""
        if isinstance(value, np.ndarray):
            return value.astype(value.dtype.newbyteorder("="))
        if isinstance(value, (list, tuple)):
            return type(value)(map(native, value))
        return type(value)({key: native(inner) for key, inner in value.items()}) if isinstance(value, dict) else value

    assert fingerprint(back) == fingerprint(native(state))


def test_whole_numbers_of_any_size(tmp_path):
    huge = 10**5000  # longer than Python writes in decimal
    gg.save({"x": [huge, -huge, 2**63, -(2**63) - 1], huge: np.ones(1)}, tmp_path / "file")
    back = gg.load(tmp_path / "file")
    assert back["x"] == [huge, -huge, 2**63, -(2**63) - 1] and back[huge] == 1.0


def test_bits_of_nan_and_infinity_survive(tmp_path):
    for dtype, bits in ((np.float32, np.uint32), (np.float64, np.uint64)):
        odd = np.array([0, 1, 2**8 * bits(1)], bits)
        array = np.concatenate([(np.array([np.nan, -np.nan, np.inf], dtype)).view(bits) | odd, odd]).view(dtype)
        gg.save([gg.tensor(array), array, float(array[1])], tmp_path / "file")
        tensor, same, number = gg.load(tmp_path / "file")
        assert tensor.numpy().tobytes() == same.tobytes() == array.tobytes()
        assert np.float64(number).tobytes() == np.float64(array[1]).tobytes()


def test_a_state_dict_is_read_by_others_under_its_own_names(tmp_path):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    gg.save(model.state_dict(), tmp_path / "model.safetensors")
    read = load_file(tmp_path / "model.safetensors")
    assert sorted(read) == sorted(model.state_dict())
    other = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    other.load_state_dict(read)
    assert fingerprint(other.state_dict()) == fingerprint(model.state_dict())
    back = gg.load(tmp_path / "model.safetensors")
    assert list(back) == list(model.state_dict())  # in their order, and of their kind
    assert fingerprint(back) == fingerprint(model.state_dict())


def test_names_that_meet_are_kept_apart(tmp_path):
    state = {"a": {"b": np.zeros(1)}, "a.b": np.ones(1), "__metadata__": np.full(1, 2.0), "": np.full(1, 3.0)}
    gg.save(state, tmp_path / "file")
    assert sorted(load_file(tmp_path / "file")) == ["__metadata__#2", "a.b", "a.b#2", "value"]
    assert fingerprint(gg.load(tmp_path / "file")) == fingerprint(state)


def test_optimizer_state_keeps_its_numbers_as_keys(tmp_path):
    model = nn.Linear(2, 2)
    rule = optim.Adam(model.parameters())
    model(gg.ones(1, 2)).sum().backward()
    rule.step()
    gg.save(rule.state_dict(), tmp_path / "file")
    back = gg.load(tmp_path / "file")
    assert list(back["state"]) == [0, 1]
    assert fingerprint(back) == fingerprint(rule.state_dict())


def test_every_array_lies_at_a_multiple_of_its_itemsize(tmp_path):
    gg.save([np.ones(3, "i1"), np.ones(1, "f8"), np.ones(1, "f2"), np.ones(3, "f4")], tmp_path / "file")
    data = (tmp_path / "file").read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    assert begin % 8 == 0
    with safe_open(tmp_path / "file", framework="np") as file:
        assert list(file.offset_keys()) == ["1", "3", "2", "0"]


def test_shared_memory_and_views_come_back_apart(tmp_path):
    base = gg.arange(6.0)
    gg.save({"base": base, "view": base[::2], "again": base}, tmp_path / "file")
    back = gg.load(tmp_path / "file")
    back["base"].fill_(7.0)
    assert back["view"].tolist() == [0.0, 2.0, 4.0]
    assert back["again"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_arrays_that_come_back_can_be_written(tmp_path):
    gg.save([np.zeros(2), gg.zeros(2)], tmp_path / "file")
    array, tensor = gg.load(tmp_path / "file")
    array += 1
    tensor += 1
    assert array.tolist() == tensor.tolist() == [1.0, 1.0]


def test_a_result_is_saved_without_its_history(tmp_path):
    x = gg.tensor([1.0], requires_grad=True)
    gg.save(x * 2, tmp_path / "file")
    back = gg.load(tmp_path / "file")
    assert back.is_leaf and back.requires_grad and back.item() == 2.0


def test_rights_links_and_names(tmp_path):
    (tmp_path / "real").mkdir()
    link, real = tmp_path / "link", tmp_path / "real" / ("x" * 250)
    link.symlink_to(real)
    gg.save(small(), link)  # the name is as long as a name may be, the link leads to nothing yet
    assert link.is_symlink() and real.is_file()
    real.chmod(0o640)
    gg.save(small(), str(link))
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert fingerprint(gg.load(os.fsencode(link))) == fingerprint(small())


def test_arguments_of_scripts_written_for_torch(tmp_path):
    gg.save(1, tmp_path / "file")
    assert gg.load(tmp_path / "file", map_location="cpu", weights_only=True) == 1
    with pytest.raises(NotImplementedError, match="weights_only"):
        gg.load(tmp_path / "file", weights_only=False)
    with pytest.raises(NotImplementedError, match="cuda"):
        gg.load(tmp_path / "file", map_location="cuda")


def test_nothing_is_imported_before_it_is_needed(tmp_path):
    code = (
        "import sys, glassgrad as gg; assert 'glassgrad.saving' not in sys.modules\n"
        f"gg.save([gg.ones(2)], {str(tmp_path / 'file')!r}); gg.load({str(tmp_path / 'file')!r})\n"
        "print(sorted({'torch', 'safetensors', 'pickle'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout and "safetensors" not in done.stdout


# What cannot be saved.


class Odd:
    """Something else, with a text as long as a book."""

    def __repr__(self):
        return "x" * 10**6


def itself():
    held: list[object] = []
    held.append(held)
    return held


class Named(dict):
    pass


@pytest.mark.parametrize(
    ("made", "place"),
    [
        (lambda: {"x": [1, 2, 3, Odd()]}, r"state\['x'\]\[3\]"),
        (lambda: {"x": {0: (print,)}}, r"state\['x'\]\[0\]\[0\]"),
        (lambda: {"x": np.array([None])}, r"state\['x'\].*object"),
        (lambda: {"x": np.array(["a"])}, r"state\['x'\].*<U1"),
        (lambda: [np.zeros(1, complex)], r"state\[0\].*complex128"),
        (lambda: [np.ma.zeros(1)], r"state\[0\].*MaskedArray"),
        (lambda: [np.zeros(2, "i4,f4")[0]], r"state\[0\]"),
        (lambda: [1j], r"state\[0\].*complex"),
        (lambda: [{1, 2}], r"state\[0\].*set"),
        (lambda: [b"bytes"], r"state\[0\].*bytes"),
        (lambda: [Named(a=1)], r"state\[0\].*plain dict"),
        (lambda: [stat.S_IFMT], r"state\[0\].*code"),
        (lambda: [nn.Linear(1, 1)], r"state\[0\]"),
        (lambda: {10**5000: print}, r"state\[int\]"),
        (lambda: {gg.ones(1): 1}, "key is an array"),
        (lambda: {frozenset(): 1}, r"state\[frozenset\]"),
        (lambda: {"deep": itself()}, r"state\['deep'\]\[0\].*holds itself"),
    ],
)
def test_what_cannot_be_saved_is_named_before_a_file_is_touched(tmp_path, made, place):
    path = tmp_path / "file"
    gg.save(small(), path)
    before = path.stat()
    with pytest.raises((TypeError, ValueError), match="(?s)" + place) as caught:
        gg.save(made(), path)
    assert isinstance(caught.value, gg.GlassgradError)
    assert len(str(caught.value)) < 1000
    assert path.stat() == before
    with pytest.raises((TypeError, ValueError)):
        gg.save(made(), tmp_path / "no folder" / "file")
    assert os.listdir(tmp_path) == ["file"]


def test_a_traced_value_cannot_be_saved(tmp_path):
    @gg.compile
    def step(x):
        gg.save({"x": x * 2}, tmp_path / "file")
        return x

    step(gg.ones(2))  # the first call runs as it is
    assert gg.load(tmp_path / "file")["x"].tolist() == [2.0, 2.0]
    os.unlink(tmp_path / "file")
    with pytest.raises(gg.GlassgradError, match="compiled step"):
        step(gg.ones(2))
    assert os.listdir(tmp_path) == []


def test_as_deep_as_can_be_saved_comes_back(tmp_path):
    state: object = np.ones(1)
    for level in range(64):
        state = {1: state} if level % 2 else (state,)
    gg.save(state, tmp_path / "file")
    assert fingerprint(gg.load(tmp_path / "file")) == fingerprint(state)


def test_too_much_text_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("glassgrad.saving.container.LARGEST_HEADER", 1000)
    with pytest.raises(ValueError, match="arrays"):
        gg.save(list(range(500)), tmp_path / "file")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", ["", "a\0b", 3, None])
def test_what_is_no_name(path):
    for action in (lambda: gg.save(1, path), lambda: gg.load(path)):
        with pytest.raises((TypeError, ValueError)) as caught:
            action()
        assert isinstance(caught.value, gg.GlassgradError)


def test_what_is_in_the_way(tmp_path):
    with pytest.raises(MissingFile, match="make the folder"):
        gg.save(1, tmp_path / "none" / "file")
    with pytest.raises(OSError, match="not a file"):
        gg.save(1, tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, Path("/dev/null")):
        with pytest.raises(OSError, match="not a file"):
            gg.save(1, place)
        with pytest.raises(OSError, match="not a file"):
            gg.load(place)
    with pytest.raises(FileNotFoundError, match="cannot be read"):
        gg.load(tmp_path / "none")
    with pytest.raises(OSError, match="not a file"):
        gg.load(tmp_path)
    assert not issubclass(DamagedFile, OSError)
    assert os.listdir(tmp_path) == ["pipe"]

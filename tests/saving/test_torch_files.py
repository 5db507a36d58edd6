"""Files that torch.save wrote: read by torch's own loader for weights, or an error that says so."""

from __future__ import annotations

import collections
import subprocess
import sys

import numpy as np
import pytest
import torch

import glassgrad as gg
from glassgrad import nn
from glassgrad.saving import DamagedFile
from glassgrad.tensor import Tensor


@pytest.mark.parametrize("new", [True, False], ids=["zip", "old format"])
def test_weights_of_torch(tmp_path, new):
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    torch.save(theirs.state_dict(), tmp_path / "net.pt", _use_new_zipfile_serialization=new)
    state = gg.load(tmp_path / "net.pt")
    assert type(state) is collections.OrderedDict
    ours = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    ours.load_state_dict(state)
    for mine, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert mine.numpy().tobytes() == other.numpy().tobytes()


def test_kinds_of_tensors_and_what_holds_them(tmp_path):
    state = {
        "half": torch.tensor([1.5], dtype=torch.float16), "brain": torch.tensor([1.5], dtype=torch.bfloat16),
        "bytes": torch.tensor([3], dtype=torch.uint8), "on": torch.tensor(True), "view": torch.arange(6.0).view(2, 3).T,
        "grad": torch.ones(2, requires_grad=True), "parameter": torch.nn.Parameter(torch.ones(1)),
        0: (1, [2.5, None], "x"), "size": torch.ones(2, 3).shape,
    }  # fmt: skip
    torch.save(state, tmp_path / "all.pt")
    back = gg.load(tmp_path / "all.pt")
    assert back["half"].dtype == back["brain"].dtype == gg.float32 and back["brain"].item() == 1.5
    assert type(back["bytes"]) is np.ndarray and back["bytes"].dtype == np.uint8
    assert back["on"].dtype == gg.bool and back["on"].item() is True
    assert back["view"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert back["grad"].requires_grad and not back["half"].requires_grad
    assert back[0] == (1, [2.5, None], "x") and back["size"] == (2, 3)
    back["grad"].detach().add_(1)
    assert isinstance(back["parameter"], Tensor)
    gg.save(back, tmp_path / "all.safetensors")


def test_an_optimizer_of_torch_goes_on_here(tmp_path):
    w = torch.nn.Parameter(torch.ones(3))
    rule = torch.optim.Adam([w])
    w.sum().backward()
    rule.step()
    torch.save(rule.state_dict(), tmp_path / "rule.pt")
    ours = gg.optim.Adam([nn.Parameter(gg.ones(3))])
    ours.load_state_dict(gg.load(tmp_path / "rule.pt"))
    assert next(iter(ours.state.values()))["step"].item() == 1


def test_what_torch_refuses_and_what_is_not_here(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "model.pt")
    with pytest.raises(DamagedFile, match=r"(?s)weights_only=True.*state_dict"):
        gg.load(tmp_path / "model.pt")
    for odd in (torch.ones(2).to_sparse(), torch.ones(1, dtype=torch.complex64)):
        torch.save({"odd": [odd]}, tmp_path / "odd.pt")
        with pytest.raises(DamagedFile, match=r"state\['odd'\]\[0\]"):
            gg.load(tmp_path / "odd.pt")


def test_cut_and_changed_files_of_torch_do_no_harm(tmp_path):
    torch.save({"w": torch.arange(100.0)}, tmp_path / "net.pt")
    data = (tmp_path / "net.pt").read_bytes()
    cut = tmp_path / "cut.pt"
    for size in range(1, len(data), 97):
        cut.write_bytes(data[:size])
        with pytest.raises(DamagedFile):
            gg.load(cut)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "old format"])
def test_without_torch_the_error_says_so(tmp_path, new):
    torch.save({"w": torch.ones(1)}, tmp_path / "net.pt", _use_new_zipfile_serialization=new)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import glassgrad as gg\n"
        "try: gg.load(sys.argv[1])\n"
        "except ImportError as error: assert isinstance(error, gg.GlassgradError); print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "net.pt"], capture_output=True, text=True, check=True)
    assert "pip install torch" in done.stdout

"""Digits and diagnoses."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

import glassgrad as gg
from glassgrad.datasets import BREAST_CANCER_FEATURES, MissingPackage, breast_cancer, digits
from glassgrad.errors import ArgumentError


def test_the_table_is_scikit_learns_with_malignant_as_1():
    raw = load_breast_cancer()
    whole = breast_cancer(held_out=0).train
    assert (whole.tensors[0].numpy() == raw.data.astype(np.float32)).all()
    assert (whole.tensors[1].numpy() == 1 - raw.target).all()
    assert raw.target_names[0] == "malignant"
    assert tuple(raw.feature_names) == BREAST_CANCER_FEATURES
    assert [str(tensor.dtype) for tensor in whole.tensors] == ["float32", "int64"]


@pytest.mark.parametrize("load", [breast_cancer, digits])
def test_the_held_out_part_has_its_share_of_each_label_and_nothing_of_the_rest(load):
    whole = load(held_out=0)
    assert len(whole.test) == 0
    train, test = load(held_out=0.25, seed=3)
    assert len(train) + len(test) == len(whole.train)
    counts = np.bincount(whole.train.tensors[1].numpy())
    assert (np.bincount(test.tensors[1].numpy()) == [round(count * 0.25) for count in counts]).all()
    rows = sorted(row.tobytes() for part in (train, test) for row in part.tensors[0].numpy())
    assert rows == sorted(row.tobytes() for row in whole.train.tensors[0].numpy())
    again, other = load(held_out=0.25, seed=3), load(held_out=0.25, seed=4)
    assert gg.equal(again.test.tensors[0], test.tensors[0])
    assert not gg.equal(other.test.tensors[0], test.tensors[0])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_outside_0_to_1_are_refused(share):
    with pytest.raises(ArgumentError, match="held_out"):
        digits(held_out=share)


def test_without_scikit_learn_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackage, match=r"pip install 'glassgrad\[data\]'"):
        breast_cancer()

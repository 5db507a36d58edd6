"""Changed, cut, foreign and hostile files: each is a clear error, soon, without running code or taking memory."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tempfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: F401  # what it takes to be imported is not what a file takes to be refused
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as others
from tests.saving.states import fingerprint, small

import glassgrad as gg
from glassgrad.saving import DamagedFile

START = b'{"__metadata__":{"checksum":"'


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "file"
    gg.save(small(), path)
    return path.read_bytes()


def refused(data, path):
    """Load these bytes: the message of the error, None where they are a good file. Anything else fails."""
    path.write_bytes(data)
    begin = time.process_time()
    try:
        gg.load(path)
        return None
    except DamagedFile as error:
        assert time.process_time() - begin < 1.0  # of this process's time: others may be busy
        assert str(path) in str(error) and len(str(error)) < 2000
        return str(error)


def refused_in_little_memory(data, path):
    tracemalloc.start()
    try:
        message = refused(data, path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    return message


def sealed(header, data=b""):
    """A file with a header of one's own, whose checksum is right."""
    if not isinstance(header, bytes):
        header = json.dumps(header, separators=(",", ":")).encode()
    place = slice(len(START), len(START) + 64)
    header = bytearray(header)
    header[place] = b"0" * 64
    header[place] = hashlib.sha256(header).hexdigest().encode()
    return len(header).to_bytes(8, "little") + bytes(header) + data


def taken_apart(data):
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def test_every_flipped_byte_is_found(whole, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(whole)
    found = 0
    with open(path, "r+b", buffering=0) as file:
        for place, byte in enumerate(whole):
            for change in (0xFF, 1 << place % 8, 1 << (place + 3) % 8):
                file.seek(place)
                file.write(bytes([byte ^ change]))
                with pytest.raises(DamagedFile):
                    gg.load(path)
                found += 1
            file.seek(place)
            file.write(bytes([byte]))
    assert fingerprint(gg.load(path)) == fingerprint(small())
    print(f"{found} changes of {len(whole)} bytes, all found")


def test_the_same_flips_pass_unseen_elsewhere(whole):
    """What the checksums are for: the last bytes are numbers, and another reader takes them as they are."""
    from safetensors.numpy import load

    changed = whole[:-1] + bytes([whole[-1] ^ 1])
    assert load(changed).keys() == load(whole).keys()


def test_every_truncation_and_every_addition_is_found(whole, tmp_path):
    for size in range(len(whole)):
        assert refused(whole[:size], tmp_path / "file"), size
    for more in (b"\0", b" " * 8, whole):
        assert refused(whole + more, tmp_path / "file")


def test_a_sealed_copy_is_a_good_file(whole, tmp_path):
    header, data = taken_apart(whole)
    assert refused(sealed(header, data), tmp_path / "file") is None


def changed(whole, change):
    header, data = taken_apart(whole)
    meta = header["__metadata__"]
    inner = {key: json.loads(meta[key]) for key in ("structure", "sha256")}
    new = change(header, meta, inner, data)
    data = new if isinstance(new, bytes) else data
    for key, value in inner.items():
        if key in meta:
            meta[key] = value if isinstance(value, str) else json.dumps(value)
    return sealed(header, data)


def entry(**new):
    return lambda header, meta, inner, data: header["w"].update(new)


def structure(new):
    def put(header, meta, inner, data):
        inner["structure"] = new

    return put


def lone(text):
    """No arrays, and a structure of one's own."""

    def put(header, meta, inner, data):
        for name in [*header][1:]:
            del header[name]
        inner.update(sha256={}, structure=text)
        return b""

    return put


def deep(opening, closing, levels=100_000):
    return opening * levels + "null" + closing * levels


HOSTILE = {
    "offsets that overlap": entry(data_offsets=[0, 16]),
    "offsets beyond the end": entry(data_offsets=[10**9, 10**9 + 16]),
    "shape and offsets beyond the end": entry(shape=[2**31], data_offsets=[24, 24 + 2**33]),
    "offsets backwards": entry(data_offsets=[40, 24]),
    "offsets that are negative": entry(data_offsets=[-16, 0]),
    "three offsets": entry(data_offsets=[24, 40, 40]),
    "offsets that are no list": entry(data_offsets="24,40"),
    "a shape too large": entry(shape=[2**31, 2**31]),
    "a shape that overflows": entry(shape=[2**62, 4]),
    "a shape of zeros and the impossible": entry(shape=[0, 2**80], data_offsets=[24, 24]),
    "a shape of many dimensions": entry(shape=[1] * 10**5 + [2, 2]),
    "65 dimensions": entry(shape=[1] * 63 + [2, 2]),
    "a shape of floats": entry(shape=[2.0, 2.0]),
    "a shape of bools": entry(shape=[True, 4]),
    "a shape that is null": entry(shape=None),
    "a dtype that is none": entry(dtype="F99"),
    "a dtype that is a list": entry(dtype=[]),
    "a dtype of objects": entry(dtype="O"),
    "something more": entry(more=1),
    "no entry": lambda header, meta, inner, data: header.update(w=None),
    "no dtype": lambda header, meta, inner, data: header["w"].pop("dtype") and None,
    "a name less": lambda header, meta, inner, data: header.pop("w") and None,
    "a hash less": lambda header, meta, inner, data: inner["sha256"].pop("w") and None,
    "a hash more": lambda header, meta, inner, data: inner["sha256"].update(more="0" * 64),
    "hashes that are a list": lambda header, meta, inner, data: inner.update(sha256=[1]),
    "no structure": lambda header, meta, inner, data: meta.pop("structure") and None,
    "metadata that are numbers": lambda header, meta, inner, data: meta.update(note=1),
    "another version": lambda header, meta, inner, data: meta.update(version="2"),
    "another format": lambda header, meta, inner, data: meta.update(format="pt"),
    "data less": lambda header, meta, inner, data: data[:-1],
    "data more": lambda header, meta, inner, data: data + b"\0",
    "bools of 2": lambda header, meta, inner, data: (
        inner["sha256"].update(on=hashlib.sha256(b"\2\0").hexdigest()), data[:-2] + b"\2\0")[1],
    "a structure that is no JSON": structure("{"),
    "a structure of nothing": structure(""),
    "NaN, which JSON has not": structure("NaN"),
    "a key twice": structure('{"a":1,"a":2}'),
    "lists without end": structure(deep("[", "]")),
    "objects without end": structure(deep('{"a":', "}")),
    "tuples without end": structure(deep('{"$tuple":[', "]}", 400)),
    "whole numbers without end": structure("9" * 10**5),
    "a kind that is none": structure({"$eval": "print()"}),
    "a kind among others": structure({"$tuple": [], "more": 1}),
    "no arrays referred to": structure(1),
    "one array twice": structure([{"$array": "w"}, {"$array": "w"}]),
    "an array that is not there": structure({"$array": "v"}),
    "an array named by a number": structure({"$array": 1}),
    "a tensor of no grad": structure({"$tensor": ["w"]}),
    "a tensor with a grad of 1": structure({"$tensor": ["w", 1]}),
    "a whole tensor with a gradient": structure([{"$tensor": ["count", True]}, {"$array": "w"}, {"$array": "on"}]),
    "a parameter of bools": structure([{"$parameter": ["on", True]}, {"$array": "w"}, {"$array": "count"}]),
    "a key twice and nothing else": lone('{"a":1,"a":2}'),
    "a key that is a list": lone('{"$dict":[[[],1]]}'),
    "equal keys": lone('{"$dict":[[1,1],[true,1]]}'),
    "a pair of one": lone('{"$dict":[[1]]}'),
    "pairs that are none": lone('{"$dict":{"a":1}}'),
    "a tuple of a text": lone('{"$tuple":"ab"}'),
    "an OrderedDict of a list": lone('{"$OrderedDict":[1]}'),
    "a Counter of a number": lone('{"$Counter":1}'),
    "a float of three bytes": lone('{"$float":"000000"}'),
    "a float of no digits": lone('{"$float":"xx"}'),
    "an int of no digits": lone('{"$int":"0xg"}'),
    "a text of half a letter": lone('{"$str":"00"}'),
    "a scalar of another size": lone('{"$scalar":["float32","00"]}'),
    "a scalar of objects": lone('{"$scalar":["O","0000000000000000"]}'),
}  # fmt: skip


@pytest.mark.parametrize("how", HOSTILE.values(), ids=HOSTILE.keys())
def test_headers_that_lie_under_a_right_checksum(whole, tmp_path, how):
    assert refused_in_little_memory(changed(whole, how), tmp_path / "file")


class Runs:
    """What a pickle can do: run any command when it is loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def zipped(**members):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return held.getvalue()


def foreign(marker):
    """Files of other kinds, by name."""
    code = pickle.dumps(Runs(marker), 2)
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, np.array([Runs(marker)], object), allow_pickle=True)
    np.savez(npz, a=np.array([Runs(marker)], object))
    return {
        "nothing": b"",
        "one byte": b"\0",
        "zeros": bytes(10_000),
        "text": b"hello world, this is a text\n" * 100,
        "a length of 2^64 - 1": b"\xff" * 8 + b"{}",
        "a length of the whole file": (1000).to_bytes(8, "little") + bytes(999),
        "a length of 100 MB": (10**8).to_bytes(8, "little") + START + bytes(1000),
        "an empty header": (2).to_bytes(8, "little") + b"{}",
        "no header": (0).to_bytes(8, "little"),
        "only the start": len(START).to_bytes(8, "little") + START,
        "a seal of zeros": (len(START) + 64).to_bytes(8, "little") + START + b"0" * 64,
        "a sealed header that is no JSON": sealed(START + b"0" * 64 + b"\xff\xfe"),
        "a sealed header without end": sealed(START + b"0" * 64 + b'","a":' + b"[" * 10**6),
        "a sealed list": sealed(START + b"0" * 64 + b'"}}'),
        "safetensors of others": others({"a": np.zeros(3)}),
        "safetensors of others with our format": others({"a": np.zeros(3)}, metadata={"format": "glassgrad"}),
        "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "ELF": b"\x7fELF" + bytes(100),
        "gzip": b"\x1f\x8b\x08" + bytes(100),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "npy with code": npy.getvalue(),
        "npz with code": npz.getvalue(),
        "a pickle with code": code,
        "a new pickle with code": pickle.dumps(Runs(marker)),
        "torch's oldest format with code": pickle.dumps(0x1950A86A20F9469CFC6C, 2) + code,
        "a torch zip with code": zipped(**{"a/data.pkl": code, "a/version": b"3\n", "a/byteorder": b"little"}),
        "a zip of something else": zipped(readme=b"hello"),
        "half a zip": zipped(readme=b"hello" * 100)[:50],
        "the start of a zip": b"PK\x03\x04",
    }


@pytest.mark.parametrize("name", foreign("x"))
def test_foreign_files(name, tmp_path):
    marker = tmp_path / "code was run"
    measured = refused if name.startswith(("torch", "npz", "a zip", "half", "the start")) else refused_in_little_memory
    message = measured(foreign(marker)[name], tmp_path / "file")
    assert message and "fix:" in message
    assert not marker.exists()


def test_a_file_of_another_program_says_what_reads_it(tmp_path):
    message = refused(others({"a": np.zeros(3)}), tmp_path / "file")
    assert "safetensors.numpy.load_file" in message


def mangled(whole):
    """Changes of the bytes: cut, flipped, doubled, moved, random; under the old checksum or a new one."""
    places = st.integers(0, len(whole))
    cut = st.builds(lambda a, b: whole[: min(a, b)] + whole[max(a, b) :], places, places)
    put = st.builds(lambda a, new: whole[:a] + new + whole[a:], places, st.binary(min_size=1, max_size=40))
    over = st.builds(lambda a, new: whole[:a] + new + whole[a + len(new) :], places, st.binary(min_size=1, max_size=40))
    moved = st.builds(lambda a, b: whole[a:b] + whole[:a] + whole[b:], places, places)
    length = st.integers(0, 2**64 - 1).map(lambda n: n.to_bytes(8, "little") + whole[8:])
    return cut | put | over | moved | length | st.binary(max_size=200) | st.binary(max_size=200).map(START.__add__)


@given(st.data())
@settings.get_profile("malformed")
def test_malformed_files(whole, data):
    made = data.draw(mangled(whole))
    with tempfile.TemporaryDirectory() as folder:
        assert (refused(made, Path(folder) / "file") is None) == (made == whole)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(0, 3) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4) | st.sampled_from(["w", "F32", "$array", "$tensor", "$dict", "$tuple", "F64"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["w", "a", "$array", "$tensor", "$dict", "$scalar"]), inner, max_size=2),
    max_leaves=5,
)  # fmt: skip


def places_of(tree, path=()):
    """The paths to everything in a JSON value."""
    yield path
    for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places_of(inner, (*path, key))


def replaced(tree, path, new):
    if not path:
        return new
    inner = replaced(tree[path[0]], path[1:], new)
    if isinstance(tree, dict):
        return {**tree, path[0]: inner}
    return [*tree[: path[0]], inner, *tree[path[0] + 1 :]]


@given(st.data())
@settings.get_profile("malformed")
def test_malformed_headers_under_a_right_checksum(whole, data):
    """Anything in the place of anything: an error, or an object of the kinds that there are."""
    header, numbers = taken_apart(whole)
    meta = header["__metadata__"]
    which = data.draw(st.sampled_from(["structure", "header"]))
    tree = json.loads(meta["structure"]) if which == "structure" else header
    path = data.draw(st.sampled_from(list(places_of(tree))[which == "header" :]))
    tree = replaced(tree, path, data.draw(ODD))
    if which == "structure":
        meta["structure"] = json.dumps(tree)
    else:
        header = tree
    made = sealed(header, numbers) if isinstance(header.get("__metadata__"), dict) else None
    if made is not None and made[8:].startswith(START):
        with tempfile.TemporaryDirectory() as folder:
            refused(made, Path(folder) / "file")

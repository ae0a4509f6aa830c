"""Pickles and .npz files: plain data and arrays come back as they were written, and nothing else is done."""

import io
import os
import pickle
import struct
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lamina.saving import DamagedFile, UnsafeFile
from lamina_utils.npz import read_npz
from lamina_utils.pickles import DEEPEST, MOST, read_pickle, unpickled


def same(found, wanted):
    """Whether two values are equal and of the same types, at every depth."""
    if type(found) is not type(wanted):
        return False
    if isinstance(wanted, np.ndarray):
        if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
            return False
        if wanted.dtype == object:
            return all(map(same, found.ravel(), wanted.ravel()))
        return np.array_equal(found, wanted, equal_nan=wanted.dtype.kind in "fc")
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(same(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list | tuple):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    return found == wanted or (found != found and wanted != wanted)


def listed(*items):
    """An array of objects of one axis, even where all are lists of one length."""
    found = np.empty(len(items), object)
    for number, item in enumerate(items):
        found[number] = item
    return found


# ---- what is fair

PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300) | st.binary(max_size=300)
    | arrays.arrays(
        st.sampled_from(["bool", "uint8", "<i8", ">i2", "<f4", "float64", "complex64", "S3", "U2"]),
        arrays.array_shapes(min_dims=0, min_side=0),
    )
)  # fmt: skip
DATA = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.binary() | st.integers(-1000, 1000), inner)
        | st.lists(inner).map(lambda items: listed(*items))
    ),
    max_leaves=10,
)


@given(DATA, st.sampled_from([2, 3, 4, 5]))
def test_plain_data_comes_back_as_it_was_pickled(value, protocol):
    try:
        found = unpickled(pickle.dumps(value, protocol), "data")
    except UnsafeFile as error:  # the tuple or array that two places of an example share
        assert "in two places" in str(error)
    else:
        assert same(found, value)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        list(range(-3000, 3000)),  # in parts of a thousand, and in numbers of all lengths
        [0.5] * 2000,
        {"word" + str(number): number for number in range(3000)},
        np.asfortranarray(np.arange(12, dtype=">i2").reshape(3, 4)),
        listed([1, 2], [3, 4]).reshape(2, 1),
        [np.float32(1.5), np.int64(-7), np.bool_(True)],
        [np.arange(3), np.arange(4)],  # the second dtype is taken from the memo
        [2**31, -(2**63), 2**600],
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_forms_of_each_protocol(value, protocol):
    assert same(unpickled(pickle.dumps(value, protocol), "data"), value)


def test_texts_of_python_2_come_as_bytes():
    # {'labels': [6, 9], 'data': an array of the bytes 1 2 3 4}, as Python 2 wrote it
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\x00\x85U\x01b\x87Rq\x06(K\x01K\x02K\x02\x86"
        b"cnumpy\ndtype\nq\x07U\x02u1K\x00K\x01\x87Rq\x08(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x04\x01\x02\x03\x04tb"
    )
    data = b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x06K\teU\x04data" + array + b"u."
    found = unpickled(data, "data")
    assert same(found, {b"labels": [6, 9], b"data": np.array([[1, 2], [3, 4]], "u1")})
    found[b"data"][0, 0] = 9  # and may be written


def test_a_pickle_is_read_from_its_file(tmp_path):
    (tmp_path / "data.pickle").write_bytes(pickle.dumps({"x": [1, 2]}))
    assert read_pickle(tmp_path / "data.pickle") == {"x": [1, 2]}
    (tmp_path / "data.pickle").write_bytes(pickle.dumps(print))
    with pytest.raises(UnsafeFile, match=r"data\.pickle is a pickle that names '.*print'"):
        read_pickle(tmp_path / "data.pickle")


# ---- what is not


class Asking:
    """Something that pickles as a call."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


ENDLESS = []
ENDLESS.append(ENDLESS)
TWICE = [1]
NUMPY_BUILT = (
    b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01%scnumpy\ndtype\nU\x02%s"
    b"K\x00K\x01\x87R\x89%stb."
)


def text(content):
    return b"X" + struct.pack("<I", len(content)) + content


UNSAFE = {
    "a call of a function": pickle.dumps(Asking(os.system, ("true",))),
    "a call, protocol 2": pickle.dumps(Asking(os.system, ("true",)), 2),
    "eval": pickle.dumps(Asking(eval, ("1",))),
    "an object": pickle.dumps(Asking(Asking, ()), 5),
    "an array loaded": pickle.dumps(Asking(np.load, ("x",))),
    "a name with dots": b"\x80\x04" + text(b"numpy") + text(b"ndarray.tofile") + b"\x93.",
    "a name divided elsewhere": b"\x80\x04" + text(b"numpy ndarray") + text(b"") + b"\x93.",
    "a name in another case": b"\x80\x02cNumPy\nndarray\n.",
    "a number called": b"\x80\x02K\x01)R.",
    "a class called": b"\x80\x02cnumpy\nndarray\n)R.",
    "a function's state": b"\x80\x02cnumpy\ndtype\n}b.",
    "a list's state": b"\x80\x02]}b.",
    "an instance": b"\x80\x02(cnumpy\nndarray\no.",
    "a new object": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "an instance by text": b"\x80\x02(inumpy\nndarray\n.",
    "a persistent id": b"\x80\x02U\x01xQ.",
    "an extension": b"\x80\x02\x82\x01.",
    "a buffer from outside": b"\x80\x05\x97.",
    "a list that holds itself": pickle.dumps(ENDLESS),
    "a list in two places": pickle.dumps([TWICE, TWICE]),
    "a value doubled": b"\x80\x02K\x012\x86.",
    "depth": b"\x80\x02" + b"]" * (DEEPEST + 2) + b"a" * (DEEPEST + 1) + b".",
    "depth of tuples": b"\x80\x02)" + b"\x85" * (DEEPEST + 1) + b".",
    "marks": b"\x80\x02" + b"(" * 1000 + b"t" * 1000 + b".",
    "lists without number": b"\x80\x02(" + b"]" * (2 * MOST) + b"t.",
    "a dict by tuples": pickle.dumps({(1, 2): 3}),
    "a dict by large numbers": pickle.dumps({2**61 - 1: 0}),
    "a large dict by large numbers": pickle.dumps({1 << 20 | number: 0 for number in range(1001)}),
    "a place in the memo that a list has taken over": b"\x80\x02" + text(b"a") + b"q\x00]q\x00h\x00\x87.",
    "a set": pickle.dumps({1, 2}, 4),
}
DAMAGED = {
    "nothing": b"",
    "protocol 0": pickle.dumps([1], 0),
    "protocol 9": b"\x80\x09N.",
    "no end": pickle.dumps([1, 2])[:-1],
    "more after the end": pickle.dumps(1) + pickle.dumps(2),
    "two values": b"\x80\x02NN.",
    "no value": b"\x80\x02.",
    "a mark that is not there": b"\x80\x02Nt.",
    "more than there is": b"\x80\x02)\x87.",
    "more than the mark": b"\x80\x02K\x01(K\x02\x86.",
    "an end in a number": b"\x80\x02J..",
    "2 GB of text": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "16 EB of bytes": b"\x80\x04\x8e" + b"\xff" * 8 + b"abc.",
    "no text": b"\x80\x02X\x02\x00\x00\x00\xff\xff.",
    "no name": b"\x80\x02c" + b"x" * 1000 + b"\n.",
    "a name alone": b"\x80\x02cnumpy\nndarray\n.",
    "a name in a list": b"\x80\x02]cnumpy\nndarray\na.",
    "a dtype alone": pickle.dumps(np.dtype("f4")),
    "records": pickle.dumps(np.zeros(2, "i4,f4")),
    "dates": pickle.dumps(np.zeros(2, "M8[s]")),
    "an array that is not built": NUMPY_BUILT.partition(b"R")[0] + b"R.",
    "a large array": NUMPY_BUILT % (b"J\xff\xff\xff\x7f\x85", b"u1", b"U\x04abcd"),
    "an array of less than nothing": NUMPY_BUILT % (b"J\xff\xff\xff\xff\x85", b"u1", b"U\x00"),
    "an array of no bytes": NUMPY_BUILT % (b"K\x01\x85", b"u1", b"N"),
    "half a number": NUMPY_BUILT % (b"K\x01\x85", b"i2", b"U\x03abc"),
    "no dtype": NUMPY_BUILT % (b"K\x01\x85", b"f3", b"U\x03abc"),
    "a name that is a tuple": b"\x80\x04("
    + text(b"x" * 5000)
    + b"q\x00"
    + b"h\x00" * 5000
    + b"t"
    + text(b"a")
    + b"\x93.",
    "a dtype that is a tuple": b"\x80\x02cnumpy\ndtype\n("
    + text(b"x" * 5000)
    + b"q\x00"
    + b"h\x00" * 5000
    + b"t\x85R.",
    "arguments in arguments": b"\x80\x02cnumpy\ndtype\ncnumpy\nndarray\n" + b"\x85" * 5000 + b"R.",
    "no character": b"\x80\x02cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02U1\x85RC\x04\xff\xff\xff\xff\x86R.",
    "no shape": NUMPY_BUILT % (b"K\x03", b"u1", b"U\x03abc"),
    "objects without a list": NUMPY_BUILT % (b"K\x08\x85", b"O8", b"U\x08abcdefgh"),
    "fewer objects": NUMPY_BUILT % (b"K\x02\x85", b"O8", b"]"),
    "a key without a value": b"\x80\x02}(K\x01u.",
    "an item for no list": b"\x80\x02}K\x01a.",
    "bytes in another encoding": b"\x80\x02c_codecs\nencode\n" + text(b"a") + text(b"utf-16") + b"\x86R.",
}


@pytest.mark.parametrize(
    ("error", "data"),
    [pytest.param(UnsafeFile, data, id=name) for name, data in UNSAFE.items()]
    + [pytest.param(DamagedFile, data, id=name) for name, data in DAMAGED.items()],
)
def test_anything_else_is_refused(error, data):
    with pytest.raises(error, match=r"^letter\.pickle is "):
        unpickled(data, "letter.pickle")


def test_a_number_of_numpy_may_be_in_two_places():
    number = np.float64(0.5)
    assert same(unpickled(pickle.dumps([number, number]), "data"), [number, number])


def test_large_keys_are_fair_in_small_dicts():
    value = {2**31 - 1: "a", -(2**31) + 1: "b", **dict.fromkeys(range(900))}
    assert unpickled(pickle.dumps(value), "data") == value
    value = dict.fromkeys(range(100_000, 0, -1))
    assert unpickled(pickle.dumps(value), "data") == value


def test_no_end_of_a_pickle_makes_another():
    whole = pickle.dumps({"x": [1, 2.5, b"ab", (None, True)], "y": np.arange(5), "z": listed([1], "a")}, 4)
    for end in range(len(whole)):
        with pytest.raises(DamagedFile):
            unpickled(whole[:end], "data")


def test_keys_that_hash_for_ever_are_refused_at_once():
    # Each tuple holds the one before twice: its hash, which a dict asks for, would take 2^80 steps.
    pairs = b")" + b"".join(b"q%ch%c\x86" % (number, number) for number in range(80))
    with pytest.raises(UnsafeFile, match="in two places"):
        unpickled(b"\x80\x02}" + pairs + b"K\x01s.", "data")


def test_nothing_is_looked_up_or_imported():
    heard = []
    sys.addaudithook(
        lambda event, _: heard.append(event) if event in ("pickle.find_class", "import") else None
    )
    for data in (*UNSAFE.values(), *DAMAGED.values()):
        with pytest.raises((UnsafeFile, DamagedFile)):
            unpickled(data, "data")
    assert "pickle.find_class" not in heard


# ---- .npz


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.npz"


def npy(array, **changes):
    """The bytes of a .npy file, and of one whose header says something else."""
    file = io.BytesIO()
    np.save(file, array)
    header = str({"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **changes})
    _, _, content = file.getvalue().partition(b"\n")
    head = header.encode() + b"\n" if changes else None
    return (
        file.getvalue()
        if head is None
        else b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + content
    )


def packed(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_npy", ".npy"), content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_as_they_were_saved(save, path):
    wanted = {
        "x_train": listed([1, 2, 3], [4], []),
        "y_train": np.array([0, 1, 1]),
        "images": np.random.default_rng(0).integers(0, 256, (5, 8, 8), "uint8"),
        "columns": np.asfortranarray(np.arange(12, dtype=">f4").reshape(3, 4)),
        "number": np.array(3.5),
        "none": np.zeros((0, 3)),
        "words": np.array(["ab", "c"]),
        "deep/name": np.arange(3),
    }
    save(path, **wanted)
    found = read_npz(path)
    assert list(found) == list(wanted) and all(same(found[name], wanted[name]) for name in wanted)
    found["images"][0] = 0  # arrays may be written


def test_an_array_that_runs_something_is_refused(path):
    np.savez(path, x=listed(Asking(os.system, ("true",))))
    with pytest.raises(UnsafeFile, match=r"'x\.npy' of .*data\.npz is a pickle that names '.*system'"):
        read_npz(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(np.arange(4), shape=(10**12,)), "declares int64 of shape .* and holds 32 bytes"),
        (npy(np.arange(4), shape=(-4,)), "declares"),
        (npy(np.arange(4), descr="V0"), "declares"),
        (npy(np.arange(4), descr="|O"), "pickle"),
        (npy(np.arange(4), descr="f3"), "descr"),
        (npy(listed(1, 2), shape=(3,)), "does not hold the objects"),
        (npy(np.arange(4), shape="x"), "shape"),
        (npy(np.arange(4), more=1), "Header"),
        (b"\x93NUMPY\x03\x00" + bytes(20), "version"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 60_000) + b"(" * 60_000, "header that cannot be read"),
        *[
            (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head, "header that cannot be read")
            for head in (b"{'descr': '<f4', 'shape': (1L", b" {\n 'x'\n", b"-" * 9000 + b"1", b"{[]: 1}")
        ],
        (npy(np.arange(1), shape=(True,)), "shape"),
        (npy(np.array(["a"])).replace(b"a\0\0\0", b"\xff" * 4), "no character"),
        (b"no array", "magic"),
        (b"", "unpacked"),
    ],
)
def test_an_array_is_what_its_header_declares(content, message, path):
    with pytest.raises(DamagedFile, match=message):
        read_npz(packed(path, x_npy=content))


def test_a_file_that_holds_more_than_arrays_is_refused(path):
    with pytest.raises(DamagedFile, match="'x.txt'"):
        read_npz(packed(path, **{"x.txt": b"text"}))
    with pytest.raises(DamagedFile, match="unpacked"):
        path.write_bytes(b"no zip")
        read_npz(path)
    with pytest.raises(FileNotFoundError):
        read_npz(path.with_name("nowhere.npz"))


def test_what_unpacks_to_far_more_than_there_is_is_refused_before(path):
    packed(path, x_npy=npy(np.zeros(200 << 17)))
    with pytest.raises(UnsafeFile, match="over 200 times its size"):
        read_npz(path)

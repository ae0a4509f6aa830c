"""HDF5Matrix, the enqueuers, and objects as configs."""

import pickle
import threading

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import lamina.utils
from lamina.layers import Dense, Input, add
from lamina.models import Model
from lamina.saving import UnsafeFile
from lamina.utils import (
    CustomObjectScope,
    GeneratorEnqueuer,
    HDF5Matrix,
    OrderedEnqueuer,
    deserialize_keras_object,
    get_source_inputs,
    print_summary,
    serialize_keras_object,
)


def test_names_are_where_keras_2_has_them():
    from lamina.utils.data_utils import get_file
    from lamina.utils.generic_utils import Progbar
    from lamina.utils.io_utils import HDF5Matrix as at_its_old_place

    assert at_its_old_place is HDF5Matrix
    assert Progbar is lamina.utils.Progbar and get_file is lamina.utils.get_file


# ---- HDF5Matrix

ROWS = np.arange(40.0).reshape(20, 2)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = ROWS
        file["y"] = (ROWS[:, 0] % 4 == 0).astype("int8")
        file["deep/x"] = ROWS
    return tmp_path / "data.h5"


def test_it_looks_like_an_array(file):
    x = HDF5Matrix(file, "x", start=5, end=15)
    assert (len(x), x.shape, x.ndim, x.size, x.dtype) == (10, (10, 2), 2, 20, "float64")
    assert_array_equal(x[:], ROWS[5:15])
    assert_array_equal(x[2:8:3], ROWS[7:13:3])
    assert_array_equal(x[-3:], ROWS[12:15])
    assert_array_equal(x[3], ROWS[8])
    assert_array_equal(x[np.int64(-1)], ROWS[14])
    assert_array_equal(x[[3, 1, 1, -1]], ROWS[[8, 6, 6, 14]])
    assert_array_equal(x[np.arange(10) % 2 == 0], ROWS[5:15:2])
    assert_array_equal(HDF5Matrix(file, "deep/x")[:3], ROWS[:3])
    assert HDF5Matrix(file, "y").shape == (20,)


@pytest.mark.parametrize("key", [10, -11, slice(0, 11), [0, 10], np.array([-11]), slice(5, 1, -1)])
def test_what_is_outside_is_an_error(file, key):
    with pytest.raises(IndexError):
        HDF5Matrix(file, "x", start=5, end=15)[key]


def test_what_is_not_there_is_named(file):
    with pytest.raises(KeyError, match="no dataset 'z'; it has deep, x, y"):
        HDF5Matrix(file, "z")
    with pytest.raises(IndexError, match="20 rows"):
        HDF5Matrix(file, "x", end=21)


def test_texts_are_refused_before_their_heap_is_read(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = ["one", "two"]
    content = (tmp_path / "data.h5").read_bytes()
    at = content.index(b"GCOL") + 16  # a first text without size or end, at which HDF5 stays
    (tmp_path / "data.h5").write_bytes(content[:at] + bytes(16) + content[at + 16 :])
    with pytest.raises(UnsafeFile, match="'x' holds texts or references of any length; store numbers"):
        HDF5Matrix(tmp_path / "data.h5", "x")


@pytest.mark.parametrize("how", ["soft", "external", "stored elsewhere", "virtual"])
def test_a_dataset_is_read_from_its_own_file_only(how, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = ROWS
    with h5py.File(tmp_path / "data.h5", "w") as file:
        if how == "soft":
            file["y"], file["x"] = ROWS, h5py.SoftLink("/y")
        elif how == "external":
            file["x"] = h5py.ExternalLink("other.h5", "x")
        elif how == "virtual":
            layout = h5py.VirtualLayout(ROWS.shape, ROWS.dtype)
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", ROWS.shape)
            file.create_virtual_dataset("x", layout)
        else:
            file.create_dataset(
                "x", ROWS.shape, ROWS.dtype, external=[(str(tmp_path / "raw"), 0, h5py.h5f.UNLIMITED)]
            )
    with pytest.raises(UnsafeFile, match="copy the data itself") as refused:
        HDF5Matrix(tmp_path / "data.h5", "x")
    assert "h5py.File" in refused.value.__notes__[0]
    with h5py.File(tmp_path / "data.h5", "a") as file:  # it was closed again
        file["group/z"] = 1
    with pytest.raises(ValueError, match="'group' is no dataset"):
        HDF5Matrix(tmp_path / "data.h5", "group")


def test_a_normalizer_makes_what_is_given(file):
    x = HDF5Matrix(file, "x", normalizer=lambda rows: rows.astype("float32")[..., :1] / 40)
    assert (x.shape, x.dtype) == ((20, 1), "float32")
    assert_array_equal(x[4:6], ROWS[4:6, :1].astype("float32") / 40)
    assert HDF5Matrix(file, "x", end=0, normalizer=lambda rows: rows[..., :1]).shape == (0, 1)


def test_it_travels_to_other_processes(file):
    again = pickle.loads(pickle.dumps(HDF5Matrix(file, "x", start=3)))
    assert_array_equal(again[:2], ROWS[3:5])


def test_it_becomes_an_array_in_one_piece(file, monkeypatch):
    x = HDF5Matrix(file, "x", start=3)
    monkeypatch.setattr(HDF5Matrix, "_rows", None)
    assert_array_equal(np.asarray(x), ROWS[3:])
    assert np.asarray(x, "float32").dtype == "float32"


# ---- enqueuers


class Numbers(lamina.utils.Sequence):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return index


def test_an_ordered_enqueuer_gives_a_sequence_for_ever():
    enqueuer = OrderedEnqueuer(Numbers())
    enqueuer.start(workers=3, max_queue_size=5)
    assert enqueuer.is_running()
    batches = enqueuer.get()
    assert [next(batches) for _ in range(10)] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    enqueuer.stop()
    assert not enqueuer.is_running() and list(batches) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lamina-worker")]


def test_a_generator_enqueuer_ends_with_its_generator():
    enqueuer = GeneratorEnqueuer(iter(range(5)), wait_time=0.01)
    enqueuer.start()
    assert list(enqueuer.get()) == [0, 1, 2, 3, 4]
    enqueuer.stop()


# ---- objects


class Scaled:
    def __init__(self, by=1):
        self.by = by

    def get_config(self):
        return {"by": self.by}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def twice(x):
    return 2 * x


def test_objects_go_to_configs_and_back():
    told = serialize_keras_object(Scaled(3))
    assert told == {"class_name": "Scaled", "config": {"by": 3}}
    assert deserialize_keras_object(told, {"Scaled": Scaled}).by == 3
    assert deserialize_keras_object(told, custom_objects={"Scaled": Scaled}).by == 3
    with CustomObjectScope({"Scaled": Scaled}):
        assert deserialize_keras_object(told).by == 3
    assert serialize_keras_object(twice) == "twice"
    assert deserialize_keras_object("twice", globals()) is twice
    assert serialize_keras_object(None) is None


def test_strangers_are_refused():
    with pytest.raises(ValueError, match="Unknown scale: 'Scaled'"):
        deserialize_keras_object({"class_name": "Scaled", "config": {}}, {}, printable_module_name="scale")
    with pytest.raises(ValueError, match="Could not interpret"):
        deserialize_keras_object(3)
    with pytest.raises(ValueError, match="Cannot serialize"):
        serialize_keras_object(object())


# ---- graphs


def test_the_inputs_of_a_tensor():
    a, b, c = Input((2,), name="a"), Input((2,), name="b"), Input((2,), name="c")
    shared = Dense(2)
    total = add([shared(b), shared(a), b])
    assert get_source_inputs(total) == [b, a]
    assert get_source_inputs(add([total, c])) == [b, a, c]
    assert get_source_inputs(a) == [a]
    assert get_source_inputs(total, shared, 1) == [a]


def test_a_model_is_printed_line_by_line():
    a = Input((2,), name="a")
    lines = []
    print_summary(Model(a, Dense(3, name="b")(a)), line_length=40, print_fn=lines.append)
    assert lines[-4].startswith("Total params: 9") and all(len(line) <= 40 for line in lines)

"""Weights as safetensors: what is written, what other programs write, and every way a file can lie."""

import io
import json
import os

import numpy as np
import pytest

from lamina import backend as K
from lamina.engine.input_layer import Input
from lamina.engine.layer import Layer
from lamina.engine.model import Model
from lamina.engine.sequential import Sequential
from lamina.saving import DamagedFile, UnsafeFile, gate, load_model
from lamina.training.progress import progress_of

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


class Affine(Layer):
    """x W + b."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units), initializer=np.ones)
        self.bias = self.add_weight("bias", (self.units,), initializer=np.zeros)

    def call(self, inputs):
        return K.dot(inputs, self.kernel) + self.bias


class Counted(Layer):
    """Weights of several types and no axes."""

    def build(self, input_shape):
        self.count = self.add_weight("count", (), dtype="int64", initializer=np.zeros, trainable=False)
        self.seen = self.add_weight("seen", (3,), dtype="bool", initializer=np.zeros, trainable=False)
        self.half = self.add_weight("half", (1,), dtype="float16", initializer=np.ones)

    def call(self, inputs):
        return inputs * 1.0


@pytest.fixture(autouse=True)
def fresh_names():
    K.clear_session()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


def randomised(model, seed=2):
    draw = np.random.default_rng(seed)
    model.set_weights([(10 * draw.normal(size=w.shape)).astype(w.dtype) for w in model.get_weights()])
    return model


def stack():
    return Sequential([Affine(4, input_shape=(3,)), Counted(), Affine(2)])


def nested():
    x = Input((3,))
    shared = Affine(3, name="shared")
    inner = Model(x, Affine(3)(shared(x)), name="inner")
    return Model(x, Affine(2, name="top")(inner(shared(x))))


def same(model, other):
    for mine, its in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
        assert mine.dtype == its.dtype


def bytes_of(header, numbers=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def entry(shape=(1,), span=(0, 4), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(span)}


def header_of(path):
    data = path.read_bytes()
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [stack, nested])
def test_weights_come_back(path, make):
    model = randomised(make())
    model.save_weights(path)
    other = make()
    other.load_weights(path)
    same(model, other)
    with open(path, "rb") as file:  # known by what it holds, whatever it is called
        third = make()
        third.load_weights(io.BytesIO(file.read()))
    same(model, third)


def test_the_header_says_what_lies_where_and_in_which_order(path):
    model = randomised(stack())
    model.save_weights(path)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    header = header_of(path)
    metadata = header.pop("__metadata__")
    assert json.loads(metadata.pop("layers")) == [
        ["affine_1", ["affine_1/kernel", "affine_1/bias"]],
        ["counted_1", ["counted_1/half", "counted_1/count", "counted_1/seen"]],
        ["affine_2", ["affine_2/kernel", "affine_2/bias"]],
    ]
    assert metadata == {"backend": "tensorflow", "keras_version": "2.2.4"}
    assert header["affine_1/kernel"] == entry((3, 4), (8, 56))  # after the count of 8 bytes
    assert header["counted_1/count"] == entry((), (0, 8), "I64")
    assert header["counted_1/seen"]["dtype"] == "BOOL" and header["counted_1/half"]["dtype"] == "F16"
    first, end = header["affine_2/kernel"]["data_offsets"]
    stored = np.frombuffer(data[8 + length + first : 8 + length + end], "<f4").reshape(4, 2)
    np.testing.assert_array_equal(stored, model.layers[2].get_weights()[0])
    assert max(each["data_offsets"][1] for each in header.values()) == len(data) - 8 - length


def test_equal_names_are_made_different(path):
    model = randomised(nested())
    model.layers[1].trainable_weights = [K.variable(np.ones(2), name="w"), K.variable(np.zeros(2), name="w")]
    model.save_weights(path)
    assert {"shared/w", "shared/w_1"} < set(header_of(path))


def test_what_checkpoints_remember_comes_back(path):
    model = stack()
    progress_of(model).best["val_loss"] = 0.25
    model.save_weights(path)
    other = stack()
    other.load_weights(path)
    assert progress_of(other).best == {"val_loss": 0.25}


def test_a_failed_save_leaves_the_old_file(path):
    stack().save_weights(path)
    before = path.read_bytes()
    model = stack()
    model.layers[0].trainable_weights = [K.variable(np.zeros(2, "complex64"), dtype="complex64", name="z")]
    with pytest.raises(ValueError, match="'z.* is of complex64, which safetensors cannot hold"):
        model.save_weights(path)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]
    with pytest.raises(FileExistsError, match="already exists"):
        model.save_weights(path, overwrite=False)


def test_what_cannot_be_read_back_does_not_replace_the_old_file(path, monkeypatch):
    stack().save_weights(path)
    before = path.read_bytes()
    monkeypatch.setattr(K, "get_value", lambda weight: np.zeros(1, "float32"))  # not what its shape promised
    with pytest.raises(OSError, match="cannot be read back.*the file that was there is untouched"):
        stack().save_weights(path)
    assert path.read_bytes() == before


def test_a_whole_model_is_told_where_to_go(path):
    with pytest.raises(ValueError, match="weights alone.*save_weights"):
        stack().save(path)
    assert not path.exists()
    stack().save_weights(path)
    with pytest.raises(DamagedFile, match="no HDF5 file: it is a safetensors file, of weights alone"):
        load_model(path)


# --- what goes where --------------------------------------------------------------------------------------------------


def test_by_name_and_by_order_as_from_hdf5(path):
    model = randomised(stack())
    model.save_weights(path)
    h5 = path.with_suffix(".h5")
    model.save_weights(h5)

    def wider():
        K.clear_session()
        return Sequential([Affine(4, input_shape=(3,)), Counted(), Affine(5)])

    for arguments in ({}, {"by_name": True}):
        messages = []
        for file in (path, h5):
            other = wider()
            with pytest.raises(ValueError, match="'affine_2' has shape") as caught:
                other.load_weights(file, **arguments)
            messages.append(str(caught.value).replace(str(file), ""))
            np.testing.assert_array_equal(other.get_weights()[0], np.ones((3, 4)))  # nothing is half loaded
        assert messages[0] == messages[1]
    other = wider()
    with pytest.warns(UserWarning, match="affine_2 due to mismatch"):
        other.load_weights(path, by_name=True, skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    with pytest.raises(ValueError, match="containing 3 layers into a model with 1 layers"):
        Sequential([Affine(4, input_shape=(3,))]).load_weights(path)


def test_a_file_without_our_list_is_read_by_names(path):
    kernel, bias = X[:3, :2], np.arange(2, dtype="float32")
    header = {
        "a/bias": entry((2,), (24, 32)),
        "a/kernel": entry((3, 2), (0, 24)),
        "c/x": entry((0,), (32, 32)),
    }
    path.write_bytes(bytes_of(header, kernel.tobytes() + bias.tobytes()))
    model = Sequential([Affine(2, name="a", input_shape=(3,)), Affine(2, name="b")])
    model.load_weights(path, by_name=True)
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    np.testing.assert_array_equal(model.get_weights()[1], bias)
    np.testing.assert_array_equal(model.get_weights()[2], np.ones((2, 2)))
    with pytest.raises(ValueError, match="containing 1 layers into a model with 2"):
        model.load_weights(path)
    del header["a/bias"]
    path.write_bytes(bytes_of({**header, "c/x": entry((0,), (24, 24))}, kernel.tobytes()))
    with pytest.raises(DamagedFile, match=r"no tensor 'a/bias'; it has \['a/kernel', 'c/x'\]"):
        model.load_weights(path, by_name=True)


def test_bfloat16_is_read_as_float32(path):
    values = np.array([1.0, -2.5, 3.0e38], "float32")
    upper = (values.view("uint32") >> 16).astype("<u2")
    path.write_bytes(bytes_of({"a/w": entry((3,), (0, 6), "BF16")}, upper.tobytes()))
    model = Sequential([Affine(3, name="a", input_shape=(3,))])
    model.layers[0].trainable_weights = [K.variable(np.zeros(3), name="a/w")]
    model.load_weights(path)
    np.testing.assert_allclose(model.get_weights()[0], values, rtol=2**-8)  # 8 bits of mantissa
    np.testing.assert_array_equal(model.get_weights()[0][:2], values[:2])


# --- files that lie ---------------------------------------------------------------------------------------------------

FOUR = b"\0" * 4
DAMAGED = {
    "empty": b"",
    "short": b"\1\0\0",
    "header beyond the end": (100).to_bytes(8, "little") + b"{}",
    "header of 2 ** 63": (1 << 63).to_bytes(8, "little") + b"{}",
    "no JSON": bytes_of(b"{nul}"),
    "no UTF-8": bytes_of(b'{"\xff": 1}'),
    "a list": bytes_of([]),
    "one name twice": bytes_of(b'{"a": %s, "a": %s}' % ((json.dumps(entry()).encode(),) * 2), FOUR),
    "metadata that is no text": bytes_of({"__metadata__": {"layers": []}}),
    "an entry that is none": bytes_of({"a": 3}),
    "no offsets": bytes_of({"a": {"dtype": "F32", "shape": [1]}}, FOUR),
    "negative size": bytes_of({"a": entry((-1, -1))}, FOUR),
    "size that is no number": bytes_of({"a": entry((1.0,))}, FOUR),
    "size that is a truth": bytes_of({"a": entry((True,))}, FOUR),
    "backwards": bytes_of({"a": entry((1,), (4, 0))}, FOUR),
    "unknown type": bytes_of({"a": entry(dtype="F4")}, FOUR),
    "type that is a list": bytes_of({"a": entry(dtype=[])}, FOUR),
    "33 axes": bytes_of({"a": entry([1] * 33)}, FOUR),
    "size that wraps round": bytes_of({"a": entry((1 << 32, 1 << 32))}, FOUR),
    "smaller than its bytes": bytes_of({"a": entry((), (0, 8))}, FOUR * 2),
    "overlap": bytes_of({"a": entry(), "b": entry()}, FOUR),
    "gap": bytes_of({"a": entry(), "b": entry((1,), (8, 12))}, FOUR * 3),
    "gap at the start": bytes_of({"a": entry((1,), (4, 8))}, FOUR * 2),
    "more than is told": bytes_of({"a": entry()}, FOUR * 2),
    "cut short": bytes_of({"a": entry()}, b"\0\0\0"),
    "nothing inside another": bytes_of({"a": entry(), "b": entry((0,), (2, 2))}, FOUR),
    "list of layers that is no JSON": bytes_of({"__metadata__": {"layers": "["}}),
    "list of layers that is none": bytes_of({"__metadata__": {"layers": '{"a": 1}'}}),
    "list of pairs that are none": bytes_of({"__metadata__": {"layers": '[["a", [1]]]'}}),
    "list of what is not there": bytes_of({"__metadata__": {"layers": '[["a", ["a/kernel"]]]'}}),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_file_that_lies_is_damaged(path, content):
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match="weights.safetensors"):
        Sequential([Affine(4, name="a", input_shape=(3,))]).load_weights(path)


def test_every_truncation_is_damage(path):
    model = stack()
    model.save_weights(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFile):
            model.load_weights(path)


def test_altered_bytes_are_loaded_or_refused_in_plain_words(path):
    model = stack()
    model.save_weights(path)
    whole = path.read_bytes()
    draw = np.random.default_rng(3)
    refused = 0
    for _ in range(1000):
        altered = bytearray(whole)
        for at in draw.integers(0, len(whole), draw.integers(1, 4)):
            altered[at] = draw.integers(0, 256)
        path.write_bytes(altered)
        try:
            model.load_weights(path)
        except ValueError:  # of which DamagedFile and UnsafeFile are
            refused += 1
    assert refused > 500  # most of the file is its header


def test_a_header_is_bounded_before_it_is_read(path, monkeypatch):
    monkeypatch.setattr(gate, "LONGEST_TEXT", 100)
    path.write_bytes(bytes_of(b" " * 200))
    with pytest.raises(UnsafeFile, match="header of 200 bytes; at most 100"):
        stack().load_weights(path)


def test_one_tensor_for_many_layers_counts_each_time(path):
    listed = json.dumps([[f"a{at}", ["a"]] for at in range(12)])
    numbers = b"\0" * (1 << 20)
    header = {"__metadata__": {"layers": listed}, "a": entry((1 << 18,), (0, 1 << 20))}
    path.write_bytes(bytes_of(header, numbers))
    model = Sequential(
        [Affine(1 << 17, name="a0", input_shape=(2,)), *[Affine(1, name=f"a{n}") for n in range(1, 12)]]
    )
    for layer in model.layers:
        layer.trainable_weights = [K.variable(np.zeros(1 << 18))]
    with pytest.raises(UnsafeFile, match="still allowed"):
        model.load_weights(path)


# --- the package of the format ----------------------------------------------------------------------------------------


def test_the_package_reads_what_is_written_here_and_the_other_way_round(path):
    package = pytest.importorskip("safetensors.numpy", reason="the package safetensors is not installed")
    from safetensors import safe_open

    model = randomised(stack())
    model.save_weights(path)
    found = package.load_file(path)
    for layer in model.layers:
        for weight, value in zip(layer.weights, layer.get_weights(), strict=True):
            name = weight.name.removesuffix(":0")
            np.testing.assert_array_equal(found[name], value)
            assert found[name].dtype == value.dtype
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    assert metadata["keras_version"] == "2.2.4"

    package.save_file(found, path, metadata=metadata)
    other = stack()  # of other names, but in the order that the metadata tell
    other.load_weights(path)
    same(model, other)

    package.save_file(found, path)
    with pytest.raises(ValueError, match="containing 0 layers into a model with 3"):
        other.load_weights(path)
    K.clear_session()
    other = stack()
    other.load_weights(path)
    same(model, other)

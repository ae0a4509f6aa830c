"""Kernels in files that Keras on Theano, or Keras 1, wrote."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lamina.layers import (
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    DepthwiseConv2D,
    SeparableConv2D,
)
from lamina.models import Sequential

SHAPES = {1: (9, 2), 2: (9, 8, 2), 3: (9, 8, 7, 2)}


def model(make, rank, data_format="channels_last", **arguments):
    shape = SHAPES[rank]
    shape = shape if data_format == "channels_last" else (shape[-1], *shape[:-1])
    return Sequential([make(3, 4, input_shape=shape, data_format=data_format, **arguments)])


def write(path, arrays, **attributes):
    """A weight file of one layer."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"convolution"]
        for name, text in attributes.items():
            file.attrs[name] = text.encode()
        group = file.create_group("convolution")
        group.attrs["weight_names"] = [f"w{at}".encode() for at in range(len(arrays))]
        for at, array in enumerate(arrays):
            group[f"w{at}"] = array


def loaded(target, path, **arguments):
    target.load_weights(path, **arguments)
    return target.get_weights()


def drawn(target):
    draw = np.random.default_rng(0)
    return [draw.normal(size=w.shape).astype("float32") for w in target.get_weights()]


@pytest.mark.parametrize(
    "make, rank", [(Conv1D, 1), (Conv2D, 2), (Conv3D, 3), (Conv2DTranspose, 2), (Conv3DTranspose, 3)]
)
@pytest.mark.parametrize(
    "backend, flipped", [("theano", True), ("tensorflow", False), ("cntk", False), ("mxnet", False)]
)
def test_theano_lays_kernels_the_other_way_round(tmp_path, make, rank, backend, flipped):
    target = model(make, rank)
    kernel, bias = drawn(target)
    write(tmp_path / "w.h5", [kernel, bias], backend=backend, keras_version="2.2.4")
    wanted = kernel[(slice(None, None, -1),) * rank] if flipped else kernel
    for array, given in zip(loaded(target, tmp_path / "w.h5"), (wanted, bias), strict=True):
        assert_array_equal(array, given)


def test_theano_writes_what_it_turns_round_itself_as_all_do(tmp_path):
    # Keras on Theano flips the kernels of depthwise convolution on their way in.
    target = Sequential([DepthwiseConv2D(3, input_shape=(9, 8, 2)), SeparableConv2D(2, 3, use_bias=False)])
    arrays = drawn(target)
    target.set_weights(arrays)
    target.save_weights(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file.attrs["backend"] = b"theano"
    for array, given in zip(loaded(target, tmp_path / "w.h5"), arrays, strict=True):
        assert_array_equal(array, given)


@pytest.mark.parametrize(
    "make, rank, data_format, axes",
    [
        # Where the axes of today's kernel, (*spatial, in, out), were; of a transposed one, (*spatial, out, in).
        (Conv2D, 2, "channels_last", (0, 1, 2, 3)),
        (Conv2D, 2, "channels_first", (3, 2, 0, 1)),
        (Conv3D, 3, "channels_last", (0, 1, 2, 3, 4)),
        (Conv3D, 3, "channels_first", (4, 3, 0, 1, 2)),
        (Conv2DTranspose, 2, "channels_last", (0, 1, 3, 2)),
        (Conv2DTranspose, 2, "channels_first", (2, 3, 0, 1)),
    ],
)
@pytest.mark.parametrize("version", [{}, {"keras_version": "1.2.2"}])
def test_keras_1_had_channels_first_kernels(tmp_path, make, rank, data_format, axes, version):
    target = model(make, rank, data_format)
    kernel, bias = drawn(target)
    write(tmp_path / "w.h5", [kernel.transpose(axes), bias], **version)
    for array, given in zip(loaded(target, tmp_path / "w.h5"), (kernel, bias), strict=True):
        assert_array_equal(array, given)


def test_keras_1_made_images_of_sequences(tmp_path):
    target = model(Conv1D, 1)
    kernel, bias = drawn(target)
    later, earlier = (
        kernel[:, None],
        kernel[:, None].transpose(3, 2, 0, 1),
    )  # (length, 1, in, out), (out, in, length, 1)
    for stored in (later, earlier, kernel):
        write(tmp_path / "w.h5", [stored, bias])
        assert_array_equal(loaded(target, tmp_path / "w.h5")[0], kernel)
    write(tmp_path / "w.h5", [np.concatenate([later, later], 1), bias])
    with pytest.raises(ValueError, match=r"shape \(4, 2, 3\), and the saved one"):
        loaded(target, tmp_path / "w.h5")


def test_keras_1_on_theano(tmp_path):
    target = model(Conv2D, 2, "channels_first", use_bias=False)
    (kernel,) = drawn(target)
    write(tmp_path / "w.h5", [kernel.transpose(3, 2, 0, 1)[:, :, ::-1, ::-1]], backend="theano")
    assert_array_equal(loaded(target, tmp_path / "w.h5")[0], kernel)


@pytest.mark.parametrize("make, rank", [(Conv1D, 1), (Conv2D, 2), (Conv2DTranspose, 2)])
def test_kernels_of_other_ranks_are_left_to_be_compared(tmp_path, make, rank):
    for data_format in ("channels_last", "channels_first"):
        target = model(make, rank, data_format)
        for stored in (np.zeros(4), np.zeros((4, 3)), np.zeros((1,) * 6)):
            write(tmp_path / "w.h5", [stored, np.zeros(3)], backend="theano")
            with pytest.raises(ValueError, match="and the saved one has shape"):
                loaded(target, tmp_path / "w.h5")

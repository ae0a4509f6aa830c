"""HDF5 files from strangers: whatever they hold, the reader answers with data of this file or with one clear error."""

import io
import os
import struct
import tracemalloc

import h5py
import numpy as np
import pytest

from lamina.saving import DamagedFile, UnsafeFile, heap
from lamina.saving.header import Attributes
from lamina.saving.reader import reading

NUMBERS = np.arange(12, dtype="float32").reshape(3, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.h5"


@pytest.fixture
def file(path):
    """A file to spoil; it is closed before it is read."""
    with h5py.File(path, "w") as file:
        file.attrs["text"] = b'{"a": 1}'
        file.attrs["names"] = np.array([b"a", b"b"])
        file["g/w"] = NUMBERS
        yield file


def refused(path, what, match, kind=UnsafeFile):
    with pytest.raises(kind, match=match) as caught, reading(path) as root:
        what(root)
    assert str(path) in str(caught.value)


def test_texts_names_folders_and_arrays_are_read(path, file):
    file.attrs["unicode"] = "mödel"
    file.attrs["list"] = ["x", "ÿ"]
    file.attrs["nothing"] = np.asarray([])
    file.close()
    with reading(path) as root:
        assert root.text("text") == '{"a": 1}'
        assert root.text("unicode") == "mödel"
        assert root.text("absent") is None
        assert root.names("names") == ["a", "b"]
        assert root.names("list") == ["x", "ÿ"]
        assert root.names("nothing") == []
        assert root.names("absent") is None
        assert root.folder("absent") is None
        assert root.folder("g/w/deeper") is None
        assert root.folder("g").array("absent") is None
        np.testing.assert_array_equal(root.folder("g").array("w").read(), NUMBERS)
        np.testing.assert_array_equal(root.array("g/w").read(), NUMBERS)


def test_names_in_pieces_are_put_together(path, file):
    file.attrs["long0"] = np.array([b"a", b"b"])
    file.attrs["long1"] = np.array([b"c"])
    file.close()
    with reading(path) as root:
        assert root.names("long") == ["a", "b", "c"]


@pytest.mark.parametrize("dtype", ["float16", ">f4", "float64", "int8", "uint64", "bool"])
@pytest.mark.parametrize("options", [{}, {"chunks": (2, 3)}, {"compression": "gzip", "shuffle": True}])
def test_numbers_of_every_kind_and_layout_are_read(path, file, dtype, options):
    array = NUMBERS.astype(dtype)
    file.create_dataset("x", data=array, **options)
    file.close()
    with reading(path) as root:
        read = root.array("x").read()
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype


@pytest.mark.parametrize("array", [np.float32(3), np.zeros((0, 4)), np.zeros(())])
def test_scalars_and_empty_arrays_are_read(path, file, array):
    file["x"] = array
    file.close()
    with reading(path) as root:
        np.testing.assert_array_equal(root.array("x").read(), array)


def test_an_open_file_a_group_and_a_stream_are_sources(path, file):
    file.flush()
    with reading(file) as root:
        assert root.text("text") == '{"a": 1}'
    with reading(file["g"]) as root:
        np.testing.assert_array_equal(root.array("w").read(), NUMBERS)
    file.close()
    with reading(io.BytesIO(path.read_bytes())) as root:
        assert root.text("text") == '{"a": 1}'
    with pytest.raises(TypeError, match="read from a path"), reading(3):
        pass


# --- what is no HDF5 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, met",
    [
        (b"", "it is empty"),
        (bytes(5000), "begins with zeros"),
        (b"PK\x03\x04" + bytes(90), "zip archive"),
        (b"\x80\x04\x95", "a pickle"),
        (b'{"class_name": "Model"}', "model_from_json"),
        (b"\n<!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"hello", "begins with b'hello'"),
        (b"\x89HDF\r\n\x1a\n", "damaged HDF5 header"),
        (b"\x89HDF\r\n\x1a\n" + b"\xff" * 90, "damaged HDF5 header"),
    ],
)
def test_other_files_are_told_by_what_they_are(path, content, met):
    path.write_bytes(content)
    refused(path, lambda root: None, met, DamagedFile)


def test_a_missing_file_is_missing(path):
    with pytest.raises(FileNotFoundError, match="model"), reading(path):
        pass


def test_every_truncation_is_damage(path, file):
    file.close()
    content = path.read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(DamagedFile), reading(path) as root:
            root.text("text"), root.names("names"), root.array("g/w").read()


# --- the global heap --------------------------------------------------------------------------------------------------


def spoilt(path, offset, replacement):
    """The file with bytes of its first global heap replaced."""
    content = bytearray(path.read_bytes())
    at = content.index(b"GCOL") + offset
    content[at : at + len(replacement)] = replacement
    path.write_bytes(content)


@pytest.mark.parametrize(
    "offset, replacement",
    [
        (16, struct.pack("<HHIQ", 0, 0, 0, 0)),  # free space of no size: HDF5 stays there for ever
        (24, struct.pack("<Q", (1 << 64) - 16)),  # a size that wraps round to nothing
        (24, struct.pack("<Q", 1 << 40)),  # beyond the heap
        (8, struct.pack("<Q", 1 << 40)),  # a heap beyond the file
        (8, struct.pack("<Q", 16)),  # a heap of no content
        (16, bytes(512)),  # a sector lost
    ],
)
def test_heaps_that_hdf5_would_read_for_ever_are_found_first(path, file, offset, replacement):
    file.close()
    spoilt(path, offset, replacement)
    refused(path, lambda root: None, "damaged global heap", DamagedFile)


def test_letters_that_look_like_a_heap_are_let_be(path, file):
    file["x"] = np.frombuffer(b"GCOL" * 500 + b"GCOL\x02" + bytes(27), "uint8")
    file.close()
    with reading(path) as root:
        root.array("x").read()


def test_a_heap_across_the_edge_of_two_reads_is_seen(path, file, monkeypatch):
    file.close()
    spoilt(path, 16, bytes(16))
    for chunk in range(500, 520):
        monkeypatch.setattr(heap, "_CHUNK", chunk)
        refused(path, lambda root: None, "damaged global heap", DamagedFile)


def test_overlapping_heaps_do_not_multiply_the_work(path, file):
    head = struct.pack("<4sB3xQHHIQ", b"GCOL", 1, 1 << 16, 1, 1, 0, 0)
    file["x"] = np.frombuffer(head * 4096, "uint8")
    file.close()
    refused(path, lambda root: None, "damaged global heap", DamagedFile)


# --- links and foreign storage ----------------------------------------------------------------------------------------


@pytest.fixture
def secret(tmp_path):
    other = tmp_path / "secret.h5"
    with h5py.File(other, "w") as file:
        file["g/w"] = NUMBERS
    (tmp_path / "secret.bin").write_bytes(NUMBERS.tobytes())
    return other


LINKS = {
    "soft": lambda secret: h5py.SoftLink("/g"),
    "dangling": lambda secret: h5py.SoftLink("/nowhere"),
    "external": lambda secret: h5py.ExternalLink(str(secret), "/g"),
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_links_are_never_followed(path, file, secret, link):
    file["l"] = link(secret)
    file["h/l"] = link(secret)
    file.close()
    for name in ("l", "h/l"):
        refused(path, lambda root, name=name: root.folder(name), "link to another place")
        refused(path, lambda root, name=name: root.array(name), "link to another place")
        refused(path, lambda root, name=name: root.array(f"{name}/w"), "link to another place")


def test_external_storage_is_never_opened(path, file, secret):
    file.create_dataset("x", (3, 4), "float32", external=[(str(secret.with_suffix(".bin")), 0, 48)])
    file.close()
    refused(path, lambda root: root.array("x"), "stored in another file")


def test_virtual_datasets_are_never_read(path, file, secret):
    layout = h5py.VirtualLayout((3, 4), "float32")
    layout[:] = h5py.VirtualSource(str(secret), "g/w", (3, 4))
    file.create_virtual_dataset("x", layout)
    file.close()
    refused(path, lambda root: root.array("x"), "virtual dataset")


def test_paths_do_not_climb(path, file):
    file.close()
    with reading(path) as root:
        assert root.folder("g").folder("../g") is None
        assert root.array("g/../../etc/passwd") is None
        assert root.array("g/w\0x") is None
        for nothing in ("", "/", "."):
            with pytest.raises(DamagedFile, match="names nothing"):
                root.folder(nothing)


# --- sizes ------------------------------------------------------------------------------------------------------------


def test_a_dataset_of_which_nothing_is_stored_is_refused(path, file):
    file.create_dataset("x", (1 << 20, 1 << 10), "float32")
    file.close()
    refused(path, lambda root: root.array("x"), "declares 4,294,967,296 bytes and stores 0", DamagedFile)


def test_a_dataset_of_missing_chunks_is_refused(path, file):
    file.create_dataset("x", (1 << 20, 1 << 10), "float32", chunks=(1 << 10, 1 << 10), compression="gzip")[
        :1024
    ] = 0
    file.close()
    refused(path, lambda root: root.array("x"), "declares 1,024 chunks and stores 1", DamagedFile)


def test_a_declared_size_that_was_altered_is_refused(path, file):
    file["x"] = np.arange(1000, dtype="float64")
    file.close()
    content = path.read_bytes()
    sizes = struct.pack("<Q", 1000)
    assert content.count(sizes) >= 1
    path.write_bytes(content.replace(sizes, struct.pack("<Q", 1 << 30)))
    refused(path, lambda root: root.array("x").read(), "model.h5", DamagedFile)


def test_a_compressed_bomb_is_refused_before_it_is_unpacked(path, file):
    file.create_dataset("x", (1 << 27,), "uint8", chunks=(1 << 24,), compression="gzip")[:] = 0
    file.close()
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    refused(path, lambda root: root.array("x").read(), "h5repack")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_chunks_larger_than_their_array_count_in_full(path, file):
    file.create_dataset("x", (2,), "uint8", maxshape=(None,), chunks=(1 << 27,), compression="gzip")[:] = 0
    file.close()
    refused(path, lambda root: root.array("x").read(), "134,217,728")


def test_one_array_under_many_names_counts_each_time(path, file):
    file["x"] = np.zeros(1 << 18, "float64")
    for index in range(100):
        file[f"y{index}"] = file["x"]
    file.close()
    refused(path, lambda root: [root.array(f"y{index}").read() for index in range(100)], "still allowed")


def test_an_attribute_larger_than_the_file_is_refused(path, file):
    file.attrs["many"] = np.array([b"0123456789"] * 3)
    file.close()
    content = path.read_bytes()
    at = content.index(b"many\0")
    shape = content.index(struct.pack("<Q", 3), at)
    path.write_bytes(content[:shape] + struct.pack("<Q", 1 << 40) + content[shape + 8 :])
    refused(path, lambda root: root.names("many"), "model.h5", (UnsafeFile, DamagedFile))


# --- object headers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0xFFFFFFF0, 9, 7])
def test_a_text_that_claims_another_length_is_not_believed(path, file, length):
    file.close()
    content = path.read_bytes()
    reference = struct.pack("<IQ", 8, content.index(b"GCOL"))
    assert content.count(reference) == 1
    path.write_bytes(content.replace(reference, struct.pack("<I", length) + reference[4:]))
    tracemalloc.start()
    refused(path, lambda root: root.text("text"), f"a text of {length} bytes is kept in 8", DamagedFile)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_one_text_under_many_references_is_refused(path, file):
    file.attrs.create("names", ["x" * 5000] + ["y"] * 500, dtype=h5py.string_dtype())
    file.close()
    content = path.read_bytes()
    first = content.index(struct.pack("<I", 5000))
    many = content[first : first + 16] * 501
    path.write_bytes(content[:first] + many + content[first + len(many) :])
    refused(path, lambda root: None, "texts are longer than the file", DamagedFile)


def test_a_heap_that_was_not_checked_is_not_read(path, file):
    file.close()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"GCOL\x01", b"GCOL\x02"))
    refused(path, lambda root: root.text("text"), "heap of an unknown version", DamagedFile)


@pytest.mark.parametrize("address, index", [(1 << 40, 1), (0, 1), (None, 77)])
def test_a_text_in_no_heap_is_damage(path, file, address, index):
    file.close()
    content = path.read_bytes()
    heap = content.index(b"GCOL")
    wrong = struct.pack("<IQI", 8, heap if address is None else address, index)
    path.write_bytes(content.replace(struct.pack("<IQI", 8, heap, 1), wrong))
    refused(path, lambda root: root.text("text"), "damaged object header", DamagedFile)


def continued(address, length):
    """An object header whose one message says that it goes on at `address`."""
    message = struct.pack("<HHB3xQQ", 0x10, 16, 0, address, length)
    return struct.pack("<BxHII4x", 1, 1, 1, len(message)) + message


def test_a_header_that_goes_on_in_itself_ends():
    content = continued(16, 24)
    with pytest.raises(DamagedFile, match="it never ends"):
        Attributes(io.BytesIO(content), len(content), "model.h5").of(0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(100),
        b"OHDR" + bytes(20),
        b"OHDR\x02\xff" + b"\xff" * 40,
        continued(1 << 40, 24),
        continued(16, 1 << 40),
    ],
)
def test_a_broken_header_is_damage_or_holds_nothing(content):
    try:
        assert Attributes(io.BytesIO(content), len(content), "model.h5").of(0) == {}
    except DamagedFile as error:
        assert "model.h5 has a damaged object header at byte 0" in str(error)


@pytest.mark.parametrize("version", ["earliest", "v108", "latest"])
def test_headers_of_every_version_say_what_hdf5_says(path, version):
    with h5py.File(path, "w", libver=version) as file:
        file.attrs["long"] = b"x" * 100_000
        file.attrs["fixed"] = np.array([b"a", b"", b"ccc"])
        file.attrs["variable"] = ["x", "", "\u00ff" * 300]
        file.attrs["empty"] = np.asarray([])
        file.create_group("g", track_order=True).attrs["names"] = np.array([b"n" * 30] * 2000)
    with reading(path) as root:
        assert root.text("long") == "x" * 100_000
        assert root.names("fixed") == ["a", "", "ccc"]
        assert root.names("variable") == ["x", "", "\u00ff" * 300]
        assert root.names("empty") == []
        assert root.folder("g").names("names") == ["n" * 30] * 2000


def test_attributes_beyond_a_header_are_refused(path):
    with h5py.File(path, "w", libver="latest") as file:
        for index in range(20):
            file.attrs[f"a{index}"] = b"x"
    refused(path, lambda root: None, "more attributes than a header holds", DamagedFile)


# --- kinds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        [b"text"],
        np.array(["x"], h5py.string_dtype()),
        np.zeros(3, [("a", "f4")]),
        np.zeros(3, "complex64"),
        np.zeros(3, "V4"),
        np.zeros(3, np.longdouble),
    ],
    ids=["bytes", "strings", "records", "complex", "opaque", "longdouble"],
)
def test_what_is_no_number_is_no_weight(path, file, value):
    file["x"] = value
    file.close()
    refused(path, lambda root: root.array("x"), "no numbers", DamagedFile)


def test_vlen_references_and_nothing_are_no_weights(path, file):
    file.create_dataset("v", (2,), h5py.vlen_dtype("float32"))
    file.create_dataset("r", (2,), h5py.ref_dtype)
    file["e"] = h5py.Empty("float32")
    file.close()
    for name in "vre":
        refused(path, lambda root, name=name: root.array(name), "no numbers", DamagedFile)


def test_filters_that_would_load_a_library_are_refused(path, file):
    file.create_dataset("x", data=NUMBERS, compression="lzf")
    file.close()
    refused(path, lambda root: root.array("x"), r"filters \[32000\]")


def test_a_group_is_no_array_and_an_array_no_group(path, file):
    file.close()
    refused(path, lambda root: root.array("g"), "should be an array", DamagedFile)
    refused(path, lambda root: root.folder("g/w"), "should be a group", DamagedFile)


def test_attributes_of_another_kind_are_damage(path, file):
    file.attrs["number"] = 3
    file.attrs["numbers"] = [1.0, 2.0]
    file.attrs["bytes"] = np.array([b"\xff\xfe"])
    file.close()
    refused(path, lambda root: root.text("number"), "should be text", DamagedFile)
    refused(path, lambda root: root.names("numbers"), "list of names", DamagedFile)
    refused(path, lambda root: root.names("text"), "list of names", DamagedFile)
    refused(path, lambda root: root.text("names"), "should be text", DamagedFile)
    refused(path, lambda root: root.names("bytes"), "not UTF-8", DamagedFile)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="this system does not list its open files")
def test_reading_opens_the_file_once_and_leaves_nothing_open(path, file):
    file.close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with reading(path) as root:
            root.array("g/w").read()
    assert len(os.listdir("/proc/self/fd")) == before

"""Archives: what is fair is unpacked, and nothing else."""

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile

import pytest

from lamina.saving import DamagedFile, UnsafeFile
from lamina_utils import archives
from lamina_utils.archives import extract_archive


def tar(path, *members, mode="w", **options):
    """members: (name, content) or (name, content, what to set on the TarInfo)."""
    with tarfile.open(path, mode, **options) as archive:
        for name, content, *changes in members:
            member = tarfile.TarInfo(name)
            member.size = len(content or b"")
            if content is None:
                member.type = tarfile.DIRTYPE
            for key, value in (changes[0] if changes else {}).items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content or b""))
    return path


def zipped(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, *mode in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if mode:
                info.create_system, info.external_attr = 3, mode[0] << 16
            archive.writestr(info, content)
    return path


def found(folder):
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.fixture
def target(tmp_path):
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "archive"


# ---- what is fair


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_every_kind(archive, target, mode, form):
    long = "/".join(["a folder"] * 15 + ["äöü"])
    tar(archive, ("./", None), ("empty/", None), (long, b"deep"), ("./top", b"1"), mode=mode, format=form)
    assert extract_archive(archive, target)
    assert found(target)[long] == b"deep" and found(target)["top"] == b"1"
    assert (target / "empty").is_dir()
    assert not os.access(target / "top", os.X_OK)
    assert [name for name in os.listdir(target) if name.startswith(".")] == []


def test_zips(archive, target):
    zipped(archive, ("folder/", b""), ("folder/one", b"1"), ("two", b"2" * 1000, stat.S_IFREG | 0o4777))
    assert extract_archive(archive, target)
    assert found(target) == {"folder": None, "folder/one": b"1", "two": b"2" * 1000}
    assert stat.S_IMODE((target / "two").stat().st_mode) & 0o7111 == 0


@pytest.mark.parametrize(
    "content", [b"", b"text", gzip.compress(b"text" * 500), bz2.compress(b""), b"PK\x03\x04"]
)
def test_other_files_are_no_archives(archive, target, content):
    archive.write_bytes(content)
    assert not extract_archive(archive, target)
    assert found(target) == {}


def test_an_archive_of_nothing(archive, target):
    tar(archive)
    assert extract_archive(archive, target)


def test_what_is_there_is_replaced_by_what_has_its_name(archive, target):
    (target / "folder").mkdir()
    (target / "folder/mine").write_bytes(b"mine")
    (target / "folder/old").write_bytes(b"old")
    tar(archive, ("folder/old", b"new"), ("folder/more/new", b"new"))
    extract_archive(archive, target)
    assert found(target) == {
        "folder": None,
        "folder/mine": b"mine",
        "folder/old": b"new",
        "folder/more": None,
        "folder/more/new": b"new",
    }


@pytest.mark.parametrize("there", ["link", "folder"])
def test_what_is_in_the_way_stays(archive, target, tmp_path, there):
    (tmp_path / "outside").mkdir()
    if there == "link":
        (target / "a").symlink_to(tmp_path / "outside")
        tar(archive, ("a/one", b"1"))
    else:
        (target / "a").mkdir()
        tar(archive, ("a", b"1"))
    with pytest.raises(FileExistsError, match="in the way"):
        extract_archive(archive, target)
    assert list((tmp_path / "outside").iterdir()) == []
    assert os.listdir(target) == ["a"]


# ---- what is not

LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc"}
TARS = {
    "absolute": [("/evil", b"1")],
    "parent": [("a/../../evil", b"1")],
    "parent alone": [("..", None)],
    "drive": [("C:/evil", b"1")],
    "backslashes": [("..\\evil", b"1")],
    "long name": [("x" * 300, b"1")],
    "long path": [("/".join(["x" * 200] * 40), b"1")],
    "symbolic link": [("a", b"", LINK), ("a/evil", b"1")],
    "hard link": [("a", b"", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})],
    "device": [("a", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})],
    "pipe": [("a", b"", {"type": tarfile.FIFOTYPE})],
    "unknown kind": [("a", b"", {"type": b"Z"})],
    "sparse": [("a", b"1", {"pax_headers": {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1099511627776"}})],
    "twice": [("a", b"1"), ("a", b"2")],
    "file as folder": [("a", b"1"), ("a/b", b"2")],
}


@pytest.mark.parametrize("name", TARS)
def test_a_tar_that_breaks_the_rules_leaves_nothing(archive, target, tmp_path, name):
    tar(archive, ("good", b"good"), *TARS[name], format=tarfile.PAX_FORMAT)
    before = set(os.listdir(tmp_path))
    with pytest.raises(UnsafeFile, match=str(archive)):
        extract_archive(archive, target)
    assert found(target) == {} and set(os.listdir(tmp_path)) == before


ZIPS = {
    "absolute": [("/evil", b"1")],
    "parent": [("a/../../evil", b"1")],
    "backslashes": [("..\\evil", b"1")],
    "symbolic link": [("a", b"/etc", stat.S_IFLNK | 0o777), ("a/evil", b"1")],
    "device": [("a", b"", stat.S_IFCHR | 0o666)],
    "file as folder": [("a", b"1"), ("a/b", b"2")],
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_that_breaks_the_rules_leaves_nothing(archive, target, tmp_path, name):
    zipped(archive, ("good", b"good"), *ZIPS[name])
    before = set(os.listdir(tmp_path))
    with pytest.raises(UnsafeFile, match=str(archive)):
        extract_archive(archive, target)
    assert found(target) == {} and set(os.listdir(tmp_path)) == before


def test_an_encrypted_zip_is_refused(archive, target):
    zipped(archive, ("a", b"1"))
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(UnsafeFile, match="encrypted"):
        extract_archive(archive, target)


def test_bombs_are_refused(archive, target, monkeypatch):
    monkeypatch.setattr(archives, "SLACK", 1 << 20)
    zeros = bytes(5 << 20)
    for make in (
        lambda: tar(archive, ("zeros", zeros), mode="w:gz"),
        lambda: tar(archive, ("zeros", zeros), mode="w:xz"),
        lambda: zipped(archive, ("zeros", zeros)),
        lambda: zipped(archive, *((f"zeros {at}", zeros[: 1 << 19]) for at in range(10))),
    ):
        make()
        assert archive.stat().st_size < 1 << 14
        with pytest.raises(UnsafeFile, match="over 200 times its size"):
            extract_archive(archive, target)
    assert found(target) == {}


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_ways_of_packing_that_unpack_at_once_are_refused(archive, target, kind):
    with zipfile.ZipFile(archive, "w", kind) as file:
        file.writestr("zeros", bytes(1 << 20))
    with pytest.raises(UnsafeFile, match="'zeros', which is neither stored nor deflated"):
        extract_archive(archive, target)
    assert found(target) == {}


def test_a_header_that_is_a_bomb_is_refused(archive, target):
    tar(archive, ("a", b"1", {"pax_headers": {"comment": "x" * (3 << 20)}}), mode="w:gz")
    with pytest.raises(UnsafeFile, match="a header of"):
        extract_archive(archive, target)


def test_a_size_that_no_file_has_is_refused(archive, target):
    tar(archive, ("a", b"1"))
    data = bytearray(archive.read_bytes())
    header = tarfile.TarInfo("a")
    header.size = 1 << 60
    data[:512] = header.tobuf(tarfile.GNU_FORMAT)[:512]
    archive.write_bytes(data)
    with pytest.raises((UnsafeFile, DamagedFile)):
        extract_archive(archive, target)
    assert found(target) == {}


def test_too_many_are_refused(archive, target, monkeypatch):
    monkeypatch.setattr(archives, "MOST", 10)
    zipped(archive, *((str(at), b"") for at in range(11)))
    with pytest.raises(UnsafeFile, match="more than 10 files"):
        extract_archive(archive, target)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_cut_short_is_damaged(archive, target, mode):
    noise = os.urandom(30_000)
    tar(archive, ("one", noise), ("two", noise), mode=mode)
    whole = archive.read_bytes()
    for share in (0.3, 0.6, 0.8):
        archive.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DamagedFile, match="cannot be unpacked"):
            extract_archive(archive, target)
        assert found(target) == {}


def test_a_number_without_end_in_a_header_is_refused_at_once(archive, target):
    # Python's search in it would take a step for each pair of digits.
    tar(archive, ("header", b"1" * 500_000, {"type": tarfile.XHDTYPE}), ("a", b"a"))
    with pytest.raises(UnsafeFile, match="number of hundreds of digits"):
        extract_archive(archive, target)
    assert found(target) == {}


def test_contents_that_were_altered_are_damaged(archive, target):
    noise = os.urandom(30_000)
    for make in (lambda: tar(archive, ("a", noise), mode="w:xz"), lambda: zipped(archive, ("a", noise))):
        make()
        data = bytearray(archive.read_bytes())
        data[len(data) // 2] ^= 0xFF
        archive.write_bytes(data)
        with pytest.raises(DamagedFile):
            extract_archive(archive, target)
    assert found(target) == {}


def test_random_damage_is_told_in_plain_words(tmp_path):
    """Whatever is altered: unpacked, no archive, or one of the two errors."""
    import random

    draw = random.Random(0)
    tar(tmp_path / "a.tar", ("x/one", b"1" * 700), ("two", b"2"))
    zipped(tmp_path / "a.zip", ("x/one", b"1" * 700), ("two", b"2"))
    tar(tmp_path / "a.tgz", ("x/one", b"1" * 700), ("two", b"2"), mode="w:gz")
    for name in ("a.tar", "a.zip", "a.tgz"):
        whole = (tmp_path / name).read_bytes()
        for attempt in range(150):
            data = bytearray(whole)
            for _ in range(draw.randint(1, 8)):
                data[draw.randrange(len(data) if attempt % 2 else min(512, len(data)))] = draw.randrange(256)
            folder = tmp_path / f"{name}-{attempt}"
            folder.mkdir()
            (tmp_path / "damaged").write_bytes(data)
            try:
                extract_archive(tmp_path / "damaged", folder)
            except (UnsafeFile, DamagedFile):
                assert os.listdir(folder) == []


def test_a_list_of_contents_that_is_a_bomb_is_refused(archive, target):
    zipped(archive, ("a", b"1"))
    data = archive.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    # A list of 128 MB, which begins before the file does, has room in front of what is there.
    with open(archive, "wb") as file:
        file.seek(1 << 27)
        file.write(data[:end])
        file.write(data[end : end + 12] + struct.pack("<II", 1 << 27, 0) + data[end + 20 :])
    with pytest.raises(UnsafeFile, match="a list of contents of 134,217,728 bytes"):
        extract_archive(archive, target, "zip")


def test_an_unknown_format_is_named(archive, target):
    with pytest.raises(ValueError, match="'rar'"):
        extract_archive(archive, target, "rar")


def test_compression_is_seen_not_guessed_from_the_name(tmp_path, target):
    tar(tmp_path / "plain.tar", ("a", b"1"))
    path = tmp_path / "file.zip"
    path.write_bytes(lzma.compress((tmp_path / "plain.tar").read_bytes()))
    assert extract_archive(path, target)
    assert found(target) == {"a": b"1"}

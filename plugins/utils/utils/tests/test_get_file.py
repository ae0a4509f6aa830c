"""get_file against a server that behaves, and against ones that do not."""

import hashlib
import http.server
import io
import os
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import pytest

from lamina.saving import DamagedFile
from lamina.utils import get_file
from lamina_utils import get_file as module

CONTENT = b"sixteen bytes..." * 4000
MD5, SHA256 = hashlib.md5(CONTENT).hexdigest(), hashlib.sha256(CONTENT).hexdigest()


class Answers(http.server.BaseHTTPRequestHandler):
    """What the paths of the server answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        try:
            getattr(self, self.path[1:].partition(".")[0])()
        except OSError:  # the other side has had enough
            pass
        self.close_connection = True

    def head(self, length=None, status=200, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def good(self, content=CONTENT):
        self.head(len(content))
        self.wfile.write(content)

    def untold(self):
        self.head()
        self.wfile.write(CONTENT)

    def chunked(self):
        self.head(**{"Transfer-Encoding": "chunked"})
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(CONTENT), CONTENT))

    def archive(self):
        self.good(self.server.archive)

    def short(self):
        self.head(len(CONTENT) + 100)
        self.wfile.write(CONTENT)

    def endless(self):
        self.head()
        while not self.server.stopping.is_set():
            self.wfile.write(CONTENT)

    def longer(self):
        self.head(100)
        self.wfile.write(CONTENT)

    def huge(self):
        self.head(1 << 60)

    def slow(self):
        self.head(1000)
        while not self.server.stopping.wait(0.05):
            self.wfile.write(b".")

    def silent(self):
        self.head(1000)
        self.server.stopping.wait(20)

    def dripping(self):
        while not self.server.stopping.wait(0.05):
            self.wfile.write(b"H")

    def elsewhere(self):
        self.head(0, 302, Location="/good")

    def round(self):
        self.head(0, 302, Location="/round")

    def disk(self):
        self.head(0, 302, Location="file:///etc/passwd")

    def missing(self):
        page = b"<html>Not here</html>"
        self.head(len(page), 404)
        self.wfile.write(page)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        server.asked, server.stopping = [], threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.stopping.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A home of one's own."""
    for name in ("KERAS_HOME", "LAMINA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "_last_resort", lambda: tmp_path / "last")
    return tmp_path


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# ---- where


def test_a_file_is_fetched_once(server, cache, capsys):
    path = get_file("data.bin", server.url + "/good")
    assert path == str(cache / "home/.keras/datasets/data.bin")
    assert Path(path).read_bytes() == CONTENT
    assert get_file("data.bin", server.url + "/good") == path
    assert server.asked == ["/good"]
    assert f"Downloading data from {server.url}/good" in capsys.readouterr().out


def test_laminas_directory_goes_before_kerass(server, cache, monkeypatch):
    (cache / "home/.lamina").mkdir(parents=True)
    lamina = get_file("data.bin", server.url + "/good")
    assert lamina == str(cache / "home/.lamina/datasets/data.bin")
    monkeypatch.setenv("LAMINA_HOME", str(cache / "mine"))
    assert get_file("data.bin", server.url + "/good") == str(cache / "mine/datasets/data.bin")
    monkeypatch.setenv("KERAS_HOME", str(cache / "keras"))
    (cache / "keras/models").mkdir(parents=True)
    (cache / "keras/models/there.h5").write_bytes(b"by Keras")
    there = get_file("there.h5", server.url + "/missing", cache_subdir="models")
    assert there == str(cache / "keras/models/there.h5")


def test_folders_of_ones_own(server, cache):
    own = get_file("data.bin", server.url + "/good", cache_dir=cache / "a", cache_subdir="b")
    assert own == str(cache / "a/b/data.bin")
    absolute = get_file("data.bin", server.url + "/good", cache_subdir=str(cache / "c"))
    assert absolute == str(cache / "c/data.bin")
    named = get_file(str(cache / "d/data.bin"), server.url + "/good")
    assert named == str(cache / "d/data.bin")
    assert not (cache / "home").exists()


def test_without_a_home_there_is_a_last_resort(server, cache, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: str(path).startswith(str(cache / "last")))
    assert get_file("data.bin", server.url + "/good") == str(cache / "last/datasets/data.bin")
    assert get_file("data.bin", server.url + "/missing") == str(cache / "last/datasets/data.bin")


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs users")
def test_a_last_resort_of_somebody_else_is_not_trusted(server, cache, monkeypatch):
    (cache / "last/datasets").mkdir(parents=True)
    (cache / "last/datasets/data.bin").write_bytes(b"planted")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert get_file("data.bin", server.url + "/good").startswith(str(cache / "home"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="LAMINA_HOME"):
        get_file("other.bin", server.url + "/good")


def test_files_of_this_machine_can_be_an_origin(cache):
    (cache / "source").write_bytes(CONTENT)
    path = get_file("data.bin", (cache / "source").as_uri(), file_hash=MD5)
    assert Path(path).read_bytes() == CONTENT


# ---- what


@pytest.mark.parametrize(
    "hashes",
    [
        {"file_hash": SHA256},
        {"file_hash": MD5},
        {"md5_hash": MD5},
        {"file_hash": SHA256.upper(), "hash_algorithm": "sha256"},
    ],
)
def test_a_file_with_another_hash_is_fetched_again(server, cache, capsys, hashes):
    path = cache / "home/.keras/datasets/data.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a fi")
    assert get_file("data.bin", server.url + "/good", **hashes) == str(path)
    assert path.read_bytes() == CONTENT
    assert "incomplete or outdated" in capsys.readouterr().out
    assert get_file("data.bin", server.url + "/missing", **hashes) == str(path)


def test_a_wrong_hash_leaves_what_was_there(server, cache):
    path = cache / "home/.keras/datasets/data.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"before")
    with pytest.raises(DamagedFile, match=f"md5 {MD5}, and {'0' * 32} was expected"):
        get_file("data.bin", server.url + "/good", file_hash="0" * 32)
    assert path.read_bytes() == b"before"
    assert files(path.parent) == ["data.bin"]
    with pytest.raises(ValueError, match="'crc'"):
        get_file("data.bin", server.url + "/good", file_hash="00", hash_algorithm="crc")


@pytest.mark.parametrize("path", ["untold", "chunked", "elsewhere"])
def test_ways_to_answer_that_are_fine(server, cache, path):
    assert Path(get_file("data.bin", f"{server.url}/{path}", file_hash=MD5)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("short", "it ended after 64,000 of 64,100 bytes"),
        ("endless", "it goes on after 1,000,000 bytes"),
        ("huge", "has room for"),
        ("slow", "at less than 1,024 bytes a second"),
        ("silent", "timed out"),
        ("dripping", "nothing has come for 0.6 seconds"),
        ("round", "302 -- "),
        ("disk", "302 -- "),
        ("missing", "404 -- Not Found"),
    ],
)
def test_what_does_not_arrive_whole_is_refused_in_bounded_time(server, cache, monkeypatch, path, says):
    monkeypatch.setattr(module, "LARGEST_UNTOLD", 1_000_000)
    monkeypatch.setattr(module, "SILENCE", 0.3)
    monkeypatch.setattr(module, "WINDOW", 0.2)
    started = time.monotonic()
    with pytest.raises(OSError, match=f"URL fetch failure on {server.url}/{path}: .*{says}"):
        get_file("data.bin", f"{server.url}/{path}")
    assert time.monotonic() - started < 5
    assert files(cache / "home/.keras/datasets") == []


def test_no_server_and_no_such_place(cache):
    with pytest.raises(OSError, match="URL fetch failure on http://127.0.0.1:9/x: .*refused"):
        get_file("data.bin", "http://127.0.0.1:9/x")
    with pytest.raises(OSError, match="URL fetch failure on file:///no/such/file"):
        get_file("data.bin", "file:///no/such/file")


def test_a_server_that_says_more_than_it_announced_is_not_listened_to(server, cache):
    assert os.path.getsize(get_file("data.bin", server.url + "/longer")) == 100


def test_a_full_disk_is_named(server, cache, monkeypatch):
    class Full:
        def update(self, data):
            raise OSError(28, "No space left on device")

        def hexdigest(self):
            return ""

    monkeypatch.setattr(module, "_hasher", lambda *_: Full())
    with pytest.raises(OSError, match="data.bin") as caught:
        get_file("data.bin", server.url + "/good")
    assert "URL" not in str(caught.value)


# ---- archives


def tar_of(**contents):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zip_of(**contents):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


def test_untar_answers_the_folder(server, cache):
    server.archive = tar_of(pictures__one=b"1", pictures__more__two=b"2")
    path = get_file("pictures", server.url + "/archive", untar=True)
    assert path == str(cache / "home/.keras/datasets/pictures")
    assert files(cache / "home/.keras/datasets") == ["pictures.tar.gz", "pictures/more/two", "pictures/one"]
    assert get_file("pictures", server.url + "/missing", untar=True) == path
    with pytest.raises(DamagedFile, match="is no tar archive"):
        get_file("data", server.url + "/good", untar=True)


@pytest.mark.parametrize("made", [tar_of, zip_of])
def test_extract_answers_the_archive(server, cache, made):
    server.archive = made(a__one=b"1", two=b"2")
    path = get_file("archive", server.url + "/archive", extract=True)
    folder = cache / "home/.keras/datasets"
    assert path == str(folder / "archive")
    assert files(folder) == ["a/one", "archive", "two"]
    # A second call changes nothing that is there, and brings back what is not.
    (folder / "two").write_bytes(b"mine")
    get_file("archive", server.url + "/missing", extract=True)
    assert (folder / "two").read_bytes() == b"mine"
    (folder / "a/one").unlink()
    get_file("archive", server.url + "/missing", extract=True)
    assert (folder / "a/one").read_bytes() == b"1"


def test_other_formats_are_left_alone(server, cache):
    server.archive = zip_of(one=b"1")
    for archive_format in ("tar", None, []):
        get_file("archive", server.url + "/archive", extract=True, archive_format=archive_format)
    assert files(cache / "home/.keras/datasets") == ["archive"]

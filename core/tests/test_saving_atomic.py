"""Writes that happen whole or not at all: after a kill, a full disk, or an error half way, the old file is there."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
import time

import pytest

from lamina.saving.atomic import replacing, write_text


def litter(directory):
    return [name for name in os.listdir(directory) if name.endswith(".lamina-tmp")]


def run(program, *args, **kwargs):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), *map(str, args)], **kwargs)


def test_a_file_appears_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert litter(tmp_path) == []


def test_an_error_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyError), replacing(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_text() == "old"
    assert litter(tmp_path) == []


def test_an_interrupt_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path):
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert litter(tmp_path) == []


def test_the_mode_of_the_old_file_is_kept(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    write_text(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path):
    write_text(tmp_path / "ours", "")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_goes_on_pointing_to_the_file(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "new"


def test_a_missing_directory_is_named(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"no directory .*absent"),
        replacing(tmp_path / "absent" / "a"),
    ):
        pass


def test_a_directory_is_no_place_for_a_file(tmp_path):
    with pytest.raises(IsADirectoryError, match="name of a file"), replacing(tmp_path):
        pass


def test_a_device_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"), replacing(tmp_path / "pipe"):
        pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may write everywhere")
def test_a_read_only_file_is_respected(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="read-only"), replacing(path):
        pass


def test_a_long_name_in_any_alphabet_can_be_saved(tmp_path):
    name = "mödel-" * 30
    write_text(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]


FULL_DISK = """
    import resource, sys
    from lamina.saving.atomic import replacing
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    with replacing(sys.argv[1]) as file:
        for _ in range(100):
            file.write(bytes(1000))
"""


@pytest.mark.parametrize("room", [0, 1, 4096, 99_999])
def test_a_full_disk_leaves_the_old_file_and_names_it(tmp_path, room):
    path = tmp_path / "a.bin"
    path.write_text("old")
    process = run(FULL_DISK, path, room, stderr=subprocess.PIPE, text=True)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert str(path) in errors.splitlines()[-1]
    assert "the file that was there is untouched" in errors
    assert path.read_text() == "old"
    assert litter(tmp_path) == []


WRITE_FOR_EVER = """
    import sys
    from lamina.saving.atomic import replacing
    with replacing(sys.argv[1]) as file:
        file.write(b"half")
        file.flush()
        print("writing", flush=True)
        sys.stdin.read()
"""


def writer(path):
    process = run(WRITE_FOR_EVER, path, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    return process


def finish(process):
    process.stdin.close()
    process.wait()
    process.stdout.close()


def test_what_a_killed_writer_left_is_swept_by_the_next_write(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    process = writer(path)
    process.send_signal(signal.SIGKILL)
    finish(process)
    assert path.read_text() == "old"
    assert len(litter(tmp_path)) == 1
    write_text(tmp_path / "another", "new")
    assert litter(tmp_path) == []


def test_the_sweep_leaves_a_writer_that_lives_alone(tmp_path):
    path = tmp_path / "a.txt"
    process = writer(path)
    write_text(path, "mine")
    assert len(litter(tmp_path)) == 1
    finish(process)
    assert process.returncode == 0
    assert path.read_text() == "half"  # the last one wins, whole
    assert litter(tmp_path) == []


def test_the_sweep_touches_nothing_but_its_own(tmp_path):
    for name in (".x.lamina-tmp", "x.0123456789abcdef.lamina-tmp", ".x.0123456789abcdef.lamina-tmp.bak"):
        (tmp_path / name).write_text("")
    (tmp_path / ".d.0123456789abcdef.lamina-tmp").mkdir()
    (tmp_path / ".l.0123456789abcdef.lamina-tmp").symlink_to(tmp_path / ".x.lamina-tmp")
    before = set(os.listdir(tmp_path))
    write_text(tmp_path / "a", "")
    assert set(os.listdir(tmp_path)) == before | {"a"}


def test_two_processes_at_one_path_never_mix(tmp_path):
    program = """
        import sys
        from lamina.saving.atomic import replacing
        for _ in range(50):
            with replacing(sys.argv[1]) as file:
                for _ in range(4):
                    file.write(sys.argv[2].encode() * 5000)
                    file.flush()
    """
    path = tmp_path / "a"
    processes = [run(program, path, letter) for letter in "xy"]
    whole = {b"x" * 20000, b"y" * 20000}
    while any(process.poll() is None for process in processes):
        if path.exists():
            assert path.read_bytes() in whole
        time.sleep(0.002)
    assert [process.returncode for process in processes] == [0, 0]
    assert path.read_bytes() in whole
    assert litter(tmp_path) == []

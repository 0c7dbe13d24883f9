import errno
import os
from pathlib import Path

import pytest

from roma_device.calibration.storage.files import write_atomic, write_exit_code


@pytest.fixture
def no_space():
    def fail(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fail


@pytest.mark.parametrize("durable", [True, False])
def test_writes_and_replaces_the_whole_content(tmp_path, durable):
    path = tmp_path / "a.yaml"
    write_atomic(path, b"a long first content", durable=durable)
    write_atomic(path, b"short", durable=durable)
    assert path.read_bytes() == b"short"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_failure_keeps_the_old_content_and_leaves_no_file_behind(tmp_path, monkeypatch, no_space, step):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, step, no_space)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_no_file_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == []


def name_of(descriptor):
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def test_file_is_on_disk_before_its_name_and_the_folder_after(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append(name_of(fd)), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("replace"), replace(*names)))
    write_atomic(tmp_path / "a", b"x")
    assert [call.endswith(".tmp") for call in calls] == [True, False, False]
    assert calls[1:] == ["replace", str(tmp_path)]


def test_results_of_single_frames_do_not_wait_for_the_disk(tmp_path, monkeypatch, no_space):
    monkeypatch.setattr(os, "fsync", no_space)
    write_atomic(tmp_path / "a", b"x", durable=False)
    assert (tmp_path / "a").read_bytes() == b"x"


def test_new_files_follow_the_umask(tmp_path):
    previous = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", b"x")
    finally:
        os.umask(previous)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_missing_folder_raises_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "missing" / "a", b"x")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, os.EX_NOPERM),
        (errno.EROFS, os.EX_CANTCREAT),
        (errno.ENOENT, os.EX_CANTCREAT),
        (errno.ENOSPC, os.EX_IOERR),
        (errno.EIO, os.EX_IOERR),
    ],
)
def test_exit_codes_tell_permission_place_and_disk_apart(number, code):
    assert write_exit_code(OSError(number, "x")) == code


def test_an_error_without_a_number_counts_as_a_fault_of_the_disk():
    assert write_exit_code(OSError("odd")) == os.EX_IOERR

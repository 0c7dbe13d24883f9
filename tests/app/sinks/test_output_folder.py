import errno
import os
import tempfile
from pathlib import Path

import pytest

from roma_device.app.sinks import SinkError
from roma_device.app.sinks.file_sink import prepare_output_folder


def refused(path, code):
    with pytest.raises(SinkError) as caught:
        prepare_output_folder(path)
    assert caught.value.exit_code == code
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_makes_the_folder_with_its_parents_and_leaves_it_empty(tmp_path):
    folder = tmp_path / "a" / "b"
    assert prepare_output_folder(folder) == folder
    assert list(folder.iterdir()) == []


def test_keeps_what_an_existing_folder_holds(tmp_path):
    (tmp_path / "old").write_text("x")
    prepare_output_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_file_in_the_way_is_named(tmp_path):
    obstacle = tmp_path / "out"
    obstacle.write_text("x")
    assert f"{obstacle} is in the way" in refused(obstacle, os.EX_CANTCREAT)
    assert f"{obstacle} is in the way" in refused(obstacle / "deeper" / "still", os.EX_CANTCREAT)


def test_a_link_to_nowhere_is_in_the_way_too(tmp_path):
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "gone")
    assert f"{link} is in the way" in refused(link, os.EX_CANTCREAT)


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EROFS, os.EX_CANTCREAT), (errno.EACCES, os.EX_NOPERM), (errno.ENOSPC, os.EX_IOERR)],
)
def test_a_folder_that_cannot_be_made_or_written_is_one_sentence(tmp_path, monkeypatch, number, code):
    def fail(*_args, **_options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", fail)
        assert refused(tmp_path / "out", code).endswith(os.strerror(number))
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", fail)
    message = refused(tmp_path, code)
    assert message == f"cannot write into the output folder {tmp_path}: {os.strerror(number)}"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system without room for files")
def test_permission_bits_are_not_trusted():
    refused(Path("/proc/self"), os.EX_CANTCREAT)

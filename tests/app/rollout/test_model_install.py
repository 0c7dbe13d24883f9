"""Models are installed whole or not at all, whatever they come as."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import signal
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.installed import InstallError
from roma_device.app.installed.models import InstalledModels
from roma_device.app.installed.trial import Terms
from roma_device.app.model_store import BUNDLED, find_model
from roma_device.app.rollout.install_model import install_model
from roma_device.app.verify.command import VerifyChoice, verify_command
from roma_device.app.verify.limits import LimitChoice
from roma_device.runtime.card import ModelError, load_card
from tests.app.command_line import call

from .conftest import NOT_RUN, Bundle

ENGINE = ("--engine", "opencv")


def left_behind(state: Path) -> list[str]:
    return sorted(path.name for path in (state / "models").glob("*")) if (state / "models").exists() else []


def test_a_folder_is_verified_stored_used_and_rolled_back(
    bundle: Bundle, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle() / "notes.txt").write_text("not of the bundle")
    code, out, _ = call(capsys, "model", "install", str(state.parent / "small"), *ENGINE, "--json")
    assert (code, json.loads(out)) == (0, {"kind": "model", "version": 1, "state": "in use", "why": ""})
    stored = state / "models" / "0001"
    assert sorted(path.name for path in stored.iterdir()) == ["card.yaml", "manifest.json", "matching.onnx"]
    assert find_model("installed").name == find_model("installed:1").name == "small"
    (row,) = json.loads(call(capsys, "model", "list", "--json")[1])
    assert row["state"] == "in use" and row["verified"]["engine"].startswith("opencv")
    assert "name: small" in call(capsys, "model", "show")[1]
    assert "what is there without any" in call(capsys, "model", "rollback")[1]
    assert find_model("installed").name == "stereo"


def test_the_same_bundle_again_is_no_new_version(bundle: Bundle, state: Path) -> None:
    folder = bundle(network=NOT_RUN)
    assert install_model(str(folder), None, None).number == 1
    again = install_model(str(folder), None, None)
    assert (again.number, again.is_new) == (1, False) and left_behind(state) == ["0001"]


def test_a_bundle_of_two_graphs_is_packed_and_installed_with_all_its_files(state: Path, tmp_path: Path) -> None:
    from roma_device.app.rollout.pack import pack

    archive = tmp_path / "stereo.tar"
    digest = pack("stereo", archive)
    assert digest == hashlib.sha256(archive.read_bytes()).hexdigest() == pack("stereo", tmp_path / "again.tar")
    new = install_model(str(archive), digest, None)
    InstalledModels().slot.versions.use(new.number)
    card = find_model("installed")
    assert [stage.name for stage in card.stages] == ["matching", "refinement"]
    for file in card.every_file.values():
        assert file.read() == (BUNDLED / "stereo" / file.path.name).read_bytes()


def tar(folder: Path, path: Path, prefix: str = "", mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for file in sorted(folder.iterdir()):
            archive.add(file, f"{prefix}{file.name}")
    return path


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz", "zip"])
def test_archives_of_every_kind(bundle: Bundle, state: Path, tmp_path: Path, kind: str) -> None:
    folder, path = bundle(network=NOT_RUN), tmp_path / f"model.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"small-1.2/{file.name}")
    else:
        tar(folder, path, "small-1.2/", {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[kind])
    assert install_model(str(path), None, None).manifest.name == "small"


def torn(folder: Path) -> Path:
    whole = tar(folder, folder.parent / "whole.tar.gz").read_bytes()
    (folder.parent / "torn.tar.gz").write_bytes(whole[: len(whole) // 2])
    return folder.parent / "torn.tar.gz"


def torn_plain(folder: Path) -> Path:
    whole = tar(folder, folder.parent / "whole.tar", mode="w").read_bytes()
    (folder.parent / "torn.tar").write_bytes(whole[: len(whole) // 2])
    return folder.parent / "torn.tar"


def changed(folder: Path) -> Path:
    data = bytearray((folder / "matching.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "matching.onnx").write_bytes(data)
    return folder


def without_card(folder: Path) -> Path:
    (folder / "card.yaml").unlink()
    return tar(folder, folder.parent / "bare.tar.gz")


def reaching_out(folder: Path) -> Path:
    (folder / "card.yaml").write_text((folder / "card.yaml").read_text().replace("matching.onnx", "../matching.onnx"))
    shutil.move(folder / "matching.onnx", folder.parent)
    return folder


def with_link(folder: Path) -> Path:
    (folder / "shadow").symlink_to("/etc/shadow")
    return tar(folder, folder.parent / "link.tar.gz")


def climbing(folder: Path) -> Path:
    return tar(folder, folder.parent / "climb.tar.gz", "../../")


def missing(folder: Path) -> Path:
    (folder / "matching.onnx").unlink()
    return folder


def encrypted(folder: Path) -> Path:
    path = folder.parent / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / "card.yaml", "card.yaml")
    data = bytearray(path.read_bytes())
    data[6] |= 1  # flag of encryption
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (torn, "it is torn or something else"),
        (torn_plain, "it is torn or something else"),
        (encrypted, "it is torn or something else"),
        (changed, "sha256 is"),
        (without_card, "the archive has no card.yaml"),
        (reaching_out, "files of a bundle lie beside its card"),
        (with_link, "links have no place in a bundle"),
        (climbing, "a name that a bundle cannot have"),
        (missing, "cannot read it"),
        (lambda folder: folder / "nothing", "cannot read it"),
        (lambda folder: folder.parent, "the folder has no card.yaml"),
        (lambda folder: Path("/dev/null"), "this is no file"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(
    bundle: Bundle, state: Path, damage: Callable[[Path], Path], sentence: str
) -> None:
    source = damage(bundle(network=NOT_RUN))
    with pytest.raises((InstallError, ModelError), match=sentence) as caught:
        install_model(str(source), None, None)
    assert caught.value.exit_code in (os.EX_DATAERR, os.EX_NOINPUT) and left_behind(state) == []


def test_a_wrong_sha256_is_refused(
    bundle: Bundle, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tar(bundle(network=NOT_RUN), tmp_path / "model.tar.gz")
    code, _, err = call(capsys, "model", "install", str(path), "--sha256", "0" * 64)
    assert code == os.EX_DATAERR and "that was asked for" in err and left_behind(state) == []
    assert call(capsys, "model", "install", str(path), "--sha256", "xyz")[0] == os.EX_USAGE
    assert call(capsys, "model", "install", str(path.parent / "small"), "--sha256", "0" * 64)[0] == os.EX_USAGE


def test_a_model_that_computes_something_else_is_refused(
    bundle: Bundle, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, vectors = bundle(), tmp_path / "vectors"
    verify_command(VerifyChoice(str(folder), make_vectors=vectors, count=1), LimitChoice())
    for path in vectors.glob("output/*/disparity.bin"):
        (np.fromfile(path, np.float32) + 2).tofile(path)
    code, _, err = call(capsys, "model", "install", str(folder), *ENGINE, "--vectors", str(vectors))
    assert code == os.EX_DATAERR and "fails its verification on this machine" in err and left_behind(state) == []


def test_a_model_without_a_reference_needs_one(bundle: Bundle, state: Path, tmp_path: Path) -> None:
    folder = bundle(network=NOT_RUN)
    (folder / "card.yaml").write_text((folder / "card.yaml").read_text().replace("onnx:", "axmodel:"))
    with pytest.raises(InstallError, match="no ONNX file to verify it by: give --reference BUNDLE"):
        install_model(str(folder), None, VerifyChoice(""))
    assert left_behind(state) == []


class Server:
    """Serves one archive on loopback, whole or torn."""

    def __init__(self, data: bytes, promised: int) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/model.tar.gz":
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(promised))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/model.tar.gz"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    servers: list[Server] = []

    def start(data: bytes, promised: int | None = None) -> str:
        servers.append(Server(data, len(data) if promised is None else promised))
        return servers[-1].url

    yield start
    for each in servers:
        each.server.shutdown()
        each.server.server_close()


def test_a_url_needs_its_sha256_and_is_checked_by_it(
    bundle: Bundle, state: Path, tmp_path: Path, serve: Callable[..., str]
) -> None:
    data = tar(bundle(network=NOT_RUN), tmp_path / "model.tar.gz").read_bytes()
    url, digest = serve(data), hashlib.sha256(data).hexdigest()
    with pytest.raises(InstallError, match="a URL needs --sha256 HEX"):
        install_model(url, None, None)
    with pytest.raises(InstallError, match="not the 0000"):
        install_model(url, "0" * 64, None)
    assert left_behind(state) == []
    assert install_model(url, digest.upper(), None).number == 1


def test_a_torn_download_and_a_missing_one_are_told(state: Path, serve: Callable[..., str]) -> None:
    with pytest.raises(InstallError, match="the download is torn"):
        install_model(serve(b"x" * 1000, promised=5000), "0" * 64, None)
    with pytest.raises(InstallError, match="the server answers 404"):
        install_model(serve(b"") + "x", "0" * 64, None)
    with pytest.raises(InstallError, match="cannot be fetched"):
        install_model("http://127.0.0.1:1/model.tar.gz", "0" * 64, None)
    assert left_behind(state) == []


def test_a_file_that_changed_on_the_disk_is_not_used(
    bundle: Bundle, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install_model(str(bundle(network=NOT_RUN)), None, None)
    card = state / "models" / "0001" / "card.yaml"
    card.write_text(card.read_text() + "measured: {}\n")
    code, _, err = call(capsys, "model", "use", "1")
    assert code == os.EX_DATAERR and "install the bundle again" in err
    InstalledModels().slot.versions.use(1)
    with pytest.raises(InstallError, match="its sha256 is not that of the installed file"):
        find_model("installed")


def test_versions_are_removed_but_not_those_that_are_needed(
    bundle: Bundle, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two", "three"):
        number = install_model(str(bundle(name, NOT_RUN)), None, None).number
        InstalledModels().slot.versions.use(number)
    assert call(capsys, "model", "remove", "3")[0] == os.EX_USAGE
    assert call(capsys, "model", "remove", "2")[0] == os.EX_USAGE
    assert call(capsys, "model", "remove", "1")[0] == 0 and left_behind(state) == ["0002", "0003", "history"]
    assert install_model(str(bundle("four", NOT_RUN)), None, None).number == 4


def kill_during_install(source: Path, step: int) -> bool:
    """Install in a process that is killed at the ``step``-th touch of the state folder; whether it came so far."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    left = step

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        is_opened = event == "open" and str(arguments[0]).startswith(os.environ["STATE_DIRECTORY"])
        if is_opened or event in ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "shutil.rmtree"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    new = install_model(str(source), None, None)
    InstalledModels().slot.use_on_trial(new.number, Terms())
    os._exit(0)


def test_a_kill_at_any_of_twenty_points_leaves_nothing_half_installed(bundle: Bundle, state: Path) -> None:
    """At every touch of the state folder, of which there are more than that."""
    install_model(str(bundle("old", NOT_RUN)), None, None)
    store, points, step = InstalledModels(), 0, 1
    store.slot.versions.use(1)
    before = {path: path.read_bytes() for path in store.kept.path(1).iterdir()}
    source = bundle("new", NOT_RUN, ("onnx", "onnx_int8", "axmodel"))
    while kill_during_install(source, step):
        points, step = points + 1, step + 1
        assert {path: path.read_bytes() for path in store.kept.path(1).iterdir()} == before
        for number in store.kept.numbers():  # what has a number is whole
            for file in load_card(store.kept.path(number)).every_file.values():
                file.read()
        is_new = store.slot.trial() is not None
        assert find_model("installed").name == ("new" if is_new else "old")
        store.slot.versions.use(1)
        for number in store.kept.numbers()[1:]:
            shutil.rmtree(store.kept.path(number))
    assert points >= 30
    with store.staging() as own:
        assert [name for name in left_behind(state) if name.startswith(".roma-")] == [own.name]

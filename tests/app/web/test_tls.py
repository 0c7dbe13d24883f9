"""The web server over TLS: the same pages, and clients that do not speak it cost nobody else anything."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from roma_device.app.settings.settings import PageSettings, Settings, SettingsError
from roma_device.app.view.live_view import LiveView
from roma_device.app.web.request import Answer, Request
from roma_device.app.web.server import WebServer
from roma_device.app.web.tls import TlsError, server_context

LONG = b"x" * (1 << 20)


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command = ["openssl", *words.split(), *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return certificate, key


def ask(port: int, pems: tuple[Path, Path], path: str, **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    trusted = ssl.create_default_context(cafile=str(pems[0]))
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusted)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def parts(request: Request) -> Answer:
    left = [b"first", LONG, None]
    return Answer(parts=lambda: left.pop(0))


def test_pages_long_answers_and_streams_come_whole(pems: tuple[Path, Path]) -> None:
    routes = {"/": lambda request: Answer(request.headers["x"].encode()), "/long": lambda _: Answer(LONG), "/s": parts}
    with WebServer("127.0.0.1", 0, routes, tls=server_context(*pems)) as server:
        assert ask(server.port, pems, "/", x="y" * 6000)[:2] == (200, b"y" * 6000)
        assert ask(server.port, pems, "/long")[1] == LONG
        assert ask(server.port, pems, "/s")[1] == b"first" + LONG


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\xff\xff", b"\0" * 600]
)
def test_who_does_not_speak_it_gets_nothing_and_holds_up_nobody(pems: tuple[Path, Path], said: bytes) -> None:
    with (
        WebServer("127.0.0.1", 0, {"/": lambda _: Answer(b"in")}, tls=server_context(*pems)) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain,
    ):
        plain.sendall(said)
        assert ask(server.port, pems, "/")[:2] == (200, b"in")
        if len(said) > 5:
            answer = b"".join(iter(lambda: plain.recv(4096), b""))  # an alert at most
            assert b"HTTP/1.1 200" not in answer and b"in" not in answer


def test_the_page_has_its_token_in_a_cookie_for_tls_alone(pems: tuple[Path, Path]) -> None:
    settings = PageSettings(listen="0.0.0.0:0", allow_remote=True, certificate=pems[0], key=pems[1])
    with LiveView(settings, dict) as view:
        own = f"127.0.0.1:{view.web.port}"
        status, page, headers = ask(view.web.port, pems, f"/?token={view.token}", Origin=f"https://{own}")
        assert status == 200 and page.startswith(b"<!doctype html>")
        assert "Secure" in headers["Set-Cookie"] and "HttpOnly" in headers["Set-Cookie"]
        assert ask(view.web.port, pems, "/", Cookie=headers["Set-Cookie"].partition(";")[0])[0] == 200
        assert ask(view.web.port, pems, "/")[0] == 403


def test_what_is_no_certificate_is_one_sentence(pems: tuple[Path, Path], tmp_path: Path) -> None:
    nothing, text = tmp_path / "nothing.pem", tmp_path / "text.pem"
    text.write_text("hello")
    for pair, sentence in (
        ((nothing, pems[1]), f"cannot read {nothing}: No such file or directory"),
        ((text, pems[1]), f"{text} and {pems[1]} are no certificate with its key: PEM is wanted in both"),
        ((pems[0], pems[0]), "are no certificate with its key"),
    ):
        with pytest.raises(TlsError) as caught:
            server_context(*pair)
        assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_the_page_names_the_settings_that_are_wrong(pems: tuple[Path, Path], tmp_path: Path) -> None:
    settings = PageSettings(listen="127.0.0.1:0", certificate=pems[0], key=tmp_path / "none.pem")
    with pytest.raises(TlsError, match=r"^page\.certificate and page\.key: cannot read .*none\.pem: No such file"):
        LiveView(settings, dict)


def test_an_encrypted_key_or_that_of_another_is_told(pems: tuple[Path, Path], tmp_path: Path) -> None:
    locked, other = tmp_path / "locked.pem", tmp_path / "other.pem"
    lock = ["openssl", "pkey", "-in", str(pems[1]), "-aes256", "-passout", "pass:word", "-out", str(locked)]
    make = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", str(other)]
    for command in (lock, make):
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    with pytest.raises(TlsError, match="is encrypted: give a key without a password"):
        server_context(pems[0], locked)
    with pytest.raises(TlsError, match="the key is not the certificate's"):
        server_context(pems[0], other)


def test_settings_want_both_and_an_address_apart_from_the_metrics() -> None:
    with pytest.raises(SettingsError, match="certificate and key belong together"):
        Settings().overridden(**{"page.certificate": "a.pem"})
    both = {"page.certificate": "a.pem", "page.key": "b.pem", "page.listen": "127.0.0.1:1"}
    with pytest.raises(SettingsError, match="certificate needs an address of its own"):
        Settings().overridden(**both, **{"monitor.listen": "127.0.0.1:1"})
    assert Settings().overridden(**both).page.key == Path("b.pem")

"""Where work may be done, and who is not to be trusted with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.app.workers import WorkersError
from roma_device.app.workers.address import Local, Scheduler, parse_address
from roma_device.app.workers.opening import open_workers


def test_processes_of_this_machine() -> None:
    assert parse_address("local:4") == Local(4)


@pytest.mark.parametrize("address", ["127.0.0.1:8786", "[::1]:8786", "localhost:8786"])
def test_a_scheduler_on_this_machine_needs_no_tls(address: str) -> None:
    assert parse_address(f"dask://{address}") == Scheduler(address)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("local:0", "N is from 1"),
        ("local:many", "local:N"),
        ("local", "local:N"),
        ("slurm:4", "local:N"),
        ("dask://127.0.0.1", "dask://HOST:PORT"),
        ("dask://127.0.0.1:99999", "dask://HOST:PORT"),
        ("dask://[::1:80", "dask://HOST:PORT"),
        ("dask://127.0.0.1:8786?colour=red", "unknown option 'colour'"),
        ("dask://127.0.0.1:8786?ca=x", "TLS takes all of"),
    ],
)
def test_what_cannot_be_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(WorkersError, match="--on") as error:
        parse_address(text)
    assert words in str(error.value) and error.value.exit_code == 64


def test_a_scheduler_that_others_reach_needs_tls_or_a_word(tmp_path: Path) -> None:
    with pytest.raises(WorkersError, match=r"runs code on all of its workers.*insecure=1") as error:
        parse_address("dask://10.0.0.1:8786")
    assert error.value.exit_code == 64
    assert parse_address("dask://10.0.0.1:8786?insecure=1") == Scheduler("10.0.0.1:8786")
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text("")
    files = "&".join(f"{name}={tmp_path / name}" for name in ("ca", "cert", "key"))
    found = parse_address(f"dask://10.0.0.1:8786?{files}")
    assert isinstance(found, Scheduler) and found.has_tls and found.key == tmp_path / "key"
    (tmp_path / "key").unlink()
    with pytest.raises(WorkersError, match="key is no file"):
        parse_address(f"dask://10.0.0.1:8786?{files}")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40))
def test_any_other_text_is_refused_in_one_sentence(text: str) -> None:
    for candidate in (text, f"dask://{text}", f"local:{text}"):
        try:
            parse_address(candidate)
        except WorkersError as error:
            assert str(error)


def test_without_dask_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "dask", None)
    monkeypatch.delitem(sys.modules, "roma_device.app.workers.dask_workers", raising=False)
    with pytest.raises(WorkersError, match="pip install distributed"):
        open_workers("local:2")

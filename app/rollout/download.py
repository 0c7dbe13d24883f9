"""Fetching of an archive by HTTP: whole, of bounded size, and within bounded time."""

from __future__ import annotations

import contextlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import IO

from roma_device.app.installed import InstallError
from roma_device.runtime.model_file import MOST_MODEL_BYTES

SILENCE_S = 30.0
"""So long a server may say nothing."""

LEAST_BYTES_PER_S = 2000
"""Slower than that over a minute is no download that ends."""

BLOCK_BYTES = 1 << 16


def is_url(source: str) -> bool:
    return urllib.parse.urlsplit(source).scheme in ("http", "https")


@contextlib.contextmanager
def download(url: str) -> Iterator[IO[bytes]]:
    """What ``url`` gives, in a file without a name: a kill leaves nothing behind. Raises InstallError."""
    with tempfile.TemporaryFile() as file:
        try:
            with urllib.request.urlopen(url, timeout=SILENCE_S) as answer:
                _copy(answer, file, url)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _failed(url, error) from None
        file.seek(0)
        yield file


def _copy(answer: http.client.HTTPResponse, file: IO[bytes], url: str) -> None:
    promised, size, begun_s = answer.length, 0, time.monotonic()
    while block := answer.read(BLOCK_BYTES):
        size += len(block)
        if size > MOST_MODEL_BYTES:
            raise InstallError(f"{url}: more than 1 GiB comes: this is no model bundle")
        file.write(block)
        if size < (time.monotonic() - begun_s - 60) * LEAST_BYTES_PER_S:
            raise InstallError(f"{url}: too slow: {size} bytes came so far", exit_code=os.EX_TEMPFAIL)
    if promised is not None and size != promised:
        message = f"{url}: the download is torn: {size} of {promised} bytes came; try again"
        raise InstallError(message, exit_code=os.EX_TEMPFAIL)


def _failed(url: str, error: Exception) -> InstallError:
    if isinstance(error, urllib.error.HTTPError):
        return InstallError(f"{url}: the server answers {error.code} {error.reason}", exit_code=os.EX_NOINPUT)
    if isinstance(error, http.client.IncompleteRead):
        return InstallError(f"{url}: the download is torn; try again", exit_code=os.EX_TEMPFAIL)
    reason = getattr(error, "reason", None) or error
    return InstallError(f"{url}: cannot be fetched: {reason}", exit_code=os.EX_TEMPFAIL)

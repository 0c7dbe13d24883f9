"""The stand-in itself: a client that breaks the rules is found out, or the other tests would prove nothing."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import byref, c_size_t, c_uint64, c_void_p
from threading import Thread
from typing import Any

import pytest

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engines.axcl.abi import PROTOTYPES
from tests.standin.control import Standin

NO_CONTEXT, NOT_DEVICE_MEMORY = 0x80300284, 0x80300581


class Client:
    """Calls as a careless program makes them."""

    def __init__(self, standin: Standin) -> None:
        self.library, self.standin = standin.library, standin

    def __call__(self, name: str, *arguments: Any) -> int:
        function = getattr(self.library, name)
        function.restype, function.argtypes = PROTOTYPES[name]
        return int(function(*arguments)) & 0xFFFFFFFF

    def handle(self, name: str, *arguments: Any) -> c_void_p:
        """For calls whose first argument is where the new handle goes."""
        made = c_void_p()
        assert self(name, byref(made), *arguments) == 0
        return made


@pytest.fixture
def client(axcl: Standin) -> Iterator[Client]:
    client = Client(axcl)
    client("axclInit", None)
    client("axclrtSetDevice", 4)
    return client


def test_a_careful_client_is_not_accused(client: Client, axcl: Standin) -> None:
    client("axclrtFree", client.handle("axclrtMalloc", 100, 0))
    client("axclrtResetDevice", 4)
    client("axclFinalize")
    assert axcl.violations == []


def test_leaks(client: Client, axcl: Standin) -> None:
    client.handle("axclrtMallocHost", 100)
    client("axclrtResetDevice", 4)
    client("axclFinalize")
    assert axcl.violations == [
        "axclrtResetDevice while objects live on the card",
        "axclFinalize: a host memory is left",
    ]
    assert axcl.bytes_alive == 100


def test_double_free(client: Client, axcl: Standin) -> None:
    for kind in ("", "Host"):
        memory = client.handle(f"axclrtMalloc{kind}", *((64,) if kind else (64, 0)))
        client(f"axclrtFree{kind}", memory)
        client(f"axclrtFree{kind}", memory)
    assert [line.split(" of ")[0] for line in axcl.violations] == ["axclrtFree", "axclrtFreeHost"]


def test_thread_without_a_context(client: Client, axcl: Standin) -> None:
    codes: list[int] = []
    thread = Thread(target=lambda: codes.append(client("axclrtMalloc", byref(c_void_p()), 64, 0)))
    thread.start()
    thread.join()
    assert codes == [NO_CONTEXT] and axcl.violations == ["axclrtMalloc without a context in this thread"]


@pytest.mark.parametrize(("size", "kind"), [(65, 1), (64, 2)])
def test_copy_of_wrong_size_or_direction(client: Client, axcl: Standin, size: int, kind: int) -> None:
    host, card = client.handle("axclrtMallocHost", 64), client.handle("axclrtMalloc", 64, 0)
    stream = client.handle("axclrtCreateStream")
    assert client("axclrtMemcpyAsync", card, host, c_size_t(size), kind, stream) == NOT_DEVICE_MEMORY
    assert len(axcl.violations) == 1


def test_a_copy_is_done_at_the_synchronization_only(client: Client, axcl: Standin) -> None:
    there, back = client.handle("axclrtMallocHost", 4), client.handle("axclrtMallocHost", 4)
    card, stream = client.handle("axclrtMalloc", 4, 0), client.handle("axclrtCreateStream")
    ctypes.memmove(there, b"abcd", 4)
    client("axclrtMemcpyAsync", card, there, 4, 1, stream)
    client("axclrtMemcpyAsync", back, card, 4, 2, stream)
    assert ctypes.string_at(back, 4) != b"abcd"
    client("axclrtSynchronizeStreamWithTimeout", stream, 100)
    assert ctypes.string_at(back, 4) == b"abcd" and axcl.violations == []


def test_unloading_before_the_io_is_destroyed(client: Client, axcl: Standin, small_card: ModelCard) -> None:
    client("axclrtEngineInit", 0)
    model, info, io = c_uint64(), c_void_p(), c_void_p()
    client("axclrtEngineLoadFromFile", str(small_card.files["axmodel"].path).encode(), byref(model))
    client("axclrtEngineGetIOInfo", model, byref(info))
    client("axclrtEngineCreateIO", info, byref(io))
    client("axclrtEngineUnload", model)
    client("axclrtEngineFinalize")
    assert axcl.violations == ["axclrtEngineUnload before axclrtEngineDestroyIO"]


def test_buffers_too_small_or_freed(client: Client, axcl: Standin, small_card: ModelCard) -> None:
    client("axclrtEngineInit", 0)
    model, info, io = c_uint64(), c_void_p(), c_void_p()
    client("axclrtEngineLoadFromFile", str(small_card.files["axmodel"].path).encode(), byref(model))
    client("axclrtEngineGetIOInfo", model, byref(info))
    client("axclrtEngineCreateIO", info, byref(io))
    memory = client.handle("axclrtMalloc", 4 * 96 * 64, 0)
    assert client("axclrtEngineSetInputBufferByIndex", io, 0, memory, 4 * 96 * 64) == 0
    assert client("axclrtEngineSetInputBufferByIndex", io, 1, memory, 4 * 96 * 64 - 1) != 0
    client("axclrtFree", memory)
    context = c_uint64()
    assert client("axclrtEngineCreateContext", model, byref(context)) == 0
    stream = client.handle("axclrtCreateStream")
    assert client("axclrtEngineExecuteAsync", model, context, 0, io, stream) == 0x80300702
    assert axcl.violations == ["a buffer smaller than its tensor", "axclrtEngineExecuteAsync without a buffer for left"]

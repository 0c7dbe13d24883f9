"""The stand-ins for the board's libraries: careless clients are found out, careful ones are served as by the vendor's.

The clients here know nothing of our engine: they make the calls as the vendor's samples do.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Iterator
from ctypes import byref, c_int32, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engines.ax import abi as abi
from tests.standin.control import AS_ON_BOARDS, AxStandin
from tests.standin.network import NetworkRunner, standin_card

from .conftest import SIZE, expected

BYTES = 4 * SIZE[0] * SIZE[1]
CERTAINTY_SHARE = 16
"""Input pixels per value of the certainty."""
NOT_INITIALIZED, ILLEGAL, NO_SUCH, FREE_FAILED, NOT_READY = 0x80060012, 0x8006000A, 0x80060017, 0x800B0082, 0x800B0010
ALLOCATE = (ctypes.c_int32, abi.SYS_PROTOTYPES["AX_SYS_MemAllocCached"][1])
FURTHER = {
    "AX_SYS_MemAlloc": ALLOCATE,
    "AX_ENGINE_CreateHandle": (c_int32, (ctypes.POINTER(c_void_p), c_void_p, c_uint32)),
    "AX_ENGINE_CreateContext": (c_int32, (c_void_p,)),
    "AX_ENGINE_RunSync": (c_int32, (c_void_p, ctypes.POINTER(abi.Io))),
    "AX_ENGINE_GetGroupIOInfo": (c_int32, (c_void_p, c_uint32, ctypes.POINTER(ctypes.POINTER(abi.IoInfo)))),
    "AX_ENGINE_RunGroupIOSync": (c_int32, (c_void_p, c_void_p, c_uint32, ctypes.POINTER(abi.Io))),
}


class Client:
    """A program that uses the two libraries in its own way."""

    def __init__(self, standin: AxStandin) -> None:
        self.standin = standin
        self._engine = ctypes.CDLL(str(standin.folder / "libax_engine.so"))
        self._prototypes = abi.SYS_PROTOTYPES | abi.ENGINE_PROTOTYPES | FURTHER
        self.handle, self.context = c_void_p(), c_void_p()
        self.buffers: list[abi.IoBuffer] = []

    def __call__(self, name: str, *arguments: Any) -> int:
        function = getattr(self.standin.library if name.startswith("AX_SYS") else self._engine, name)
        function.restype, function.argtypes = self._prototypes[name]
        return int(function(*arguments)) & 0xFFFFFFFF

    def start(self) -> None:
        assert self("AX_SYS_Init") == 0
        assert self("AX_ENGINE_Init", byref(abi.NpuAttr())) == 0

    def load(self, path: Path) -> None:
        """As the samples do: the file is unmapped as soon as the handle is made."""
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as data:
            view = (ctypes.c_char * len(data)).from_buffer(data)
            assert self("AX_ENGINE_CreateHandle", byref(self.handle), view, len(data)) == 0
            del view
        assert self("AX_ENGINE_CreateContextV2", self.handle, byref(self.context)) == 0

    def allocate(self, size: int, *, cached: bool, align: int = 128) -> abi.IoBuffer:
        physical, address = c_uint64(), c_void_p()
        call = "AX_SYS_MemAllocCached" if cached else "AX_SYS_MemAlloc"
        assert self(call, byref(physical), byref(address), size, align, b"client") == 0
        self.buffers.append(abi.IoBuffer(phyAddr=physical.value, pVirAddr=address.value, nSize=size))
        return self.buffers[-1]

    def io(self, *buffers: abi.IoBuffer) -> abi.Io:
        """Two inputs, then two outputs."""
        self._arrays = (abi.IoBuffer * 2)(*buffers[:2]), (abi.IoBuffer * 2)(*buffers[2:])  # kept alive
        return abi.Io(pInputs=self._arrays[0], nInputSize=2, pOutputs=self._arrays[1], nOutputSize=2)

    def run(self, io: abi.Io) -> int:
        return self("AX_ENGINE_RunSyncV2", self.handle, self.context, byref(io))

    def end(self) -> None:
        for buffer in self.buffers:
            assert self("AX_SYS_MemFree", buffer.phyAddr, buffer.pVirAddr) == 0
        assert [self("AX_ENGINE_DestroyHandle", self.handle), self("AX_ENGINE_Deinit"), self("AX_SYS_Deinit")] == [
            0
        ] * 3


@pytest.fixture
def client(ax: AxStandin, small_card: ModelCard) -> Iterator[Client]:
    client = Client(ax)
    client.start()
    client.load(small_card.files["axmodel"].path)
    return client


def seen(buffer: abi.IoBuffer) -> np.ndarray:
    """What the CPU sees of ``buffer``."""
    floats = (ctypes.c_float * (buffer.nSize // 4)).from_address(buffer.pVirAddr)
    return np.ctypeslib.as_array(floats).reshape(1, 1, SIZE[1], SIZE[0])


def begins_with(buffer: abi.IoBuffer, values: np.ndarray) -> bool:
    """Outputs are smaller than the inputs, whose size the buffers here have."""
    return np.array_equal(seen(buffer).ravel()[: values.size], values.ravel())


def write(buffers: tuple[abi.IoBuffer, ...], seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for buffer in buffers:
        seen(buffer)[...] = rng.standard_normal((1, 1, SIZE[1], SIZE[0]), np.float32)


def test_the_vendors_samples_find_what_they_expect(client: Client, ax: AxStandin, runner: NetworkRunner) -> None:
    """Inputs not cached, outputs cached and never invalidated: results arrive, which the stand-in notes nonetheless."""
    ax.set_cache(AS_ON_BOARDS)
    inputs = tuple(client.allocate(BYTES, cached=False) for _ in range(2))
    outputs = tuple(client.allocate(BYTES, cached=True) for _ in range(2))
    io = client.io(*inputs, *outputs)
    for seed in range(3):
        write(inputs, seed)
        assert client.run(io) == 0
        assert begins_with(outputs[0], expected(runner, seed)["disparity"])
    client.end()
    assert ax.violations == ["AX_SYS_MemFree of an output that nobody invalidated since the run"] * 2
    assert ax.alive() == 0


@pytest.mark.parametrize("call", ["RunSync", "RunSyncV2", "RunGroupIOSync"])
def test_a_careful_client_is_not_accused(client: Client, ax: AxStandin, runner: NetworkRunner, call: str) -> None:
    """All cached, flushed and invalidated by parts of one block; warm-up runs whose results nobody reads."""
    assert client("AX_ENGINE_CreateContext", client.handle) == 0
    block = client.allocate(4 * BYTES, cached=True)
    parts = [
        abi.IoBuffer(phyAddr=block.phyAddr + i * BYTES, pVirAddr=block.pVirAddr + i * BYTES, nSize=BYTES)
        for i in range(4)
    ]
    io = client.io(*(client.allocate(BYTES, cached=True) for _ in range(2)), *parts[2:])
    inputs = tuple(client.buffers[-2:])
    write(inputs)
    for buffer in inputs:
        assert client("AX_SYS_MflushCache", buffer.phyAddr, buffer.pVirAddr, BYTES) == 0
    for _ in range(5):
        arguments = {"RunSync": (), "RunSyncV2": (client.context,), "RunGroupIOSync": (client.context, 0)}[call]
        assert client(f"AX_ENGINE_{call}", client.handle, *arguments, byref(io)) == 0
    for part in parts[2:]:
        assert client("AX_SYS_MinvalidateCache", part.phyAddr, part.pVirAddr, BYTES) == 0
    assert begins_with(parts[2], expected(runner)["disparity"])
    client.end()
    ax.assert_clean()


def test_groups(ax: AxStandin, stereo_card: ModelCard, tmp_path: Path) -> None:
    card = standin_card(stereo_card, SIZE, tmp_path / "m.axmodel", facts=("groups 2",), network=b"")
    client = Client(ax)
    client.start()
    client.load(card.files["axmodel"].path)
    count, info = c_uint32(), ctypes.POINTER(abi.IoInfo)()
    assert client("AX_ENGINE_GetGroupIOInfoCount", client.handle, byref(count)) == 0 and count.value == 2
    assert client("AX_ENGINE_GetGroupIOInfo", client.handle, 1, byref(info)) == 0
    assert info.contents.pInputs[0].pName == b"left" and info.contents.pInputs[0].nSize == BYTES
    assert client("AX_ENGINE_GetGroupIOInfo", client.handle, 2, byref(info)) == ILLEGAL
    io = client.io(*(client.allocate(BYTES, cached=False) for _ in range(4)))
    assert client("AX_ENGINE_RunGroupIOSync", client.handle, client.context, 1, byref(io)) == 0
    assert client("AX_ENGINE_RunGroupIOSync", client.handle, client.context, 2, byref(io)) == ILLEGAL
    client.end()
    ax.assert_clean()


def test_an_input_that_was_not_flushed(client: Client, ax: AxStandin) -> None:
    buffers = [client.allocate(BYTES, cached=True) for _ in range(4)]
    write(tuple(buffers[:2]))
    client.run(client.io(*buffers))
    assert ax.violations == [f"run: input {name} was not flushed since it was written" for name in ("left", "right")]


def test_an_output_that_was_not_invalidated(client: Client, ax: AxStandin) -> None:
    buffers = [client.allocate(BYTES, cached=True) for _ in range(4)]
    before = seen(buffers[2]).copy()
    assert client.run(client.io(*buffers)) == 0
    assert np.array_equal(seen(buffers[2]), before, equal_nan=True), "the CPU still sees what was there"
    client.end()
    assert ax.violations == ["AX_SYS_MemFree of an output that nobody invalidated since the run"] * 2


def test_double_free_and_leak(client: Client, ax: AxStandin) -> None:
    first = client.allocate(1000, cached=True)
    client.allocate(1000, cached=False)
    assert client("AX_SYS_MemFree", first.phyAddr, first.pVirAddr) == 0
    assert client("AX_SYS_MemFree", first.phyAddr, first.pVirAddr) == FREE_FAILED
    client("AX_ENGINE_DestroyHandle", client.handle)
    client("AX_ENGINE_Deinit")
    client("AX_SYS_Deinit")
    assert ax.violations == [
        "AX_SYS_MemFree of what is no block, or freed before",
        "AX_SYS_Deinit: 1000 bytes of CMM are left",
    ]


def test_written_past_the_end(client: Client, ax: AxStandin) -> None:
    buffer = client.allocate(1000, cached=True)
    ctypes.memset(buffer.pVirAddr + 1000, 0, 1)
    client("AX_SYS_MemFree", buffer.phyAddr, buffer.pVirAddr)
    assert ax.violations == ["AX_SYS_MemFree: written past the end of a block of 1000 bytes"]


def test_buffers_unaligned_or_of_wrong_size(client: Client, ax: AxStandin) -> None:
    good = [client.allocate(BYTES, cached=False) for _ in range(3)]
    large = client.allocate(BYTES + 64, cached=False)
    odd = abi.IoBuffer(phyAddr=large.phyAddr + 64, pVirAddr=large.pVirAddr + 64, nSize=BYTES)
    assert client.run(client.io(*good, odd)) == 0
    small = client.allocate(BYTES // CERTAINTY_SHARE - 4, cached=False)
    assert client.run(client.io(*good, small)) == ILLEGAL
    assert ax.violations == [
        "run: certainty is not aligned to 128 bytes",
        f"run: certainty has no block of its {BYTES // CERTAINTY_SHARE} bytes",
    ]


def test_a_second_thread(client: Client, ax: AxStandin) -> None:
    io = client.io(*(client.allocate(BYTES, cached=False) for _ in range(4)))
    client.run(io)
    thread = threading.Thread(target=client.run, args=(io,))
    thread.start()
    thread.join()
    assert ax.violations == ["run from a second thread"]


def test_calls_out_of_order(ax: AxStandin, small_card: ModelCard) -> None:
    client = Client(ax)
    physical, address, attributes = c_uint64(), c_void_p(), abi.NpuAttr()
    assert client("AX_SYS_MemAlloc", byref(physical), byref(address), 64, 128, b"") == NOT_READY
    assert client("AX_ENGINE_Init", byref(attributes)) == NOT_INITIALIZED
    client("AX_SYS_Init")
    assert client("AX_ENGINE_GetVNPUAttr", byref(attributes)) == NOT_INITIALIZED, "which is how a client finds out"
    data = small_card.files["axmodel"].read()
    assert client("AX_ENGINE_CreateHandle", byref(client.handle), data, len(data)) == NOT_INITIALIZED
    client("AX_ENGINE_Init", byref(attributes))
    assert client("AX_ENGINE_CreateHandle", byref(client.handle), data, len(data)) == 0
    assert client.run(client.io(*(client.allocate(BYTES, cached=False) for _ in range(4)))) == NO_SUCH
    client("AX_ENGINE_Deinit")
    assert ax.violations == [
        "AX_SYS_MemAlloc before AX_SYS_Init",
        "AX_ENGINE_Init before AX_SYS_Init",
        "AX_ENGINE_CreateHandle before AX_ENGINE_Init",
        "AX_ENGINE_RunSyncV2 without a context of the handle",
        "AX_ENGINE_Deinit with models loaded",
    ]


def test_reserved_words_are_zero(client: Client, ax: AxStandin) -> None:
    io = client.io(*(client.allocate(BYTES, cached=False) for _ in range(4)))
    io.u64Reserved[3] = 1
    client.run(io)
    assert ax.violations == ["run: a reserved word of the IO is not 0"]


def test_every_bound_function_is_in_the_standin(ax: AxStandin) -> None:
    engine = ctypes.CDLL(str(ax.folder / "libax_engine.so"))
    assert [name for name in abi.SYS_PROTOTYPES if not hasattr(ax.library, name)] == []
    assert [name for name in abi.ENGINE_PROTOTYPES if not hasattr(engine, name)] == []

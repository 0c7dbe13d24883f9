"""Frames from programs of their own: the simulated rig in other processes, which are killed, stopped and started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from loguru import logger

from roma_device.app.cameras import CameraError, LiveCamera, open_camera
from roma_device.app.cameras.pipe.camera import PipeCamera
from roma_device.runtime.types import StereoFrame

from .feeder import RENDERED, rendered

HERE = Path(__file__).parent
CONTRIB = HERE.parents[3] / "contrib" / "pipe"
SIZE = "160x120"


@contextmanager
def feeder(path: Path, side: str) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "tests.app.cameras.pipe.feeder", str(path), side, "30", "NV12", SIZE]
    process = subprocess.Popen(words, cwd=HERE.parents[3])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "camera.sock"


@pytest.fixture
def sentences() -> Iterator[list[tuple[float, str]]]:
    """What is written to the log, with the time of it."""
    found: list[tuple[float, str]] = []
    handler = logger.add(lambda text: found.append((time.monotonic(), str(text))), level="WARNING", format="{message}")
    yield found
    logger.remove(handler)


def opened(path: Path, query: str = "?wait_s=60") -> PipeCamera:
    camera = open_camera(f"pipe:{path}{query}")
    assert isinstance(camera, PipeCamera) and isinstance(camera, LiveCamera)
    return camera


def take(camera: PipeCamera, count: int) -> list[StereoFrame]:
    return list(islice(camera.frames(), count))


@contextmanager
def collecting(camera: PipeCamera) -> Iterator[list[StereoFrame]]:
    """Pairs as a thread takes them."""
    found: list[StereoFrame] = []
    thread = threading.Thread(target=lambda: found.extend(camera.frames()))
    thread.start()
    try:
        yield found
    finally:
        camera.stop()
        thread.join()


def wait_until(condition: Callable[[], bool], limit_s: float = 20) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_two_programs_give_pairs_of_their_images(path: Path) -> None:
    expected = rendered(SIZE)
    with opened(path) as camera, feeder(path, "left"), feeder(path, "right"):
        frames = take(camera, 10)
    for frame in frames:
        left, right = expected[frame.timestamp_ns // round(1e9 / 30) % RENDERED]
        np.testing.assert_array_equal(frame.left.image, left)
        np.testing.assert_array_equal(frame.right.image, right)
        assert frame.skew_ns == 0 and frame.left.image.flags.c_contiguous
    assert camera.counts.pairs == 10 and not path.exists()


def test_one_program_may_feed_both_eyes(path: Path) -> None:
    with opened(path) as camera, feeder(path, "both"):
        assert [frame.skew_ns for frame in take(camera, 5)] == [0] * 5


def test_a_program_that_is_killed_and_started_again_loses_only_its_frames(
    path: Path, sentences: list[tuple[float, str]]
) -> None:
    with opened(path) as camera, feeder(path, "right"):
        with feeder(path, "left"):
            take(camera, 5)
        with feeder(path, "left"):
            frames = take(camera, 10)
    stamps = [frame.timestamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))
    assert any("'simulated rig'" in text and "left) at" in text and "has gone" in text for _, text in sentences)


def test_a_program_that_stops_is_reported_within_two_seconds_and_may_go_on(
    path: Path, sentences: list[tuple[float, str]]
) -> None:
    with opened(path) as camera, collecting(camera) as frames, feeder(path, "right"), feeder(path, "left") as left:
        wait_until(lambda: len(frames) > 5)
        left.send_signal(signal.SIGSTOP)
        stopped_s = time.monotonic()
        wait_until(lambda: any("sent no frame" in text for _, text in sentences))
        left.send_signal(signal.SIGCONT)
        before = len(frames)
        wait_until(lambda: len(frames) > before + 5)
    when_s, text = sentences[0]
    assert when_s - stopped_s < 2 and "left) at" in text


def test_nobody_who_feeds_ends_it_with_a_sentence(path: Path) -> None:
    with (
        opened(path, "?wait_s=0.3&timeout_s=0.2") as camera,
        pytest.raises(CameraError, match=r"no usable pair at .* for 0.3 s \(nobody feeds left and right") as caught,
    ):
        take(camera, 1)
    assert caught.value.exit_code == os.EX_UNAVAILABLE


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no C compiler")
def test_the_c_client_gives_its_images_and_keeps_to_its_memory(path: Path, tmp_path: Path) -> None:
    """Compiled with AddressSanitizer and UndefinedBehaviorSanitizer; rows are padded."""
    options = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-g", "-fsanitize=address,undefined", f"-I{CONTRIB}"]
    program = tmp_path / "feeder"
    subprocess.run(["gcc", *options, str(HERE / "feeder.c"), "-o", str(program)], check=True)
    with subprocess.Popen([str(program), str(path), "150"], stderr=subprocess.PIPE, text=True) as process:
        with opened(path) as camera:
            frames = take(camera, 20)
        with opened(path) as camera, collecting(camera) as rest:  # the program finds its way back
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and "Sanitizer" not in errors and "runtime error" not in errors
    assert len(rest) > 10
    for frame in (*frames, *rest):
        assert frame.left.image.shape == (48, 64) and frame.skew_ns == 0
        assert frame.left.image.std() > 60 and not np.array_equal(frame.left.image, frame.right.image)


AX_DECLARATIONS = """
#pragma once
#include <stdint.h>
typedef uint8_t AX_U8; typedef uint32_t AX_U32; typedef int32_t AX_S32; typedef uint64_t AX_U64;
typedef struct { AX_U32 u32Width, u32Height, u32PicStride[3]; AX_U64 u64PhyAddr[3], u64PTS, u64SeqNum;
} AX_VIDEO_FRAME_T;
typedef struct { struct { AX_VIDEO_FRAME_T stVFrame; } tFrameInfo; } AX_IMG_INFO_T;
enum { AX_VIN_CHN_ID_MAIN };
AX_S32 AX_VIN_GetYuvFrame(AX_U8, int, AX_IMG_INFO_T *, AX_S32);
AX_S32 AX_VIN_ReleaseYuvFrame(AX_U8, int, AX_IMG_INFO_T *);
AX_S32 AX_SYS_GetCurPTS(AX_U64 *);
void *AX_SYS_MmapCache(AX_U64, AX_U32);
AX_S32 AX_SYS_MinvalidateCache(AX_U64, void *, AX_U32);
AX_S32 AX_SYS_Munmap(void *, AX_U32);
"""
"""What the producer for Axera's boards uses, in our words: AX_SDK names a folder with the vendor's own headers."""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no C compiler")
def test_the_producer_for_ax_vin_compiles(tmp_path: Path) -> None:
    headers = os.environ.get("AX_SDK")
    if headers is None:
        for name in ("ax_vin_api.h", "ax_sys_api.h"):
            (tmp_path / name).write_text(AX_DECLARATIONS)
    options = ["-std=gnu99", "-Wall", "-Wextra", *([] if headers else ["-Werror"]), f"-I{headers or tmp_path}"]
    subprocess.run(["gcc", *options, "-fsyntax-only", str(CONTRIB / "ax_vin.c")], check=True)


@pytest.mark.parametrize("format", ["GREY", "YUYV"])
def test_raw_video_from_standard_input(path: Path, format: str) -> None:
    """Side by side, as a pipe from ffmpeg brings it."""
    width, height, step = 64, 24, 2 if format == "YUYV" else 1
    video = np.random.default_rng(0).integers(0, 256, (200, height, width * step), np.uint8)
    words = [sys.executable, str(CONTRIB / "roma_pipe.py"), str(path), "--side", "both", "--size", f"{width}x{height}"]
    with opened(path) as camera, collecting(camera) as frames:
        with subprocess.Popen([*words, "--format", format], stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            for number in range(len(video)):
                process.stdin.write(video[number].tobytes())
                process.stdin.flush()
                time.sleep(0.005)
            process.stdin.close()
        wait_until(lambda: len(frames) > 3)
    for frame in frames:
        whole = video[frame.left.sequence][:, ::step]
        np.testing.assert_array_equal(np.hstack([frame.left.image, frame.right.image]), whole)

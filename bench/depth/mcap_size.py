"""Size of MCAP files against what they were as JSON: ``python -m bench.depth.mcap_size [--frames 6]``.

Simulated room at 640x400, bundled ``stereo`` model. As JSON, images and depth were base64 in JSON, compressed by the
same writer. Each file is read back by the ``mcap`` package, and its depth compared with what ``--save depth`` writes.
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mcap.reader import make_reader
from mcap.writer import Writer

from bench.depth.filters import frames_of, results
from roma_device.app.foxglove import fields
from roma_device.app.foxglove.channels import Maker
from roma_device.app.sinks import open_sink
from roma_device.app.sinks.images import DepthSink
from roma_device.app.sinks.mcap import CHUNK_BYTES
from roma_device.runtime.filters.options import DepthOptions
from roma_device.runtime.types import Result


def as_json(found: list[Result], path: Path) -> int:
    """Bytes of left images and depth as JSON, in one file."""
    maker = Maker()
    with path.open("wb") as file:
        writer = Writer(file, chunk_size=CHUNK_BYTES)
        writer.start()
        schema = writer.register_schema("any", "jsonschema", b"{}")
        topics = [writer.register_channel(topic, "json", schema) for topic in ("/left/image", "/depth")]
        for result in found:
            assert result.depth is not None
            made: tuple[dict[str, Any], ...] = fields.compressed_image(result), fields.depth_image(result.depth)
            for topic, message in zip(topics, made, strict=True):
                text = message | {"data": base64.b64encode(message["data"]).decode()}
                writer.add_message(topic, maker.stamp_ns(result), json.dumps(text).encode(), maker.stamp_ns(result))
        writer.finish()
    return path.stat().st_size


def saved(name: str, found: list[Result], folder: Path) -> tuple[Path, float]:
    """The file, and the median of the processor time of a frame (ms)."""
    taken_ms = []
    with open_sink(name, folder) as sink:
        for result in found:
            start_s = time.thread_time()
            sink.write(result)
            taken_ms.append(1000 * (time.thread_time() - start_s))
    return next(folder.glob("*.mcap")), float(np.median(taken_ms))


def depths_mm(path: Path) -> list[np.ndarray]:
    """Depth in the file, mm (H, W) uint16; the fields' places in the message are those of Foxglove's schemas."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    found = []
    with path.open("rb") as file:
        for schema, _, message in make_reader(file).iter_messages(topics=["/depth"]):
            pool = descriptor_pool.DescriptorPool()
            for each in descriptor_pb2.FileDescriptorSet.FromString(schema.data).file:
                pool.Add(each)
            depth = message_factory.GetMessageClass(pool.FindMessageTypeByName(schema.name)).FromString(message.data)
            data = np.frombuffer(depth.data, np.uint8)
            is_png = schema.name.endswith("CompressedImage")
            image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if is_png else data.view("<u2").reshape(depth.height, -1)
            found.append(np.asarray(image))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=6)
    options = parser.parse_args()
    found = list(results(*frames_of("room", options.frames, 1), DepthOptions()))
    pngs = [DepthSink(Path()).encode(result) for result in found]
    wanted = [cv2.imdecode(np.frombuffer(png or b"", np.uint8), cv2.IMREAD_UNCHANGED) for png in pngs]
    with tempfile.TemporaryDirectory() as name:
        before = as_json(found, Path(name) / "json.mcap")
        print(f"as JSON  {before / len(found) / 1e3:6.1f} kB a frame")
        for sink in ("mcap", "mcap-raw"):
            folder = Path(name) / sink
            folder.mkdir()
            path, cpu_ms = saved(sink, found, folder)
            same = all(map(np.array_equal, depths_mm(path), wanted))
            size = path.stat().st_size
            share = 100 * size / before
            per_frame = f"{size / len(found) / 1e3:6.1f} kB and {cpu_ms:.1f} ms of CPU a frame"
            print(f"{sink:8} {per_frame}, {share:.1f} %; depth equal to the PNGs: {same}")


if __name__ == "__main__":
    main()

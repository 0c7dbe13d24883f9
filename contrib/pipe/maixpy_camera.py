"""A camera of a MaixCAM2 as a producer of ``--camera pipe:SOCKET``, by MaixPy; one process per eye.

    python3 maixpy_camera.py /tmp/camera.sock left 0 640x400

Has not run on a board. MaixPy gives no time of exposure: frames are stamped when they arrive, less a period. MaixCAM2's
own program holds the sensors while it runs: end it first.
"""

import sys
import time

from maix import camera, image
from roma_pipe import LEFT, RIGHT, RomaPipe

FPS = 30


def main(path, side, device, size):
    width, height = (int(each) for each in size.split("x"))
    source = camera.Camera(width, height, image.Format.FMT_GRAYSCALE, device=device, fps=FPS)
    sequence = 0
    with RomaPipe(path, f"MaixPy camera {device}", 4, width * height) as pipe:
        while True:
            picture = source.read()
            stamp_ns = time.monotonic_ns() - int(1e9 / FPS)
            slot = pipe.slot()
            if slot is not None:
                slot.view[:] = picture.to_bytes(copy=False)[: width * height]
                pipe.send(slot, {"left": LEFT, "right": RIGHT}[side], sequence, stamp_ns, width, height, width, "GREY")
            sequence += 1


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])

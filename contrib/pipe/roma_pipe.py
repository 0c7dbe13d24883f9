"""Client of roma-device's ``--camera pipe:SOCKET``: sends images of one or both eyes from a program of your own.

One file, Python 3.8 or newer on Linux, nothing but the standard library. The wire format is in docs/pipe.md.

    with RomaPipe("/run/roma-device/camera.sock", "left sensor", slots=4, slot_bytes=640 * 400) as pipe:
        slot = pipe.slot()                      # memory of a free slot, None where there is none: drop the frame
        if slot is not None:
            slot.view[: len(pixels)] = pixels
            pipe.send(slot, LEFT, sequence, timestamp_ns, 640, 400, 640, "GREY")

As a program it sends raw video from its standard input:

    ffmpeg ... -f rawvideo -pix_fmt nv12 - | python3 roma_pipe.py SOCKET --side left --size 640x400 --format NV12
"""

import argparse
import array
import mmap
import os
import socket
import struct
import sys
import time

LEFT, RIGHT = 0, 1
DAMAGED = 1
MAGIC, VERSION = b"RPIP", 1
HELLO, FRAME, RELEASE, REFUSAL = 1, 2, 3, 4
RETRY_S = 0.25
FRAME_BYTES = {"GREY": (1, 1), "NV12": (3, 2), "YUYV": (2, 1)}  # of a whole frame, per pixel


class Slot:
    """A piece of the shared memory that is this program's until it is sent."""

    def __init__(self, index, view):
        self.index, self.view = index, view


class RomaPipe:
    """A connection that is made, and made again, on demand. Not for several threads at once."""

    def __init__(self, path, name, slots, slot_bytes):
        self.path, self.name, self.error = path, name, ""
        self._slots, self._slot_bytes = slots, slot_bytes
        self._memory = os.memfd_create("roma-pipe", os.MFD_CLOEXEC)
        os.ftruncate(self._memory, slots * slot_bytes)
        self._view = memoryview(mmap.mmap(self._memory, slots * slot_bytes))
        self._socket, self._lent, self._retry_s = None, [0] * slots, 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def is_connected(self):
        return self._socket is not None

    def slot(self):
        """A free slot; None where nobody listens or all slots are lent: leave this frame out."""
        if self._socket is None and not self._connect():
            return None
        self._read_answers()
        if self._socket is None or 0 not in self._lent:
            return None
        index = self._lent.index(0)
        start = index * self._slot_bytes
        return Slot(index, self._view[start : start + self._slot_bytes])

    def send(self, slot, side, sequence, timestamp_ns, width, height, stride, format, offset=0, flags=0):
        """True where it was taken. ``timestamp_ns`` is time.monotonic_ns() at the start of exposure.

        A slot with both images side by side is sent twice, the right one with an ``offset`` in bytes.
        """
        message = struct.pack(
            "<4sHHIIQQIII4sIIQ", MAGIC, VERSION, FRAME, slot.index, side, sequence, timestamp_ns,
            width, height, stride, format.encode(), flags, offset, 0,
        )  # fmt: skip
        if not self._send(message):
            return False
        self._lent[slot.index] += 1
        return True

    def close(self):
        self._disconnect(self.error)
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1

    def _connect(self):
        if time.monotonic() < self._retry_s:
            return False
        self._retry_s = time.monotonic() + RETRY_S
        self._lent = [0] * self._slots
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            connection.connect(self.path)
        except OSError as error:
            connection.close()
            self.error = f"cannot connect to {self.path}: {error.strerror}"
            return False
        self._socket = connection
        name = self.name.encode()[:39]
        hello = struct.pack("<4sHHIIQ40s", MAGIC, VERSION, HELLO, self._slots, 0, self._slot_bytes, name)
        memory = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self._memory]))]
        return self._send(hello, memory)

    def _send(self, message, ancillary=()):
        if self._socket is None:
            return False
        try:
            self._socket.sendmsg([message], ancillary, socket.MSG_NOSIGNAL)
            return True
        except BlockingIOError:
            return False  # the other end does not read: this frame is lost, the next one may pass
        except OSError as error:
            self._read_answers()
            self._disconnect(self.error or error.strerror)
            return False

    def _read_answers(self):
        while self._socket is not None:
            try:
                message = self._socket.recv(256)
            except BlockingIOError:
                return
            except OSError as error:
                self._disconnect(error.strerror)
                return
            if message:
                self._answer(message)
            else:
                self._disconnect(self.error or "the other end has closed")

    def _answer(self, message):
        magic, version, kind = struct.unpack_from("<4sHH", message)
        if (magic, version, kind) == (MAGIC, VERSION, REFUSAL):
            self.error = message[8:].rstrip(b"\0").decode("utf-8", "replace")
        elif (magic, version, kind) == (MAGIC, VERSION, RELEASE):
            (slot,) = struct.unpack_from("<I", message, 8)
            if slot < self._slots and self._lent[slot]:
                self._lent[slot] -= 1

    def _disconnect(self, why):
        if self._socket is not None:
            self._socket.close()
        self._socket, self.error = None, why or ""


def _send_video(arguments):
    """Raw frames from the standard input, stamped when they are whole."""
    width, height = (int(side) for side in arguments.size.split("x"))
    times, by = FRAME_BYTES[arguments.format]
    both = arguments.side == "both"
    row_bytes = width * (2 if arguments.format == "YUYV" else 1)
    frame_bytes = width * height * times // by
    sides = {"left": [(LEFT, 0)], "right": [(RIGHT, 0)], "both": [(LEFT, 0), (RIGHT, row_bytes // 2)]}[arguments.side]
    shown, sequence, spare = "", 0, memoryview(bytearray(frame_bytes))
    with RomaPipe(arguments.socket, arguments.name, 6, frame_bytes) as pipe:
        while True:
            slot = pipe.slot()
            if not _fill(spare if slot is None else slot.view, frame_bytes):
                return
            stamp_ns = time.monotonic_ns() - int(1e6 * arguments.delay_ms)
            if slot is not None:
                for side, offset in sides:
                    eye = width // 2 if both else width
                    pipe.send(slot, side, sequence, stamp_ns, eye, height, row_bytes, arguments.format, offset)
            if pipe.error and pipe.error != shown:
                print(pipe.error, file=sys.stderr)
            shown, sequence = pipe.error, sequence + 1


def _fill(view, count):
    done = 0
    while done < count:
        got = sys.stdin.buffer.readinto(view[done:count])
        if not got:
            return False
        done += got
    return True


def _parse():
    parser = argparse.ArgumentParser(description="Raw video from standard input to roma-device.")
    parser.add_argument("socket")
    parser.add_argument(
        "--side", choices=("left", "right", "both"), required=True, help="both: side by side in one frame"
    )
    parser.add_argument("--size", required=True, help="WIDTHxHEIGHT of a whole frame")
    parser.add_argument("--format", choices=sorted(FRAME_BYTES), default="NV12")
    parser.add_argument("--name", default="video")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="from the exposure to the frame's arrival here")
    return parser.parse_args()


if __name__ == "__main__":
    _send_video(_parse())

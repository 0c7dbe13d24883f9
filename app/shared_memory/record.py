"""Header of a slot: all of a result but its images."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import Size
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.pose_estimate import PoseEstimate, PoseState
from roma_device.runtime.types import Result

from .layout import FRAME, SLOT_HEADER_BYTES, TEXT_AT

STATES: tuple[PoseState, ...] = get_args(PoseState)
CHECKED_FROM, MOST_TEXT_BYTES = 16, SLOT_HEADER_BYTES - TEXT_AT
Record = npt.NDArray[np.void]


_COUNTS, _RIG = struct.Struct("<QQqqQI"), struct.Struct("<I5d")
"""The fields from CHECKED_FROM on: number, index, timestamp_ns, skew_ns, dropped, present; has_rig, the rig's five."""

_POSE = struct.Struct("<4Id2I3d4d36d9dq")
"""Those from ``pose_state`` to ``pose_timestamp_ns``."""

_UINT32 = struct.Struct("<I")
_CHECKSUM_AT, _RIG_AT, _POSE_AT, _TEXT_BYTES_AT = (
    FRAME.fields[name][1]  # type: ignore[index]
    for name in ("checksum", "has_rig", "pose_state", "text_bytes")
)
_NO_RIG = (0,) + (0.0,) * 5
_NOWHERE, _CERTAIN = (0.0,) * 16, (0.0,) * 36
_NO_POSE = (0,) * 4 + (0.0, 0, 0) + _NOWHERE[:7] + _CERTAIN + _NOWHERE[7:] + (0,)


class Header:
    """Bytes of one slot's header, encoded anew for each frame in the same place.

    A writer runs with cold caches, where each function that is called takes microseconds, single fields of a structured
    array even more: so all is packed at once, and what stays the same from frame to frame is not made again.
    """

    def __init__(self) -> None:
        self.data = bytearray(SLOT_HEADER_BYTES)
        self.behind_sequence = memoryview(self.data)[8:]
        self._checked = memoryview(self.data)[CHECKED_FROM:]
        self._text_bytes = 0
        self._rig: RectifiedRig | None = None

    def encode(self, number: int, result: Result, present: int) -> None:
        """Make ``data`` the header of frame ``number``; its sequence is left 0."""
        data, frame, rig, pose = self.data, result.frame, result.rig, result.pose
        left_ns = frame.left.timestamp_ns
        skew_ns = frame.right.timestamp_ns - left_ns
        if rig is not self._rig:
            self._rig = rig
            _RIG.pack_into(data, _RIG_AT, *(_NO_RIG if rig is None else _geometry(rig)))
        _COUNTS.pack_into(data, CHECKED_FROM, number, result.index, left_ns, skew_ns, result.dropped, present)
        if pose is not None:
            _POSE.pack_into(data, _POSE_AT, *_pose(pose))
        elif data[_POSE_AT]:
            _POSE.pack_into(data, _POSE_AT, *_NO_POSE)
        text = _text(result)
        count = len(text)
        data[TEXT_AT : TEXT_AT + count] = text
        if count != self._text_bytes:
            self._end_text(count)
        _UINT32.pack_into(data, _CHECKSUM_AT, zlib.crc32(self._checked))

    def _end_text(self, count: int) -> None:
        """Of a text of another length than that before: nothing of the one before stays behind it."""
        self.data[TEXT_AT + count : TEXT_AT + self._text_bytes] = bytes(max(0, self._text_bytes - count))
        self._text_bytes = count
        _UINT32.pack_into(self.data, _TEXT_BYTES_AT, count)


def _geometry(rig: RectifiedRig) -> tuple[float, ...]:
    return 1, _or_nan(rig.focal_px), _or_nan(rig.baseline_m), rig.cx, rig.cy, rig.disparity_offset_px


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _pose(pose: PoseEstimate) -> Iterator[float]:
    """Its fields in the order of _POSE."""
    place, covariance = pose.odom_from_camera, pose.covariance
    yield from (1 + STATES.index(pose.state), pose.segment, pose.inliers, pose.is_keyframe, pose.inlier_ratio)
    yield from (place is not None, covariance is not None)
    if place is None:
        yield from _NOWHERE[:7]
    else:
        yield from (*place.translation_m.tolist(), *place.quaternion.tolist())
    yield from _CERTAIN if covariance is None else covariance.ravel().tolist()
    yield from _NOWHERE[7:] if place is None else place.rotation.ravel().tolist()
    yield pose.timestamp_ns


def _text(result: Result) -> bytes:
    """JSON of what has no fixed size; times are left out where they do not fit."""
    pose, stages_ms = result.pose, result.times.stages_ms
    reasons = "[]" if pose is None or not pose.reasons else json.dumps(list(pose.reasons))
    data = (_template(tuple(stages_ms)) % (*stages_ms.values(), reasons)).encode()
    if len(data) <= MOST_TEXT_BYTES:
        return data
    data = f'{{"reasons": {reasons}}}'.encode()
    return data if len(data) <= MOST_TEXT_BYTES else b"{}"


@lru_cache(maxsize=64)
def _template(stages: tuple[str, ...]) -> str:
    """With a place for the time of each stage, and one for the reasons: a frame's takes half the time of json.dumps."""
    times = ", ".join(json.dumps(name).replace("%", "%%") + ": %.6f" for name in stages)
    return f'{{"times_ms": {{{times}}}, "reasons": %s}}'


def decode(data: bytes) -> Record | None:
    """The header that a copy of its bytes is; None where it does not have its checksum."""
    record: Record = np.frombuffer(data, FRAME).reshape(())
    return record if zlib.crc32(data[CHECKED_FROM:]) == int(record["checksum"]) else None


def rig_of(record: Record, size: Size) -> RectifiedRig | None:
    """The geometry, where it is known."""
    if not record["has_rig"]:
        return None
    focal_px, baseline_m = (_known(float(record[name])) for name in ("focal_px", "baseline_m"))
    cx, cy, offset_px = (float(record[name]) for name in ("cx", "cy", "disparity_offset_px"))
    return RectifiedRig(size, focal_px, baseline_m, cx, cy, offset_px)


def pose_of(record: Record, text: dict[str, Any]) -> PoseEstimate | None:
    """What odometry said, where it runs."""
    if not 1 <= record["pose_state"] <= len(STATES):
        return None
    pose = Pose(record["rotation"].copy(), record["position_m"].copy()) if record["has_pose"] else None
    return PoseEstimate(
        timestamp_ns=int(record["pose_timestamp_ns"]),
        state=STATES[int(record["pose_state"]) - 1],
        reasons=tuple(text.get("reasons", ())),
        segment=int(record["segment"]),
        odom_from_camera=pose,
        covariance=record["covariance"].copy() if record["has_covariance"] else None,
        inliers=int(record["inliers"]),
        inlier_ratio=float(record["inlier_ratio"]),
        is_keyframe=bool(record["is_keyframe"]),
    )


def text_of(record: Record) -> dict[str, Any]:
    """What has no fixed size."""
    values: dict[str, Any] = json.loads(record["text"][: int(record["text_bytes"])].tobytes() or b"{}")
    return values


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value

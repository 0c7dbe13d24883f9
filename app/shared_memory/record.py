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
CHECKED_FROM = 16
Record = npt.NDArray[np.void]


_HEAD = struct.Struct("<QQqqQII5d")
"""The fields from CHECKED_FROM on: number, index, timestamp_ns, skew_ns, dropped, present, has_rig, the rig's five."""

_POSE = struct.Struct("<4Id2I3d4d36d9dq")
"""Those from ``pose_state`` to ``pose_timestamp_ns``."""

_UINT32 = struct.Struct("<I")
_CHECKSUM_AT, _POSE_AT, _TEXT_BYTES_AT = (FRAME.fields[name][1] for name in ("checksum", "pose_state", "text_bytes"))  # type: ignore[index]
_NO_RIG = (0,) + (0.0,) * 5
_NOWHERE, _CERTAIN = (0.0,) * 16, (0.0,) * 36


def encode(number: int, result: Result, present: int) -> bytearray:
    """The header of frame ``number``; its sequence is left 0.

    Packed as a whole where a frame needs it: single fields of a structured array take microseconds each.
    """
    data = bytearray(SLOT_HEADER_BYTES)
    frame, rig = result.frame, result.rig
    facts = number, result.index, frame.timestamp_ns, frame.skew_ns, result.dropped, present
    _HEAD.pack_into(data, CHECKED_FROM, *facts, *(_NO_RIG if rig is None else _geometry(rig)))
    if result.pose is not None:
        _POSE.pack_into(data, _POSE_AT, *_pose(result.pose))
    text = _text(result)
    _UINT32.pack_into(data, _TEXT_BYTES_AT, len(text))
    data[TEXT_AT : TEXT_AT + len(text)] = text
    _UINT32.pack_into(data, _CHECKSUM_AT, zlib.crc32(memoryview(data)[CHECKED_FROM:]))
    return data


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
    reasons = json.dumps(list(result.pose.reasons)) if result.pose is not None and result.pose.reasons else "[]"
    stages_ms = result.times.stages_ms
    with_times = _template(tuple(stages_ms)) % (*stages_ms.values(), reasons)
    for text in (with_times, f'{{"reasons": {reasons}}}'):
        if len(data := text.encode()) <= SLOT_HEADER_BYTES - TEXT_AT:
            return data
    return b"{}"


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

"""Header of a slot: all of a result but its images."""

from __future__ import annotations

import json
import struct
import zlib
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

_UINT32 = struct.Struct("<I")
_CHECKSUM_AT, _TEXT_BYTES_AT = (FRAME.fields[name][1] for name in ("checksum", "text_bytes"))  # type: ignore[index]
_RIG = ("focal_px", "baseline_m", "cx", "cy", "disparity_offset_px")


def encode(number: int, result: Result, present: int) -> bytearray:
    """The header of frame ``number``; its sequence is left 0.

    Packed as a whole where a frame needs it: single fields of a structured array take microseconds each.
    """
    data = bytearray(SLOT_HEADER_BYTES)
    frame, rig = result.frame, result.rig
    geometry = [0.0] * len(_RIG) if rig is None else [_or_nan(getattr(rig, name)) for name in _RIG]
    facts = number, result.index, frame.timestamp_ns, frame.skew_ns, result.dropped, present, rig is not None
    _HEAD.pack_into(data, CHECKED_FROM, *facts, *geometry)
    if result.pose is not None:
        _fill_pose(np.frombuffer(data, FRAME).reshape(()), result.pose)
    text = _text(result)
    _UINT32.pack_into(data, _TEXT_BYTES_AT, len(text))
    data[TEXT_AT : TEXT_AT + len(text)] = text
    _UINT32.pack_into(data, _CHECKSUM_AT, zlib.crc32(memoryview(data)[CHECKED_FROM:]))
    return data


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _fill_pose(record: Record, pose: PoseEstimate) -> None:
    record["pose_state"] = 1 + STATES.index(pose.state)
    for name in ("segment", "inliers", "is_keyframe", "inlier_ratio"):
        record[name] = getattr(pose, name)
    record["pose_timestamp_ns"] = pose.timestamp_ns
    if (place := pose.odom_from_camera) is not None:
        record["has_pose"], record["position_m"] = 1, place.translation_m
        record["rotation"], record["quaternion_xyzw"] = place.rotation, place.quaternion
    if pose.covariance is not None:
        record["has_covariance"], record["covariance"] = 1, pose.covariance


def _text(result: Result) -> bytes:
    """JSON of what has no fixed size; times are left out where they do not fit."""
    reasons = list(result.pose.reasons) if result.pose is not None else []
    for values in ({"times_ms": result.times.stages_ms, "reasons": reasons}, {"reasons": reasons}):
        text = json.dumps(values).encode()
        if len(text) <= SLOT_HEADER_BYTES - TEXT_AT:
            return text
    return b"{}"


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

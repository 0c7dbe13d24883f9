"""Geometry of a run: whose calibration counts, and how frames of a size are rectified by it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from roma_device.app.cameras import Camera, LiveCamera
from roma_device.app.settings.settings import Settings
from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.formats.own import own_document
from roma_device.calibration.rectify import Rectification, RectifiedRig, View
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.store import TAKEN_WITH, CalibrationStore


@dataclass(frozen=True, slots=True)
class GeometryChoice:
    """What the user said about the rig; a calibration wins over the camera's own."""

    calibration: StereoCalibration | None = None
    rectified: bool = False
    focal_px: float | None = None
    baseline_m: float | None = None
    doffs_px: float = 0.0  # right principal point's x minus the left one's
    view: View = "native"


def choose_rectification(
    choice: GeometryChoice, own: StereoCalibration | None, size: Size, note: str = ""
) -> Rectification:
    """The rectification for frames of ``size``.

    ``own`` is the calibration that the camera itself knows, if any; ``note`` is told where there is none. Raises
    CalibrationError where none is known or the calibration is for another shape of image.
    """
    if choice.rectified:
        centre_x, centre_y = (size[0] - 1) / 2, (size[1] - 1) / 2
        rig = RectifiedRig(size, choice.focal_px, choice.baseline_m, centre_x, centre_y, choice.doffs_px)
        return Rectification.identity(rig)
    calibration = choice.calibration or own
    if calibration is None:
        raise CalibrationError(
            lambda option: (
                f"this camera brings no calibration: give {option('calibration', 'FILE')}, "
                f"or {option('rectified')} if the pairs are rectified{note and '; '}{note}"
            ),
            exit_code=os.EX_USAGE,
        )
    return Rectification.from_calibration(calibration.fitted_to(size), choice.view)


RectificationFor = Callable[[Size], Rectification]
"""Size of a camera's frames -> how they are rectified."""


STORED = "stored version"


@dataclass(frozen=True, slots=True)
class Geometry:
    """What counts in this run, and where it comes from."""

    choice: GeometryChoice
    calibration: StereoCalibration | None  # None for rectified pairs, and where none is known
    source: str  # "rig.yaml", "stored version 3", "the camera", "rectified"; "" where none is known
    note: str = ""  # of the stored version that is not used, where none is known

    @property
    def is_metric(self) -> bool:
        """Whether there can be depth in metres."""
        return not self.choice.rectified or None not in (self.choice.focal_px, self.choice.baseline_m)

    def rectification(self, size: Size) -> Rectification:
        """The rectification for frames of ``size``; raises CalibrationError."""
        rig = self.calibration
        is_known = not self.source.startswith(STORED) or (rig is not None and TAKEN_WITH in rig.origin)
        if rig is not None and rig.left.size != size and not is_known:
            raise CalibrationError(
                lambda option: (
                    f"{self.source} is for {rig.left.size} px, this camera gives {size} px, and whether it is of this "
                    f"rig is not known: name its file with {option('calibration', 'FILE')} if it is"
                ),
                exit_code=os.EX_USAGE,
            )
        return choose_rectification(self.choice, rig, size, self.note)

    def as_json(self) -> dict[str, Any]:
        """What ``run.json`` keeps."""
        if self.calibration is None:
            return {
                "source": self.source,
                "focal_px": self.choice.focal_px,
                "baseline_m": self.choice.baseline_m,
                "doffs_px": self.choice.doffs_px,
            }
        rig = self.calibration
        return {
            "source": self.source,
            "sha256": fingerprint(rig),
            "baseline_m": round(rig.baseline_m, 6),
            "made_at": rig.made_at,
            "serial": rig.serial,
            "size": list(rig.left.size),
            "content": _content(rig),
        }


def _content(rig: StereoCalibration) -> dict[str, Any] | None:
    """All of it, as this program's own file has it; None for a matrix with skew, which has no place there."""
    try:
        return own_document(rig)
    except CalibrationError:
        return None


def fingerprint(rig: StereoCalibration) -> str:
    """sha256 over the numbers of a calibration: the same wherever it is read from."""
    pose, digest = rig.right_from_left, hashlib.sha256()
    for camera in (rig.left, rig.right):
        digest.update(repr((tuple(camera.size), camera.model)).encode())
        for values in (camera.matrix, camera.distortion):
            digest.update(np.ascontiguousarray(values, np.float64).tobytes())
    for values in (pose.rotation, pose.translation_m):
        digest.update(np.ascontiguousarray(values, np.float64).tobytes())
    return digest.hexdigest()


def choose_geometry(settings: Settings, camera: Camera, calibration: StereoCalibration | None = None) -> Geometry:
    """By the calibration that the settings name or that is given instead, else the camera's own, else the stored one
    in use; a file is read now."""
    source, note = "the program", ""
    if calibration is None:
        calibration, source, note = _named_or_stored(settings, camera)
    choice = GeometryChoice(
        calibration=calibration,
        rectified=settings.rectified,
        focal_px=settings.focal_px,
        baseline_m=settings.baseline_m,
        doffs_px=settings.doffs_px,
        view=settings.view,
    )
    if settings.rectified:
        return Geometry(choice, None, "rectified")
    if calibration is None and camera.calibration is not None:
        return Geometry(choice, camera.calibration, "the camera")
    return Geometry(choice, calibration, source, note)


def rectifications(
    settings: Settings, camera: Camera, calibration: StereoCalibration | None = None
) -> RectificationFor:
    """By the geometry that counts; a file is read now."""
    return choose_geometry(settings, camera, calibration).rectification


def stored_calibration(settings: Settings, camera: Camera) -> StereoCalibration | None:
    """The file named; for a camera that knows none itself the stored version in use."""
    return _named_or_stored(settings, camera)[0]


def _named_or_stored(settings: Settings, camera: Camera) -> tuple[StereoCalibration | None, str, str]:
    """The calibration, where it comes from, and where there is none what to tell of the stored one."""
    if settings.calibration is not None:
        return load_calibration(settings.calibration), str(settings.calibration), ""
    if settings.rectified or camera.calibration is not None:
        return None, "", ""
    stored = CalibrationStore().current()
    if stored is None:
        return None, "", ""
    rig, name = stored.load(), f"{STORED} {stored.number}"
    taken_with = rig.origin.get(TAKEN_WITH, "")
    if isinstance(camera, LiveCamera) and taken_with in ("", (settings.camera or "").partition("?")[0]):
        return rig, name, ""
    of = taken_with or "a live rig"
    note = f"{name} (baseline {1000 * rig.baseline_m:.1f} mm) is of {of}, and is used here only if named: {stored.path}"
    return None, "", note

"""HTML report of a single camera's calibration, one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from roma_device.calibration.arrays import GreyImage
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.solver.outliers import DroppedView

from .camera_report import CameraReport
from .camera_text import camera_as_text
from .page import page_of, picture, refused_list, row_of
from .plots import coverage_plot, residual_plot, view_plot


def camera_page(report: CameraReport, refused: Sequence[DroppedView], example: GreyImage | None) -> str:
    """The HTML page; ``example`` is a raw image (H, W) to show undistorted, ``refused`` the images without a view."""
    solution = report.solution
    views = view_plot(solution, report.held_out_px, "per image: corners (blue), corners when left out (red)")
    parts = [
        f"<h2>All figures</h2><pre>{escape(camera_as_text(report))}</pre>",
        f"<h2>Corners: errors and coverage</h2>{row_of(residual_plot(solution, 0), coverage_plot(solution, 0))}",
        f"<h2>Images</h2>{row_of(views)}",
        "" if example is None else _example(solution.camera, example),
        refused_list("Images", refused),
    ]
    return page_of("Camera calibration", report.verdict, report.findings, parts)


def _example(camera: CameraModel, image: GreyImage) -> str:
    """An image before and after: straight edges of the board have to be straight."""
    both = np.hstack([image, undistorted(camera, image)])
    return f"<h2>An image, undistorted</h2>{picture('an image before and after', both)}"


def undistorted(camera: CameraModel, image: GreyImage) -> GreyImage:
    """Undistort: the image (H, W) as a pinhole camera along the same axis has it and of the same size."""
    height, width = image.shape
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    rays = np.column_stack([x.ravel() / camera.fx, y.ravel() / camera.fx, np.ones(x.size)])
    source = camera.project(rays).reshape(height, width, 2).astype(np.float32)
    return np.asarray(cv2.remap(image, source, None, cv2.INTER_LINEAR), np.uint8)

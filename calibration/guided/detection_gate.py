"""Board detection in one pair of images, or in one image: the observation, or why there is none."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import GreyImage
from roma_device.calibration.boards.board import Board, Detection
from roma_device.calibration.solver.observations import PairView, SoloView, pair_view

DARK_GREY, BRIGHT_GREY = 12, 243
FLAT_GREY = 3.0
"""Standard deviation of grey levels below which nothing can be seen."""


def see_pair(board: Board, name: str, left: GreyImage, right: GreyImage) -> PairView | str:
    """Observation of the board that a pair (H, W) gives, or why it gives none: a clause."""
    problem = picture_problem(left, right)
    if problem:
        return problem
    detections: list[Detection] = []
    for side, image in (("left", left), ("right", right)):
        detection = board.detect(image)
        if detection is None:
            return f"no {board.spec} in the {side} image"
        detections.append(detection)
    return pair_view(name, board, *detections)


def picture_problem(left: GreyImage, right: GreyImage) -> str:
    """What is wrong with the images themselves, whatever they show: a clause, or ""."""
    for side, image in (("left ", left), ("right ", right)):
        if problem := _flatness(side, image):
            return problem
    if left.shape == right.shape and np.array_equal(left, right):
        return "left and right image are the same picture"
    return ""


def _flatness(side: str, image: GreyImage) -> str:
    mean, sigma = (float(value.item()) for value in cv2.meanStdDev(image))
    if sigma < FLAT_GREY and mean < DARK_GREY:
        return f"the {side}image is black: is the lens covered, the camera off?"
    if sigma < FLAT_GREY:
        return f"the {side}image shows nothing but one {'white' if mean > BRIGHT_GREY else 'grey'} area"
    return ""


def see_one(board: Board, name: str, image: GreyImage) -> SoloView | str:
    """Observation of the board that an image (H, W) of a single camera gives, or why it gives none: a clause."""
    if problem := _flatness("", image):
        return problem
    detection = board.detect(image)
    return f"no {board.spec} in it" if detection is None else SoloView(name, detection)


def diagnosis(board: Board, image: GreyImage) -> str:
    """What the board's detector makes of an image without it, as an ending of a sentence: ": ..." or ""."""
    clause = board.diagnose(image)
    return f": {clause}" if clause else ""

"""How the second camera of a scene for two-view matching stands to the first."""

from __future__ import annotations

import numpy as np

from .two_view_surfaces import Array, about

MOST_ZOOM = 2.5
USUAL_REACH = np.array([0.5, 0.3, 0.45])
AHEAD = 1.2


def motion(rng: np.random.Generator, reach: Array = USUAL_REACH) -> tuple[Array, Array]:
    """Second from first: it looks roughly at the same spot, AHEAD of the first camera, from up to ``reach`` aside,
    above and before; some turn more, some about their axis."""
    strength = rng.uniform(0, 1) ** 1.3
    place = rng.uniform(-1, 1, 3) * reach * strength
    view = np.array([0, 0, AHEAD]) - place
    loose = 0.06 if rng.random() < 0.7 else 0.18
    yaw = np.arctan2(view[0], view[2]) + rng.normal(0, loose)
    pitch = np.arctan2(-view[1], np.hypot(view[0], view[2])) + rng.normal(0, 0.7 * loose)
    roll = rng.normal(0, 0.06) if rng.random() < 0.85 else rng.uniform(-0.6, 0.6)
    rotation = about(2, roll) @ about(0, -pitch) @ about(1, -yaw)
    return rotation, -rotation @ place


def roll_and_zoom(rng: np.random.Generator) -> tuple[Array, float]:
    """A roll over the whole circle, a zoom between 1 / MOST_ZOOM and MOST_ZOOM, or both; a third each."""
    kind = rng.integers(3)
    roll = about(2, rng.uniform(-np.pi, np.pi)) if kind != 1 else np.eye(3)
    return roll, float(np.exp(rng.uniform(-1, 1) * np.log(MOST_ZOOM))) if kind != 0 else 1.0

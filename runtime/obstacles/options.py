"""What counts as an obstacle, and what is known of the camera's mounting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObstacleOptions:
    """Choices of the search for obstacles. Raises ValueError where they contradict each other."""

    camera_height_m: float | None = None  # above the ground; None: found out
    camera_pitch_deg: float | None = None  # how far it looks down; None: found out
    min_height_m: float = 0.1  # what is lower is ground
    max_height_m: float = 2.0  # what is higher is passed under
    range_m: float = 6.0  # forward
    cell_m: float = 0.1  # side of a cell of the grid
    corridor_m: float = 0.8  # width of what lies ahead

    def __post_init__(self) -> None:
        if self.min_height_m >= self.max_height_m:
            raise ValueError(f"min_height_m {self.min_height_m:g} must be below max_height_m {self.max_height_m:g}")
        if self.range_m < 4 * self.cell_m:
            raise ValueError(f"range_m {self.range_m:g} must be at least 4 cells of {self.cell_m:g} m")

"""Storage of the pairs that a guided capture takes: each on disk at once, so that nothing is lost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import yaml

from roma_device.app.calibrate.observations import grey_file
from roma_device.calibration.arrays import GreyImage
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.storage.files import write_bytes, write_text
from roma_device.calibration.storage.yaml_section import read_section

NAME = "session.yaml"
SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class Session:
    """A folder with ``session.yaml``, ``left/0001.png``, ``right/0001.png`` and so on.

    It can be calibrated from with ``--images`` as well. Raises CalibrationError where it cannot be read or written.
    """

    folder: Path
    board_text: str

    @classmethod
    def open(cls, folder: Path, board_text: str | None) -> Session:
        """The session in ``folder``, a new one where there is none; the board has to stay the same."""
        path = folder / NAME
        if not path.exists():
            if board_text is None:
                raise CalibrationError(f"{folder} holds no session yet: give --board", exit_code=os.EX_USAGE)
            write_text(path, yaml.safe_dump({"board": board_text}), make_folder=True)
            return cls(folder, board_text)
        section = read_section(path, "session", CalibrationError)
        known = section.text("board")
        section.finish()
        if board_text not in (None, known):
            raise CalibrationError(
                f"the session in {folder} is of {known}, not of {board_text}: take another --session",
                exit_code=os.EX_USAGE,
            )
        return cls(folder, known)

    def names(self) -> list[str]:
        """Of all pairs that are whole: a crash between the two files leaves one that does not count."""
        left, right = ({path.stem for path in (self.folder / side).glob("*.png")} for side in SIDES)
        return sorted(left & right)

    def load(self, name: str) -> tuple[GreyImage, GreyImage]:
        left, right = (grey_file(self.folder / side / f"{name}.png") for side in SIDES)
        return left, right

    def save(self, left: GreyImage, right: GreyImage) -> str:
        """Keep a pair; it has reached the disk on return. Returns its name."""
        number = max((int(name) for name in self.names() if name.isdecimal()), default=0) + 1
        for side, image in zip(SIDES, (left, right), strict=True):
            data = cv2.imencode(".png", image)[1].tobytes()
            write_bytes(self.folder / side / f"{number:04}.png", data, make_folder=True)
        return f"{number:04}"

    def remove(self, name: str) -> None:
        for side in SIDES:
            (self.folder / side / f"{name}.png").unlink(missing_ok=True)

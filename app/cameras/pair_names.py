"""Naming conventions of stereo data sets: what marks the side of a file or folder, and the key without that mark."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

Key = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Convention:
    """A mark in a name: what the pattern's group ``side`` says of the left and of the right camera."""

    pattern: re.Pattern[str]
    left: str
    right: str

    def fits(self, stems: list[str]) -> bool:
        """Whether both sides are there, and not only because im0 and im1 begin a sequence of im0, im1, im2."""
        found = [self.split(stem) for stem in stems]
        if {part[0] for part in found if part} != {"left", "right"}:
            return False
        others = any(self.pattern.search(stem) for stem, part in zip(stems, found, strict=True) if part is None)
        return not others or self.right == "6" or any(part[1] for part in found if part)

    def split(self, stem: str) -> tuple[str, str] | None:
        """(side "left" or "right", the name without the mark), None where the name has no mark of this kind."""
        match = self.pattern.search(stem)
        said = next(filter(None, match.groups()), "").lower() if match else ""
        if match is None or said not in (self.left, self.right):
            return None
        return ("left" if said == self.left else "right"), stem[: match.start()] + stem[match.end() :]


_WORD = re.compile(
    r"(?<![A-Za-z])([Ll]eft|[Rr]ight|LEFT|RIGHT)(?![a-z])|(?<=[a-z])(Left|Right)(?![a-z])|^((?i:left|right))"
)
_LETTER = re.compile(r"(?<![A-Za-z0-9])([LlRr])(?![A-Za-z])|(?<=\d)([LlRr])$|(?<=[a-z])([LR])(?![A-Za-z])")
_CAMERA = re.compile(r"(?<![A-Za-z])(?i:camera|cam)[_-]?0?([0-9lr])(?![0-9A-Za-z])", re.IGNORECASE)
_INFRARED = re.compile(r"(?<![A-Za-z])(?i:infrared|infra|ir)[_-]?([12])(?!\d)")
_KARLSRUHE = re.compile(r"^I([12])(?=_)")
_WHOLE = re.compile(r"^(?i:im)([0-9])$")
_VIEW = re.compile(r"^(?i:view)([15])$")

CONVENTIONS = (
    Convention(_WORD, "left", "right"),
    Convention(_WHOLE, "0", "1"),
    Convention(_LETTER, "l", "r"),
    Convention(_CAMERA, "0", "1"),
    Convention(_CAMERA, "l", "r"),
    Convention(_CAMERA, "1", "2"),
    Convention(_CAMERA, "2", "3"),
    Convention(_INFRARED, "1", "2"),
    Convention(_KARLSRUHE, "1", "2"),
    Convention(_VIEW, "1", "5"),
    Convention(_WHOLE, "2", "6"),
)
"""In the order in which a folder is tried: words, Middlebury 2014, letters, cameras, RealSense, Karlsruhe, and
Middlebury 2006 and 2003."""

LAYOUTS = (
    ("left", "right"),
    ("l", "r"),
    ("image_2", "image_3"),
    ("image_02", "image_03"),
    ("image_0", "image_1"),
    ("image_00", "image_01"),
    ("colored_0", "colored_1"),
    ("cam0", "cam1"),
    ("cam_0", "cam_1"),
    ("camera0", "camera1"),
    ("camera_0", "camera_1"),
    ("cam1", "cam2"),
    ("infra1", "infra2"),
    ("ir1", "ir2"),
    ("i1", "i2"),
)
"""Names of the two cameras' folders, in lower case; colour before grey where KITTI has both."""

DATA = ("data", "image_raw", "images", "image")
"""Folders within a camera's folder that hold its images: EuRoC's and KITTI's data."""

INSIDE = ("mav0", "training")
"""Folders of a data set that hold those of the cameras."""


def natural_key(text: str) -> Key:
    """Sorts image2 before image10."""
    parts = re.split(r"(\d+)", text)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts if part)


def unmarked(stem: str) -> str:
    """The whole name without the marks of a side; what separated them from the rest goes as well."""
    for pattern in (_WORD, _LETTER, _CAMERA, _INFRARED, _KARLSRUHE, _WHOLE, _VIEW):
        stem = pattern.sub("", stem, count=1)
    return "_".join(part for part in re.split(r"[\W_]+", stem) if part)


def side_folders(folder: Path) -> tuple[Path, Path] | None:
    """The folders of the left and the right camera in a folder of a known layout, else None."""
    names = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    for left, right in (*LAYOUTS, *_worded(names)):
        if left in names and right in names:
            return names[left], names[right]
    inside = next((names[name] for name in INSIDE if name in names), None)
    return None if inside is None else side_folders(inside)


def _worded(names: dict[str, Path]) -> list[tuple[str, str]]:
    """Folders such as image_left and image_right, that differ in the word or letter alone."""
    sides: dict[str, dict[str, str]] = {}
    for name, path in names.items():
        for convention in CONVENTIONS[:3]:
            if (found := convention.split(path.name)) is not None:
                sides.setdefault(found[1].lower(), {})[found[0]] = name
    return [(found["left"], found["right"]) for found in sides.values() if len(found) == 2]

"""Trajectory files as others write them: units of stamps, repeated ones, bad lines, EuRoC's csv."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.odometry.read import Trajectory, read_trajectory

START_S = 1311868164.3
COUNT = 40
Change = Callable[[list[str]], list[str]]


def lines(unit: float = 1.0) -> list[str]:
    """A way along x with a turn about z, as TUM has it."""
    rows = []
    for n in range(COUNT):
        half = 0.01 * n
        stamp = f"{round((START_S + 0.1 * n) * 1e3) * unit / 1e3:.{3 if unit == 1 else 0}f}"
        rows.append(f"{stamp} {0.1 * n:.3f} 0 0 0 0 {np.sin(half):.9f} {np.cos(half):.9f}")
    return rows


def read(folder: Path, rows: list[str], name: str = "poses.txt", mark: str = "", ends: str = "\n") -> Trajectory:
    (folder / name).write_bytes((mark + ends.join(rows) + ends).encode())
    return read_trajectory(folder / name)


def times_of(trajectory: Trajectory) -> np.ndarray:
    assert trajectory.times_s is not None
    return trajectory.times_s


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    unit=st.sampled_from([1.0, 1e3, 1e6, 1e9]),
    mark=st.sampled_from(["", "\ufeff"]),
    ends=st.sampled_from(["\n", "\r\n"]),
    head=st.sampled_from([[], ["# timestamp tx ty tz qx qy qz qw"], ["timestamp,tx,ty,tz,qx,qy,qz,qw"]]),
    comma=st.booleans(),
)
def test_every_unit_and_container_gives_the_same_way(
    tmp_path: Path, unit: float, mark: str, ends: str, head: list[str], comma: bool
) -> None:
    rows = [line.replace(" ", ",") if comma else line for line in lines(unit)]
    found = read(tmp_path, [*head, *rows], mark=mark, ends=ends)
    np.testing.assert_allclose(times_of(found) - START_S, 0.1 * np.arange(COUNT), atol=1e-4)
    np.testing.assert_allclose(found.positions_m[:, 0], 0.1 * np.arange(COUNT))


@pytest.mark.parametrize(("unit", "start"), [(1e9, 5_000_000_000_000_000), (1e6, 5_000_000_000_000)])
def test_stamps_since_the_start_of_a_machine_are_told_by_their_steps(tmp_path: Path, unit: float, start: int) -> None:
    rows = [f"{start + round(n * 0.1 * unit)} {n} 0 0 0 0 0 1" for n in range(COUNT)]
    assert np.diff(times_of(read(tmp_path, rows))) == pytest.approx(np.full(COUNT - 1, 0.1))


BAD: dict[str, Change] = {
    "repeated": lambda rows: [*rows[:20], rows[19], *rows[20:]],
    "back in time": lambda rows: [*rows[:20], rows[5], *rows[20:]],
    "no numbers": lambda rows: [*rows[:20], "x y z", *rows[20:]],
    "cut short": lambda rows: [*rows, rows[-1][:20]],
    "not finite": lambda rows: [*rows[:20], "1311868166.25 nan 0 0 0 0 0 1", *rows[20:]],
    "no rotation": lambda rows: [*rows[:20], "1311868166.25 0 0 0 0 0 0 0", *rows[20:]],
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_line_is_left_out_and_many_are_refused(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, BAD[name](lines()))
    assert len(found.poses) == COUNT
    many = lines()
    for _ in range(8):
        many = BAD[name](many)
    with pytest.raises(EvaluationError, match=r"poses\.txt:\d+: .*more of 48 lines are bad"):
        read(tmp_path, many)


@pytest.mark.parametrize("columns", [8, 17])
def test_ground_truth_of_euroc_has_the_scalar_first(tmp_path: Path, columns: int) -> None:
    head = "#timestamp [ns], p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], q_RS_z []"
    rows = []
    for line in lines(1e9):
        stamp, x, y, z, qx, qy, qz, qw = line.split()
        rows.append(",".join([stamp, x, y, z, qw, qx, qy, qz, *["0"] * (columns - 8)]))
    for heading in ([head], [])[: 2 if columns == 17 else 1]:
        found = read(tmp_path, [*heading, *rows], "data.csv")
        assert found.poses[10].rotation_vector == pytest.approx([0, 0, 0.2], abs=1e-6)


def test_a_bad_line_of_a_kitti_file_is_refused_as_it_would_shift_the_others(tmp_path: Path) -> None:
    rows = [f"1 0 0 {n} 0 1 0 0 0 0 1 0" for n in range(COUNT)]
    assert len(read(tmp_path, rows).poses) == COUNT
    with pytest.raises(EvaluationError, match=r"poses\.txt:6"):
        read(tmp_path, [*rows[:5], "1 0 0", *rows[5:]])

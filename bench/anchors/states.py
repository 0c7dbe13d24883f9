"""Can the states be believed? Varied real pairs and simulated rigs, and what each matcher's matches make of them.

    python -m bench.anchors.states PAIRS MATCHES [--matchers two-view sift orb xfeat random]

PAIRS as ``roma-device evaluate pose`` takes it; each is taken as it is and in ``--variations`` ways of its own, and
simulated rigs join in. The matches are kept in the folder MATCHES, so that a second run judges the estimator within
seconds a matcher, and a run that ``--minutes`` ended goes on where it was. ``random`` stands for the networks of
``random_bundles``, by turns. Counts the poses that are ok and off by more than 10 degrees, and names them. ``--ways``
prints the AUC of each way of varying too, beside that of the same pairs as they are.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import cv2

from roma_device.app.evaluate.pose.evaluate import magsac_pose
from roma_device.app.evaluate.pose.report import Auc, pose_error_deg
from roma_device.app.evaluate.pose.variations import AS_THEY_ARE
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose

from .cases import RANDOM, SURE_DEG, Case, MatchedCase, cases, counted, match
from .matchers import ANCHORS

USUAL = ("two-view", "sift", "orb", "xfeat", RANDOM)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a case."""

    case: Case
    state: str
    error_deg: float
    wrong: str = ""  # what is to be told of a pose that is ok and should not be
    plain_is_right: bool = False


def judged(case: Case, path: Path, nothing_is_right: bool) -> Judged:
    """The pose of the matches in ``path``; raises nothing for matches that mean nothing."""
    kept = MatchedCase.load(path)
    found = estimate_relative_pose(kept.pairs, *kept.cameras)
    error_deg = pose_error_deg(found.b_from_a, kept.b_from_a)
    if found.state != "ok" or not (nothing_is_right or error_deg > SURE_DEG):
        return Judged(case, found.state, error_deg)
    plain_deg = pose_error_deg(magsac_pose(kept.pairs, *kept.cameras), kept.b_from_a)
    wrong = (
        f"  {case.name}: {error_deg:.1f} deg, direction known to {found.direction_sigma_deg or 0:.1f}, "
        f"{int(found.inliers.sum())} of {len(kept.pairs)} matches agree; plain MAGSAC {plain_deg:.1f}"
    )
    return Judged(case, found.state, error_deg, wrong, plain_deg <= SURE_DEG)


def report(name: str, found: list[Judged], count: int) -> str:
    """States, and what is wrong, of ``count`` cases of which ``found`` are there."""
    wrong = [one for one in found if one.wrong]
    right = sum(one.plain_is_right for one in wrong)
    lines = [f"{name}: {len(found)} of {count} pairs, {counted(one.state for one in found)}"]
    lines += [f"  ok and off by more than {SURE_DEG:g} deg: {len(wrong)}, of which plain MAGSAC has {right} right"]
    return "\n".join([*lines, *(one.wrong for one in wrong)])


def ways(found: list[Judged]) -> str:
    """A line for each way of varying: AUC@5/10/20, and AUC@10 over that of the same pairs as they are."""
    plain = {one.case.of: one.error_deg for one in found if one.case.way == AS_THEY_ARE.name}
    lines = [f"  {AS_THEY_ARE.name}: {len(plain)} pairs, AUC {Auc.of(list(plain.values())).as_text()}"]
    for way in dict.fromkeys(
        one.case.way for one in found if one.case.of in plain and one.case.way != AS_THEY_ARE.name
    ):
        chosen = [one for one in found if one.case.way == way and one.case.of in plain]
        auc = Auc.of([one.error_deg for one in chosen])
        share = auc.auc10 / max(Auc.of([plain[one.case.of] for one in chosen]).auc10, 1e-9)
        states = counted(one.state for one in chosen)
        lines.append(f"  {way}: {len(chosen)} pairs, AUC {auc.as_text()}, {share:.2f} of theirs as they are; {states}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("matches", type=Path, help="folder of matches, filled with what it lacks")
    parser.add_argument("--matchers", nargs="+", default=USUAL, help=" ".join((*USUAL, *ANCHORS)))
    parser.add_argument("--variations", type=int, default=5, help="of each pair (5)")
    parser.add_argument("--every", type=int, default=1, help="take every so many of the cases (1: all)")
    parser.add_argument("--rigs", type=int, default=16, help="simulated, of each scene (16)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="look for matches no longer than this")
    parser.add_argument("--ways", action="store_true", help="print the AUC of each way of varying")
    arguments = parser.parse_args()
    until = time.monotonic() + 60 * arguments.minutes
    chosen = cases(arguments.pairs, arguments.variations, arguments.rigs)[:: arguments.every]
    cv2.setNumThreads(1)
    for name in arguments.matchers:
        if name in (*ANCHORS, RANDOM):
            import torch

            torch.set_num_threads(1)
        match(name, chosen, arguments.matches, until)
        there = [(case, arguments.matches / name / f"{case.name}.npz") for case in chosen]
        found = [judged(case, path, name == RANDOM) for case, path in there if path.exists()]
        print(report(name, found, len(chosen)), flush=True)
        if arguments.ways and found:
            print(ways(found), flush=True)


if __name__ == "__main__":
    main()

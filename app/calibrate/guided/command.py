"""``roma-device calibrate --camera``: guided capture, then the solution."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import click
from loguru import logger

from roma_device.app.calibrate.finish import Calibrated, FinishChoice, finish
from roma_device.app.calibrate.observations import Observations
from roma_device.app.cameras import CameraError, open_camera
from roma_device.app.run.loop import stop_on_signals
from roma_device.calibration.arrays import GreyImage, Size
from roma_device.calibration.boards import parse_board
from roma_device.calibration.boards.board import Board
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.guided.detection_gate import see_pair
from roma_device.calibration.guided.guide import CaptureGuide, Judgement
from roma_device.calibration.solver.observations import PairView
from roma_device.calibration.solver.solution import LEAST_VIEWS
from roma_device.calibration.store import default_folder
from roma_device.runtime.grey import grey
from roma_device.runtime.types import StereoFrame

from .live_page import LivePage
from .screen import Keys, open_screen, state_of, terminal_keys
from .session import Session

GIVE_UP_FRAMES = 3000
"""Frames without a single view of the board after which the capture ends with a sentence."""


@dataclass(frozen=True, slots=True)
class CaptureChoice:
    """How pairs are taken."""

    camera: str
    board_text: str | None
    swap: bool
    session: Path | None
    pairs: int
    page: int | None
    max_skew_ms: float


def calibrate_camera(choice: CaptureChoice, finish_choice: FinishChoice) -> Calibrated | None:
    """Take pairs until there are enough, then solve; None where it was interrupted before.

    Whatever ends it early, the pairs taken are in the session's folder and are gone on with.
    """
    finish_choice.check()
    if choice.board_text is not None:
        parse_board(choice.board_text)
    session = Session.open(choice.session or _new_folder(), choice.board_text)
    board = parse_board(session.board_text)
    capture = Capture(choice, session, board)
    is_complete = capture.run()
    kept = f"{len(session.names())} pairs are kept; go on with --session {session.folder}"
    if not is_complete:
        click.echo(f"stopped: {kept}", err=True)
        return None
    guide = capture.guide
    if guide is None:
        raise CameraError("the camera gave no frame")
    seen, example = Observations(guide.size, list(guide.views)), session.load(guide.views[0].name)
    return finish(seen, board, replace(finish_choice, kept=kept), example)


def _new_folder() -> Path:
    return default_folder().parent / "captures" / datetime.now().strftime("%Y%m%d-%H%M%S")


class Capture:
    """One run of a guided capture."""

    def __init__(self, choice: CaptureChoice, session: Session, board: Board) -> None:
        self._choice, self._session, self._board = choice, session, board
        self.guide: CaptureGuide | None = None

    def run(self) -> bool:
        """True where the pairs are enough to be solved, False where it was interrupted."""
        with ExitStack() as stack:
            try:  # a signal ends this at once: there is nothing to lose yet
                self._take_up()
                if self.guide is not None and self.guide.is_complete:
                    return True
                camera = stack.enter_context(open_camera(self._choice.camera))
            except (KeyboardInterrupt, SystemExit):
                return False
            stop = stack.enter_context(stop_on_signals())
            screen = stack.enter_context(open_screen())
            page = stack.enter_context(LivePage(self._choice.page))
            keys = stack.enter_context(terminal_keys())
            misses = 0
            for frame, left, right in self._frames(camera.frames(), stop):
                guide = self._guide_for(Size.of(left))
                judgement = guide.judge("", left, right, frame.skew_ns)
                if judgement.accepted:
                    self._keep(guide, judgement, left, right)
                misses = misses + 1 if judgement.view is None else 0
                if misses > GIVE_UP_FRAMES:
                    raise CalibrationError(f"no board in sight for {misses} frames: {judgement.reason}")
                state = state_of(guide, str(self._session.folder), judgement)
                screen.show(state)
                page.show(state, left, right)
                if self._handle(keys, guide) or guide.is_complete:
                    return True
            return self._is_enough(stop)

    def _is_enough(self, stop: threading.Event) -> bool:
        """Where the camera has come to its end."""
        count = 0 if self.guide is None else len(self.guide.views)
        if stop.is_set():
            return False
        if count < LEAST_VIEWS:
            raise CalibrationError(
                f"the camera ended after {count} usable pairs, at least {LEAST_VIEWS} are needed; "
                f"they are kept in {self._session.folder}",
                exit_code=os.EX_DATAERR,
            )
        return True

    def _frames(
        self, frames: Iterator[StereoFrame], stop: threading.Event
    ) -> Iterator[tuple[StereoFrame, GreyImage, GreyImage]]:
        for frame in frames:
            if stop.is_set():
                return
            left, right = grey(frame.left.image), grey(frame.right.image)
            if left.shape != right.shape:
                raise CameraError(f"left and right differ in size: {left.shape[::-1]}, {right.shape[::-1]}")
            yield (frame, right, left) if self._choice.swap else (frame, left, right)

    def _guide_for(self, size: Size) -> CaptureGuide:
        if self.guide is None:
            self.guide = CaptureGuide(self._board, size, self._choice.pairs, self._choice.max_skew_ms * 1e6)
        if self.guide.size != size:
            raise CalibrationError(
                f"the pairs kept in {self._session.folder} have {self.guide.size[0]}x{self.guide.size[1]} px, the "
                f"camera gives {size[0]}x{size[1]}: take another --session"
            )
        return self.guide

    def _take_up(self) -> None:
        """Count the pairs that are there from before."""
        for name in self._session.names():
            left, right = self._session.load(name)
            view = see_pair(self._board, name, left, right)
            if isinstance(view, PairView):
                self._guide_for(Size.of(left)).add(view)
        if self.guide is not None:
            logger.info("going on with {} pairs in {}", len(self.guide.views), self._session.folder)

    def _keep(self, guide: CaptureGuide, judgement: Judgement, left: GreyImage, right: GreyImage) -> None:
        if judgement.view is not None:
            name = self._session.save(left, right)
            guide.add(PairView(name, judgement.view.left, judgement.view.right))

    def _handle(self, keys: Keys, guide: CaptureGuide) -> bool:
        """Act on a key; True where the capture shall end."""
        key = keys.pressed()
        if key == "u" and guide.views:
            self._session.remove(guide.views[-1].name)
            guide.undo()
        return key == "q" and len(guide.views) >= LEAST_VIEWS

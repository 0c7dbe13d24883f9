"""Targets for Prometheus, as its file_sd_configs reads them."""

from __future__ import annotations

from typing import Any

from .boards import Board, Fleet


def file_sd(fleet: Fleet) -> list[dict[str, Any]]:
    """One entry for each board that can be scraped; those behind ssh cannot."""
    return [_target(board) for board in fleet.boards if board.scheme != "ssh"]


def _target(board: Board) -> dict[str, Any]:
    host = f"[{board.host}]" if ":" in board.host else board.host
    return {"targets": [f"{host}:{board.port}"], "labels": {"board": board.name, "__scheme__": board.scheme}}


def left_out(fleet: Fleet) -> list[str]:
    return [board.name for board in fleet.boards if board.scheme == "ssh"]

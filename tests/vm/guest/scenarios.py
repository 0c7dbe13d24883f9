"""Faults, one after the other, in a booted board: what each did is one line of /share/results.jsonl."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable

sys.path.insert(0, "/opt/vm")

from attacks import alias_bomb, restart_keeps_results, sink_trouble, stream_ends, thousand_clients
from board import OPTIONS, SHARE, UNIT, Measured, health, say, sh, wait_for
from camera_faults import (
    camera_in_use,
    damaged_buffer,
    disconnect,
    drops_half_of_a_camera,
    fatal_streaming_error,
    unplugged_for_4_s,
    unplugged_for_40_s,
)
from endurance import cameras_started_and_stopped, service_started_and_stopped, steady
from first_start import start_to_ready, writes_nowhere_else
from machine_faults import clock_steps, disk_full
from process_faults import killed_process, npu_hangs, reload_settings, stopped_process, wrong_settings
from rights import rights_of_ax, rights_of_axcl, rights_of_host
from rollout import model_goes_back
from vivid import load_cameras

SCENARIOS = [
    start_to_ready,
    writes_nowhere_else,
    drops_half_of_a_camera,
    damaged_buffer,
    fatal_streaming_error,
    disconnect,
    unplugged_for_4_s,
    killed_process,
    stopped_process,
    wrong_settings,
    clock_steps,
    npu_hangs,
    rights_of_ax,
    rights_of_axcl,
    rights_of_host,
    disk_full,
    sink_trouble,
    restart_keeps_results,
    alias_bomb,
    thousand_clients,
    stream_ends,
    model_goes_back,
    unplugged_for_40_s,
    reload_settings,
    cameras_started_and_stopped,
    steady,
    camera_in_use,
    service_started_and_stopped,
]


def run(scenario: Callable[[], Measured]) -> None:
    name, begun = scenario.__name__, time.monotonic()
    say(f"--- {name}")
    try:
        if scenario is not start_to_ready:
            wait_for("a service that is well", lambda: (health() or {}).get("healthy"))
        result = {"passed": True, **scenario()}
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        say(
            sh(
                f"systemctl status {UNIT} --no-pager; journalctl -u {UNIT} -o short-monotonic --no-pager -n 40",
                check=False,
            )
        )
        result = {"passed": False, "note": f"{type(error).__name__}: {error}"[:300]}
    result = {"scenario": name, **result, "took_s": round(time.monotonic() - begun, 1)}
    say(json.dumps(result))
    with (SHARE / "results.jsonl").open("a") as file:
        file.write(json.dumps(result) + "\n")


def main() -> None:
    load_cameras()
    chosen = OPTIONS.get("only")
    for scenario in SCENARIOS:
        if not chosen or scenario.__name__ in chosen or scenario is start_to_ready:
            run(scenario)


main()

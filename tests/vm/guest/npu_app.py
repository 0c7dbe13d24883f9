"""The program on a board whose NPU is a stand-in: it hangs while /run/roma-device/hang exists."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, "/opt/vm")

from roma_device.app.cli import main
from roma_device.app.model_store import find_model
from tests.standin.control import HANG, Standin
from tests.standin.network import NetworkRunner

SIGN = Path("/run/roma-device/hang")
SIZE = (64, 64)

standin = Standin(Path("/opt/vm/standin", os.environ.get("ROMA_VM_LIBRARY", "libax_sys.so")))
runner = NetworkRunner(find_model("stereo").first_alone(), SIZE)
standin.set_runner(runner.callback)


def obey() -> None:
    while not SIGN.exists():
        time.sleep(0.1)
    SIGN.unlink()
    standin.fault("AX_ENGINE_RunSyncV2", HANG, sticky=True)


threading.Thread(target=obey, daemon=True).start()
main()

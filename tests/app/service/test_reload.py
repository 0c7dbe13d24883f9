"""Settings that change while the program runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from roma_device.app.service.notify import Notifier
from roma_device.app.service.reload import Reloader, changed_keys, reload_on_hangup
from roma_device.app.settings.settings import Settings, SettingsError, load_settings


def test_marked_keys_are_told_from_those_that_need_a_restart() -> None:
    new = Settings().overridden(**{"depth.min_m": 0.5, "max_fps": 5.0, "input_width": 320, "npu.affinity": 1})
    assert dict(changed_keys(Settings(), new)) == {
        "depth.min_m": True,
        "max_fps": True,
        "input_width": False,
        "npu.affinity": False,
    }


def test_hangup_reloads_between_two_frames_and_nonsense_changes_nothing(tmp_path: Path) -> None:
    file, applied = tmp_path / "settings.yaml", []
    file.write_text("max_fps: 5.0\n")
    reloader = Reloader(Settings(), lambda: load_settings(file), applied.append, Notifier({}))
    reloader.reload_if_asked()
    assert applied == []
    with reload_on_hangup(reloader):
        os.kill(os.getpid(), signal.SIGHUP)
        reloader.reload_if_asked()
        assert [settings.max_fps for settings in applied] == [5.0]
        file.write_text("max_fps: -1\n")
        os.kill(os.getpid(), signal.SIGHUP)
        reloader.reload_if_asked()
    assert len(applied) == 1 and reloader.current.max_fps == 5.0
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


def test_a_file_that_is_gone_changes_nothing() -> None:
    def gone() -> Settings:
        raise SettingsError("settings.yaml: cannot read the settings")

    applied: list[Settings] = []
    reloader = Reloader(Settings(), gone, applied.append, Notifier({}))
    reloader.ask()
    reloader.reload_if_asked()
    assert applied == []

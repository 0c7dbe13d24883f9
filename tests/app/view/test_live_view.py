"""The live page: nothing is drawn while nobody looks, pictures and figures for who does, and nobody else."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from roma_device.app.settings.settings import PageSettings, Settings, SettingsError
from roma_device.app.view.access import guarded
from roma_device.app.view.drawing import Look, draw
from roma_device.app.view.live_view import LiveView
from roma_device.app.web.request import Answer, Request
from roma_device.calibration.arrays import Size
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.rectified_images import RectifiedImages
from roma_device.runtime.types import DepthMap, Frame, Matches, Result, StageTimes, StereoFrame


def result(index: int = 0) -> Result:
    image = np.full((40, 60, 3), 90, np.uint8)
    disparity_px = np.full((40, 60), 4, np.float32)
    certainty = np.full((40, 60), 0.8, np.float32)
    valid = np.ones((40, 60), bool)
    valid[:10] = False
    depth = DepthMap(np.where(valid, np.float32(2), np.float32(np.nan)), certainty, 0)
    frames = StereoFrame(Frame(image, index, index), Frame(image, index, index))
    rig = RectifiedRig(Size(60, 40), 80.0, 0.1, 29.5, 19.5)
    images, times = RectifiedImages(image, image), StageTimes({"engine": 5.0})
    return Result(frames, index, Matches(certainty, disparity_px), valid, rig, depth, images, times)


@pytest.fixture
def view() -> Iterator[LiveView]:
    with LiveView(PageSettings(listen="127.0.0.1:0"), lambda: {"frames": 3, "model": "stereo"}) as page:
        yield page


def ask(view: LiveView, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", view.web.port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def test_the_page_is_one_file_without_others(view: LiveView) -> None:
    status, html = ask(view, "/")
    assert status == 200 and html.startswith(b"<!doctype html>")
    assert b"http://" not in html and b"https://" not in html and b'src="//' not in html


def test_nothing_is_drawn_before_somebody_asks_and_once_for_all_who_do(view: LiveView) -> None:
    for index in range(20):
        view.observe(result(index))
    assert view.pages.encoder.encoded == 0
    pictures = {ask(view, "/frame.jpg")[1] for _ in range(3)}
    assert len(pictures) == 1 and view.pages.encoder.encoded == 1


def test_opencv_can_read_the_stream(view: LiveView) -> None:
    view.observe(result())
    connection = http.client.HTTPConnection("127.0.0.1", view.web.port, timeout=10)
    connection.request("GET", "/stream.mjpg")
    answer = connection.getresponse()
    assert answer.getheader("Content-Type") == "multipart/x-mixed-replace; boundary=roma-frame"
    assert answer.readline() == b"--roma-frame\r\n"
    assert answer.readline() == b"Content-Type: image/jpeg\r\n"
    length = int(answer.readline().split(b":")[1])
    assert answer.readline() == b"\r\n"
    picture = cv2.imdecode(np.frombuffer(answer.read(length), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (40, 180, 3)
    connection.close()


def test_events_tell_the_figures(view: LiveView) -> None:
    view.observe(result(7))
    connection = http.client.HTTPConnection("127.0.0.1", view.web.port, timeout=10)
    connection.request("GET", "/events")
    line = connection.getresponse().readline()
    connection.close()
    told = json.loads(line.removeprefix(b"data: "))
    assert told["frames"] == 3 and told["frame"]["index"] == 7 and told["frame"]["metric"]


def test_a_pixel_is_told_in_metres_and_an_unknown_one_is_unknown(view: LiveView) -> None:
    assert ask(view, "/pixel.json?x=3&y=20")[0] == 503
    view.observe(result())
    assert json.loads(ask(view, "/pixel.json?x=3&y=20")[1])["depth_m"] == 2
    assert json.loads(ask(view, "/pixel.json?x=3&y=2")[1])["depth_m"] is None
    for query in ("", "?x=60&y=0", "?x=-1&y=0", "?x=a&y=0"):
        assert ask(view, f"/pixel.json{query}")[0] == 400


def test_snapshots_are_files(view: LiveView) -> None:
    view.observe(result())
    assert ask(view, "/snapshot.png")[1].startswith(b"\x89PNG")
    assert ask(view, "/snapshot.ply")[1].startswith(b"ply\n")


def test_foreign_hosts_and_origins_are_refused(view: LiveView) -> None:
    view.observe(result())
    own = f"127.0.0.1:{view.web.port}"
    assert ask(view, "/frame.jpg", Host="evil.example")[0] == 403
    assert ask(view, "/frame.jpg", Origin="https://evil.example")[0] == 403
    assert ask(view, "/frame.jpg", Host=own, Origin=f"http://{own}")[0] == 200


def test_elsewhere_only_the_token_opens_and_a_cookie_keeps_it_open() -> None:
    route = guarded(lambda request: Answer(b"in"), "secret")

    def status(query: str = "", **headers: str) -> int:
        return route(Request("GET", "/", query, headers)).status

    assert status() == status("token=wrong") == status(cookie="roma_view=wrong") == 403
    opened = route(Request("GET", "/", "token=secret", {}))
    assert opened.body == b"in" and opened.headers[0].startswith("Set-Cookie: roma_view=secret; HttpOnly")
    assert status(cookie="a=b; roma_view=secret") == 200


def test_an_address_for_others_needs_a_word_of_its_own() -> None:
    with pytest.raises(SettingsError, match=r"page: listen 0\.0\.0\.0:1 could be reached by other machines"):
        Settings().overridden(**{"page.listen": "0.0.0.0:1"})
    with pytest.raises(SettingsError, match="is no address such as"):
        Settings().overridden(**{"page.listen": "here"})


def test_a_look_changes_the_picture_alone_and_nonsense_is_ignored() -> None:
    one = result()
    assert draw(one, Look(is_column=True)).shape == (120, 60, 3)
    nothing = draw(one, Look(min_confidence=0.9))[:, 60:120]
    assert (nothing == nothing[0, 0]).all() and one.known.any()
    assert Look.parse("near=nan&far=-1&confidence=x") == Look()
    assert Look.parse("near=1&far=4&confidence=0.5&layout=column") == Look(1, 4, 0.5, True)

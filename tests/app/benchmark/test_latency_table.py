import json
import random

import pytest

from roma_device.app.benchmark.latency_table import Latency, LatencyTable


def test_quantiles_are_elements_by_the_index_rule():
    times = [float(n) for n in range(200)]
    random.Random(1).shuffle(times)
    latency = Latency.of(times)
    assert (latency.min_ms, latency.max_ms, latency.avg_ms) == (0, 199, 99.5)
    assert (latency.median_ms, latency.p5_ms, latency.p90_ms) == (100, 10, 180)
    assert (latency.p95_ms, latency.p99_ms) == (190, 198)


def test_indices_are_rounded_down():
    latency = Latency.of([1.0, 2.0, 4.0])  # 3 * 5 // 100 = 0, 3 * 90 // 100 = 2
    assert (latency.median_ms, latency.p5_ms, latency.p90_ms, latency.p99_ms) == (2, 1, 4, 4)


def test_one_time_is_every_figure():
    assert Latency.of([3.5]) == Latency(1, *[3.5] * 8)


def test_no_times():
    with pytest.raises(ValueError, match="no time"):
        Latency.of([])


def test_three_figures_below_a_hundred_runs():
    assert Latency.of([0.719, 0.726, 0.718]).as_text() == (
        "  ------------------------------------------------------\n"
        "  min =   0.718 ms   max =   0.726 ms   avg =   0.721 ms\n"
        "  ------------------------------------------------------"
    )
    assert "median" not in Latency.of([1.0] * 99).as_text()


def test_eight_figures_from_a_hundred_runs_on():
    assert Latency.of([n / 4 for n in range(100)]).as_text() == (
        "  ---------------------------------------------------------------------------\n"
        "  min =   0.000 ms   max =  24.750 ms   avg =  12.375 ms  median =  12.500 ms\n"
        "   5% =   1.250 ms   90% =  22.500 ms   95% =  23.750 ms     99% =  24.750 ms\n"
        "  ---------------------------------------------------------------------------"
    )


def test_header_and_a_block_per_stage():
    table = LatencyTable.of(
        "Run stereo",
        {"model": "stereo.onnx", "pulsar2 ver": "none", "repeat": "2"},
        {"prepare": [1.0, 2.0], "infer": [10.0, 10.0]},
    )
    assert table.as_text() == (
        "  Run stereo:\n"
        "        model: stereo.onnx\n"
        "  pulsar2 ver: none\n"
        "       repeat: 2\n"
        "  prepare:\n"
        "  ------------------------------------------------------\n"
        "  min =   1.000 ms   max =   2.000 ms   avg =   1.500 ms\n"
        "  ------------------------------------------------------\n"
        "  infer:\n"
        "  ------------------------------------------------------\n"
        "  min =  10.000 ms   max =  10.000 ms   avg =  10.000 ms\n"
        "  ------------------------------------------------------"
    )


def test_json_has_all_figures_whatever_the_number_of_runs():
    table = LatencyTable.of("Run", {"model": "m"}, {"infer": [1.00049, 3.0]})
    assert json.loads(json.dumps(table.as_json())) == {
        "title": "Run",
        "header": {"model": "m"},
        "stages": {
            "infer": {
                "repeat": 2,
                "min_ms": 1.0,
                "max_ms": 3.0,
                "avg_ms": 2.0,
                "median_ms": 3.0,
                "p5_ms": 1.0,
                "p90_ms": 3.0,
                "p95_ms": 3.0,
                "p99_ms": 3.0,
            }
        },
    }

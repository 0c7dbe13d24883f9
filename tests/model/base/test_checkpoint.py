from __future__ import annotations

import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model.base.checkpoint import grown, load_weights, read_checkpoint  # noqa: E402
from model.base.cli import run_tool  # noqa: E402
from model.base.layers import Residual, conv  # noqa: E402
from roma_device.runtime.card import ModelError  # noqa: E402


def saved(path: Path, **more: object) -> Path:
    torch.save({"step": 1, "variant": "stereo", "network": torch.nn.Linear(2, 3).state_dict()} | more, path)
    return path


def test_part_of_a_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "cut.pt")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"cut\.pt: not a checkpoint, or only a part"):
        read_checkpoint(path)


def test_a_missing_file_is_no_input(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file") as caught:
        read_checkpoint(tmp_path / "none.pt")
    assert caught.value.exit_code == os.EX_NOINPUT


def test_something_else_in_torchs_format_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="lacks step, variant or network"):
        read_checkpoint(tmp_path / "other.pt")


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (torch.nn.Linear(2, 4), r"weight has shape \(3, 2\), the network needs \(4, 2\)"),
        (torch.nn.BatchNorm1d(3), "running_mean is missing|weight has shape"),
        (torch.nn.Linear(2, 3, bias=False), "bias is not in the network"),
    ],
)
def test_weights_of_another_network_are_named(network: torch.nn.Module, message: str, tmp_path: Path) -> None:
    state = read_checkpoint(saved(tmp_path / "linear.pt"))
    with pytest.raises(ModelError, match=message):
        load_weights(network, state["network"], tmp_path / "linear.pt")


def test_a_grown_network_computes_what_the_small_one_did(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = torch.nn.Sequential(conv(3, 8, 1)).eval()
    large = torch.nn.Sequential(conv(5, 8, 1), Residual(8)).eval()
    load_weights(large, grown(large, small.state_dict()), tmp_path / "small.pt")
    image = torch.randn(2, 5, 9, 7)
    torch.testing.assert_close(large(image), small(image[:, :3]))
    large[1].body[2].weight.data.fill_(1)  # the new block would count if it could
    assert not torch.allclose(large(image), small(image[:, :3]))


def test_another_network_is_refused_even_where_it_may_grow(tmp_path: Path) -> None:
    other = torch.nn.Sequential(conv(5, 4, 1))
    with pytest.raises(ModelError, match=r"0\.0\.weight has shape \(6, 5, 1, 1\)"):
        load_weights(other, grown(other, torch.nn.Sequential(conv(3, 6, 1)).state_dict()), tmp_path / "other.pt")


def test_more_outputs_of_another_kernel_are_refused(tmp_path: Path) -> None:
    large = torch.nn.Conv2d(3, 8, 3)
    with pytest.raises(ModelError, match=r"weight has shape \(6, 3, 1, 1\)"):
        load_weights(large, grown(large, torch.nn.Conv2d(3, 6, 1).state_dict()), tmp_path / "other.pt")


def test_outputs_that_a_convolution_gains_start_small(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small, large = torch.nn.Conv2d(3, 4, 1), torch.nn.Conv2d(5, 9, 1)
    fresh = large.weight.detach().clone()
    load_weights(large, grown(large, small.state_dict()), tmp_path / "small.pt")
    torch.testing.assert_close(large.weight[:4, :3], small.weight)
    torch.testing.assert_close(large.weight[4:], 0.2 * fresh[4:])


def test_tools_end_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise ModelError("the file is odd")

    with pytest.raises(SystemExit) as caught:
        run_tool(main)
    assert caught.value.code == os.EX_DATAERR
    assert capsys.readouterr().err.endswith(": the file is odd\n")


def test_tools_end_with_a_sentence_where_the_system_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_tool(lambda: print((tmp_path / "none").read_text()))
    assert caught.value.code == os.EX_NOINPUT
    assert capsys.readouterr().err.endswith(f"{tmp_path}/none: No such file or directory\n")

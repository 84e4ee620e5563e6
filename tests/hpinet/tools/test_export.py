"""HPINet as an ONNX file: the same numbers, or a refusal."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch
from conftest import missing

from hpinet import HPINet, HPINetConfig, OwnPatches
from hpinet.cli.main import main
from hpinet.networks.bicubic import Bicubic
from hpinet.networks.files import save_checkpoint
from hpinet.tools import export_onnx
from hpinet.tools.export_onnx import WithMatches

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)


def network(config: HPINetConfig = TINY) -> HPINet:
    torch.manual_seed(0)
    return HPINet(config).eval().requires_grad_(False)


def test_what_cannot_be_exported_is_refused(tmp_path, monkeypatch):
    place = tmp_path / "net.onnx"
    for other in (Bicubic(2), OwnPatches(network())):
        with pytest.raises(ValueError, match=type(other).__name__):
            export_onnx.export_onnx(other, (16, 16), place)
    with pytest.raises(ValueError, match="0x16"):
        export_onnx.export_onnx(network(), (0, 16), place)
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # as if it were not installed
    with pytest.raises(ValueError, match="pip install onnx"):
        export_onnx.export_onnx(network(), (16, 16), place)
    assert not list(tmp_path.iterdir())


def onnxruntime():
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        missing("onnx, onnxruntime and onnxscript are not all installed")
    return onnxruntime


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, (30, 26)),
        ({"gpa": False}, (8, 8)),
        ({"overlap": 0, "conv": False}, (5, 30)),
        ({"ipsa": "depthwise", "scale": 4}, (3, 2)),
    ],
)
def test_onnxruntime_gives_the_network_s_numbers(tmp_path, changes, size):
    runtime = onnxruntime()
    model = network(replace(TINY, **changes))
    place, weights = str(tmp_path / "net.onnx"), tmp_path / "tiny.safetensors"
    save_checkpoint(model, weights)
    assert (
        main(["export", "--model", str(weights), "--size", f"{size[0]}x{size[1]}", "-o", place])
        == 0
    )
    session = runtime.InferenceSession(place)
    assert [one.name for one in session.get_inputs()] == ["lr"]
    assert [one.name for one in session.get_outputs()] == ["sr"]
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(7))
    sr = torch.from_numpy(session.run(None, {"lr": x.numpy()})[0])
    assert torch.allclose(sr, model(x), atol=1e-4)


class Off(WithMatches):
    def forward(self, x):
        sr, *matches = super().forward(x)
        return (sr + 2e-4, *matches)


class Blind(WithMatches):  # chooses another match than the most similar
    def forward(self, x):
        sr, *matches = super().forward(x)
        return (sr, *(one * 0 for one in matches))


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [Off, Blind])
def test_a_file_that_is_off_is_not_written(tmp_path, monkeypatch, wrong):
    onnxruntime()
    monkeypatch.setattr(export_onnx, "WithMatches", wrong)
    with pytest.raises(ValueError, match="is off by"):
        export_onnx.export_onnx(network(), (20, 23), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())

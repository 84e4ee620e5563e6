"""The command line: results, and one sentence with exit code 1 for whatever goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hpinet import HPINet, HPINetConfig
from hpinet.cli.main import main
from hpinet.imaging import images
from hpinet.modeling.multi_adds import count_multi_adds
from hpinet.networks.files import save_checkpoint

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)


@pytest.fixture
def weights(tmp_path) -> str:
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(HPINet(TINY), path)
    return str(path)


@pytest.fixture
def picture(tmp_path) -> str:
    path = tmp_path / "small.png"
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


def failure(capsys, *argv: str) -> str:
    """Run a command that must fail, and return its one line on stderr."""
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hpinet: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_upscale_writes_a_image_with_alpha(weights, picture, tmp_path, capsys):
    out = tmp_path / "new" / "large.png"
    assert main(["upscale", picture, "-o", str(out), "--model", weights]) == 0
    assert "20x12 -> 40x24 pixels" in capsys.readouterr().out
    with Image.open(out) as image:
        assert (image.mode, image.size) == ("RGBA", (40, 24))


def test_upscale_says_what_was_converted(weights, tmp_path, capsys):
    grey = tmp_path / "grey.png"
    Image.new("L", (1, 1), 100).save(grey)
    out = tmp_path / "out.png"
    assert main(["upscale", str(grey), "-o", str(out), "--model", weights]) == 0
    assert "grey converted to RGB" in capsys.readouterr().out
    with Image.open(out) as image:
        assert image.size == (2, 2)


def test_no_gpa_changes_the_result(weights, picture, tmp_path):
    for name, extra in (("with.png", []), ("without.png", ["--no-gpa"])):
        assert (
            main(["upscale", picture, "-o", str(tmp_path / name), "--model", weights, *extra]) == 0
        )
    assert (tmp_path / "with.png").read_bytes() != (tmp_path / "without.png").read_bytes()


def test_evaluate_prints_one_json_object(weights, picture, tmp_path, capsys):
    folder = tmp_path / "data"
    folder.mkdir()
    Image.open(picture).convert("RGB").resize((44, 40)).save(folder / "a.png")
    assert main(["evaluate", "--model", weights, "--data", str(folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["model"], report["scale"], report["images"]) == ("tiny.safetensors", 2, 1)
    assert main(["evaluate", "--model", weights, "--data", str(folder)]) == 0
    assert f"{report['psnr']:.3f}" in capsys.readouterr().out


def test_failures_are_one_sentence(weights, picture, tmp_path, capsys):
    text = tmp_path / "text.png"
    text.write_text("not an image")
    cut = tmp_path / "cut.png"
    cut.write_bytes(Path(picture).read_bytes()[:200])
    empty = tmp_path / "empty"
    empty.mkdir()
    out = ["-o", str(tmp_path / "out.png"), "--model", weights]
    assert "text.png is not an image" in failure(capsys, "upscale", str(text), *out)
    assert "cut.png is damaged" in failure(capsys, "upscale", str(cut), *out)
    assert "does not exist" in failure(capsys, "upscale", "nothing.png", *out)
    assert "named .png" in failure(capsys, "upscale", picture, "-o", "out.jpg", "--model", weights)
    assert "no device 'abacus'" in failure(capsys, "upscale", picture, *out, "--device", "abacus")
    assert "x2" in failure(capsys, "upscale", picture, *out, "--scale", "4")
    assert not (tmp_path / "out.png").exists()
    data = ["--data", str(empty)]
    assert "no images" in failure(capsys, "evaluate", "--model", weights, *data)
    assert "text.png" in failure(capsys, "evaluate", "--model", str(text), *data)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device", "out.png"), "out.png: No space left on device."),
        (KeyboardInterrupt(), "stopped."),
        (images.PictureError("One\n  sentence."), "One sentence."),
    ],
)
def test_errors_on_the_way_out(weights, picture, tmp_path, capsys, monkeypatch, error, words):
    def fail(*_):
        raise error

    monkeypatch.setattr(images, "write_picture", fail)
    out = ["-o", str(tmp_path / "out.png"), "--model", weights]
    assert failure(capsys, "upscale", picture, *out) == f"hpinet: {words}\n"


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["upscale", "in.png"],
        ["evaluate", "--data", "x"],
        ["benchmark", "--size", "12"],
        ["upscale", "in.png", "-o", "out.png", "--scale", "5"],
    ],
)
def test_wrong_usage_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_behind_stdout():
    command = [sys.executable, "-m", "hpinet", "benchmark", "--model", "S", "--size", "8x8"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    assert result.returncode == 1
    assert result.stderr == "hpinet: No space left on device.\n"


# --- benchmark -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{}, {"gpa": False}, {"patch_sizes": (6,), "ipsa": "depthwise", "scale": 3}], ids=str
)
def test_multi_adds_are_half_of_pytorch_s_own_count(changes):
    # Queries as wide as values, since PyTorch counts what pads them, too.
    model = HPINet(replace(TINY, qk_dim=TINY.dim, **changes)).eval()
    x = torch.rand(2, 3, 19, 30, requires_grad=True)  # so that the decoder runs in one piece
    # The counter sees the matrix products of attention, not the fused kernel on CPUs.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(x)
    assert 2 * count_multi_adds(model, x.detach()) == counter.get_total_flops()


def test_multi_adds_of_one_convolution_by_hand():
    convolution = torch.nn.Conv2d(3, 5, 3, padding=1)
    assert count_multi_adds(convolution, torch.rand(2, 3, 4, 6)) == 2 * 4 * 6 * 5 * 3 * 9


def test_benchmark_of_one_network(weights, capsys):
    argv = ["benchmark", "--model", weights, "--size", "8x10", "--batch", "2"]
    assert main([*argv, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["params"] == sum(p.numel() for p in HPINet(TINY).parameters())
    assert (report["size"], report["batch"], report["scale"]) == ([8, 10], 2, 2)
    assert report["multi_adds"] == 2 * count_multi_adds(HPINet(TINY), torch.rand(1, 3, 8, 10))
    assert 0 < report["seconds_min"] <= report["seconds"] <= report["seconds_max"]
    assert report["peak_memory"] is None or report["peak_memory"] >= 0
    assert "0x8" in failure(capsys, *argv[:3], "--size", "0x8")
    assert "got 8x8 and 0" in failure(capsys, *argv[:3], "--size", "8x8", "--batch", "0")


@pytest.mark.slow
def test_benchmark_of_several_networks(weights, capsys):
    argv = ["benchmark", "--model", weights, "bicubic", "--size", "8x8"]
    assert main([*argv, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["size"], report["precision"]) == ([8, 8], "fp32")
    assert list(report["networks"]) == ["tiny.safetensors", "bicubic"]
    tiny, bicubic = report["networks"].values()
    assert tiny["scale"] == bicubic["scale"] == 2
    assert tiny["multi_adds_720p"] > bicubic["multi_adds_720p"] == 0
    assert main(argv) == 0
    assert f"{tiny['params']:,}" in capsys.readouterr().out


def test_upscale_in_half_precision(weights, picture, tmp_path):
    argv = ["upscale", picture, "--model", weights]
    files = [str(tmp_path / f"{name}.png") for name in ("plain", "half")]
    assert main([*argv, "-o", files[0]]) == 0
    assert main([*argv, "-o", files[1], "--precision", "bf16"]) == 0
    plain, half = (np.asarray(Image.open(file)).astype(int) for file in files)
    assert np.abs(plain - half).max() <= 8  # of 255


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--help"], "COMMAND"),
        (["upscale", "--help"], "--precision"),
        (["evaluate", "--help"], "--lpips"),
        (["benchmark", "--help"], "--precision"),
        (["upscale", "in.png"], "usage:"),
    ],
)
def test_help_and_wrong_usage_do_not_load_torch(words, shown):
    code = (
        "import sys, hpinet.cli.main as m\n"
        f"try: m.main({words!r})\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "False"

"""The command line: results, and one sentence with exit code 1 for whatever goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from hpinet import HPINet, HPINetConfig
from hpinet.benchmark import comparison, training_cost
from hpinet.benchmark.cost import benchmark, fitted_exponent
from hpinet.checkpoints.loading import save_checkpoint
from hpinet.cli.benchmark import AGAINST
from hpinet.cli.main import main
from hpinet.imaging import images
from hpinet.modeling.multi_adds import count_multi_adds

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
    "config",
    [
        TINY,
        HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), gpa=False),
        HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6,), ipsa="depthwise", scale=3),
    ],
)
def test_multi_adds_are_half_of_pytorch_s_own_count(config):
    model = HPINet(config).eval()
    # Attention on CPUs is matrix products, which PyTorch's counter sees.
    x = torch.rand(2, 3, 19, 30, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        model(x)
    assert 2 * count_multi_adds(model, x.detach()) == counter.get_total_flops()


def test_multi_adds_of_one_convolution_by_hand():
    convolution = torch.nn.Conv2d(3, 5, 3, padding=1)
    assert count_multi_adds(convolution, torch.rand(2, 3, 4, 6)) == 2 * 4 * 6 * 5 * 3 * 9


@pytest.mark.slow
def test_benchmark_report(capsys):
    argv = ["benchmark", "--model", "S", "--size", "24x30", "--batch", "2", "--json"]
    assert main(argv) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["params"] == 463131
    assert report["size"] == [24, 30]
    assert report["batch"] == 2
    assert 0 < report["seconds_min"] <= report["seconds"] <= report["seconds_max"]
    assert report["peak_memory"] is None or report["peak_memory"] >= 0
    assert report["peak_memory_is"]
    assert main(argv[:-1]) == 0
    assert "463,131" in capsys.readouterr().out


def test_benchmark_refuses_nothing(capsys):
    with pytest.raises(ValueError, match="1 or more"):
        benchmark(HPINet(TINY), size=(0, 4))
    assert "1 or more" in failure(capsys, "benchmark", "--batch", "0", "--size", "8x8")


def test_upscale_in_half_precision(weights, picture, tmp_path):
    argv = ["upscale", picture, "--model", weights]
    files = [str(tmp_path / f"{name}.png") for name in ("plain", "half")]
    assert main([*argv, "-o", files[0]]) == 0
    assert main([*argv, "-o", files[1], "--precision", "bf16"]) == 0
    plain, half = (np.asarray(Image.open(file)).astype(int) for file in files)
    assert np.abs(plain - half).max() <= 8  # of 255


def test_exponent_by_hand():
    assert fitted_exponent([1, 2, 4], [3, 6, 12]) == pytest.approx(1)
    assert fitted_exponent([10, 100], [1, 100]) == pytest.approx(2)
    with pytest.raises(ValueError, match="two or more sizes"):
        fitted_exponent([5, 5], [1, 2])


def test_benchmark_of_several_sizes(weights, capsys):
    argv = ["benchmark", "--model", weights, "--size", "8x8", "16x16", "--rounds", "1"]
    assert main([*argv, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [one["size"] for one in report["sizes"]] == [[8, 8], [16, 16]]
    seconds = [one["seconds"] for one in report["sizes"]]
    assert report["exponent"] == pytest.approx(fitted_exponent([64, 256], seconds))
    assert report["sizes"][0]["similarity_seconds"] > 0
    assert main(argv) == 0
    assert "seconds grow as pixels to the power" in capsys.readouterr().out
    message = failure(capsys, "benchmark", "--model", weights, "--size", "8x8", "16x4")
    assert "different areas" in message


def test_benchmark_against_others(weights, capsys, monkeypatch):
    # A network in a process of its own takes seconds to start: its memory is not measured here.
    monkeypatch.setattr(comparison, "in_new_process", lambda *_: (100, "made up"))
    monkeypatch.setitem(
        comparison.OTHERS,
        "rcan",
        {"n_resgroups": 1, "n_resblocks": 1, "n_feats": 8, "reduction": 4},
    )
    argv = ["benchmark", "--model", weights, "--size", "16x16", "--rounds", "1"]
    assert main([*argv, "--against", "rcan", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["networks"]) == ["hpinet", "hpinet_bf16", "rcan"]
    rcan = report["networks"]["rcan"]
    ratio = rcan["ratios"]["hpinet"]
    assert ratio["time"] == pytest.approx(report["networks"]["hpinet"]["seconds"] / rcan["seconds"])
    memory = [one["peak_memory"] for one in report["networks"].values()]
    assert all(peak is None or peak >= 0 for peak in memory) and report["peak_memory_is"]
    # As many multiply-adds as its convolutions have, apart from its two one-pixel layers.
    counted = count_multi_adds(comparison.other_architecture("rcan", 2), torch.rand(1, 3, 16, 16))
    assert rcan["multi_adds"] == pytest.approx(counted, rel=0.01)
    assert main([*argv, "--against", "rcan", "--precision", "fp32"]) == 0
    out = capsys.readouterr().out
    assert "hpinet against rcan: time x" in out
    assert "bf16" not in out


def test_benchmark_of_a_training_step(weights, capsys, monkeypatch):
    monkeypatch.setattr(training_cost, "in_new_process", lambda *_: (100, "made up"))
    argv = ["benchmark", "--model", weights, "--training", "--size", "8x8", "--rounds", "1"]
    assert main([*argv, "--batch", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["hpinet"]["time_ratio"] == 1 and report["hpinet_bf16"]["time_ratio"] > 0
    assert (report["size"], report["batch"]) == ([8, 8], 1)
    assert main([*argv, "--batch", "1"]) == 0
    assert "HPINet, bfloat16" in capsys.readouterr().out
    assert "at least 8 pixels" in failure(capsys, *argv[:-3], "4x4")
    argv = ["benchmark", "--model", weights, "--crop", "32", "--training", "--rounds", "1"]
    assert main([*argv, "--batch", "2", "--precision", "fp32", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["size"], report["batch"]) == ([16, 16], 2)
    assert "hpinet_bf16" not in report
    message = failure(capsys, *argv, "--size", "8x8")
    assert "--crop is the size of --training, and stands instead of --size" in message


def test_benchmark_without_spandrel_says_how_to_get_it(weights, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel.architectures.RCAN", None)
    message = failure(capsys, "benchmark", "--model", weights, "--against", "rcan")
    assert "pip install spandrel" in message


def test_the_names_to_compare_with_are_those_there_are():
    assert tuple(comparison.OTHERS) == AGAINST


def test_memory_of_a_network_alone():
    one = comparison.TimedNetwork("hpinet", lambda: HPINet(TINY), "cpu")
    memory, meaning = one.peak_memory(1, (64, 64))
    assert memory is None or memory >= 0
    assert meaning


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--help"], "COMMAND"),
        (["upscale", "--help"], "--precision"),
        (["evaluate", "--help"], "--lpips"),
        (["benchmark", "--help"], "--against"),
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

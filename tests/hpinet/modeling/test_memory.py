"""Memory budgets, chunks and precisions: less at once, the same numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from hpinet import HPINet, HPINetConfig, OwnPatches, get_config, load_model, upscale
from hpinet.data.pairs import find_pairs, load_pair
from hpinet.inference.precision import half_precision, has_bf16, match_agreement
from hpinet.metrics.psnr_ssim import psnr_y
from hpinet.modeling import memory as m
from hpinet.modeling.decoder import add_residual
from hpinet.modeling.memory import free_in_container, free_memory

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8, 12), scale=4)
CPU = torch.device("cpu")


def network(config: HPINetConfig = TINY) -> HPINet:
    torch.manual_seed(0)
    return HPINet(config).eval().requires_grad_(False)


def picture(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("text", "size"),
    [("64M", 2**26), ("1.5 GiB", 3 * 2**29), ("2GB", 2**31), ("10kb", 10240), ("7", 7), ("8 b", 8)],
)
def test_amounts_of_memory(text, size):
    assert m.parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-5G", "0", "2 GG", "1e9", "0.1", "G"])
def test_no_amounts_of_memory(text):
    with pytest.raises(ValueError, match="no amount of memory such as"):
        m.parse_bytes(text)


def test_amounts_are_said_as_people_say_them():
    assert m.format_bytes(3 * 2**29) == "1.5 GiB"
    assert m.format_bytes(200 * 2**20) == "200 MiB"
    assert m.parse_bytes(m.format_bytes(5 * 2**30)) == 5 * 2**30


CHUNKS = [
    m.Chunks(pixels=1, rows=1, similarity=1, decoder_rows=1),  # the least of all
    m.Chunks(pixels=500, rows=2, similarity=50, decoder_rows=3),
    m.Chunks(pixels=10**9, rows=3, similarity=10**9, decoder_rows=7),
    m.default_chunks(CPU),
    m.default_chunks(torch.device("cuda")),  # everything at once
]


@pytest.mark.parametrize("size", [(1, 1), (12, 12), (13, 40), (33, 25), (47, 64)])
@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_chunks_change_nothing(size, overlap, scale, monkeypatch):
    config = HPINetConfig(
        dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8, 12), overlap=overlap, scale=scale
    )
    model, x = network(config), picture(2, 3, *size)
    # Where a gradient is wanted everything is computed at once, by the older way.
    expected, matches = model.requires_grad_(True)(x, return_matches=True)
    model.requires_grad_(False)
    for chunks in CHUNKS:
        monkeypatch.setattr(
            "hpinet.modeling.hpinet.fitting_chunks", lambda *_, chunks=chunks: chunks
        )
        sr, used = model(x, return_matches=True, memory=1)
        torch.testing.assert_close(sr, expected.detach(), atol=1e-5, rtol=0)
        for ours, theirs in zip(used.blocks, matches.blocks, strict=True):
            assert ours.index.equal(theirs.index)


@pytest.mark.parametrize("variant", ["S-no-gpa", "M-no-ipsa", "M-no-conv"])
def test_chunks_change_nothing_in_ablated_networks(variant, monkeypatch):
    model, x = network(get_config(variant)), picture(1, 3, 30, 50)
    # Matches are given: near ties may fall the other way where sums are ordered differently.
    expected, matches = model(x, return_matches=True)
    monkeypatch.setattr("hpinet.modeling.hpinet.fitting_chunks", lambda *_: CHUNKS[0])
    torch.testing.assert_close(model(x, matches=matches, memory=1), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("band", [1, 2, 5, 16, 100])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bands_with_their_halo_are_the_whole_decoder(band, scale):
    model = network(get_config("S", scale))
    features, picture_ = picture(1, 40, 19, 24), torch.zeros(1, 3, 17 * scale, 20 * scale)
    whole = features
    for step, upsampler in zip(model.steps, model.upsamplers, strict=True):
        whole = F.leaky_relu(F.pixel_shuffle(upsampler(whole), step), 0.1)
    expected = model.last(whole)[..., : 17 * scale, : 20 * scale]
    add_residual(picture_, features, model.upsamplers, model.steps, model.last, band)
    torch.testing.assert_close(picture_, expected, atol=1e-5, rtol=0)


def test_a_smaller_budget_takes_smaller_chunks_and_the_least_is_named():
    def plan(budget: int) -> m.Chunks:
        return m.fitting_chunks(get_config("M"), 1, (360, 640), budget, CPU)

    assert plan(10**12) == m.default_chunks(CPU)
    with pytest.raises(ValueError, match=r"image of 640x360 pixels needs at least") as refusal:
        plan(10**6)
    assert "the budget is 1 MiB" in str(refusal.value)
    least = m.parse_bytes(str(refusal.value).split("at least ")[1].split(" of")[0])
    tight = plan(least + 2**20)  # the sentence rounds
    assert tight.decoder_rows < m.default_chunks(CPU).decoder_rows
    assert tight.similarity < m.default_chunks(CPU).similarity


def test_a_whole_8k_picture_fits_into_four_gigabytes():
    for name in ("S", "M"):
        m.fitting_chunks(get_config(name), 1, (1080, 1920), 4 * 2**30, CPU)


def test_a_gpu_takes_everything_where_it_fits_and_chunks_where_not():
    gpu = torch.device("cuda")
    config, size = get_config("M"), (1080, 1920)
    assert m.fitting_chunks(config, 1, size, 10**12, gpu) == m.default_chunks(gpu)
    some = m.fitting_chunks(config, 1, size, 8 * 2**30, gpu)
    assert m.default_chunks(CPU).pixels < some.pixels < m.default_chunks(gpu).pixels


@pytest.mark.parametrize("wrap", [lambda network: network, OwnPatches])
def test_upscale_within_a_budget(wrap):
    model, x = wrap(network()), picture(1, 3, 40, 44)
    large = upscale(model, x).rgb
    assert upscale(model, x, memory=64 * 2**20).rgb.equal(large)
    with pytest.raises(ValueError, match=r"needs at least .* raise it, crop or shrink"):
        upscale(model, x, memory=1000)


def test_budgets_and_precisions_that_make_no_sense():
    with pytest.raises(ValueError, match="only an HPINet"):
        upscale(torch.nn.Upsample(scale_factor=2), picture(1, 3, 4, 4), memory=2**30)
    with pytest.raises(ValueError, match="fp32, bf16, auto, not 'int4'"):
        upscale(network(), picture(1, 3, 4, 4), precision="int4")


def test_half_precision_is_close_and_matches_in_float32():
    model, x = network(get_config("S")), picture(1, 3, 40, 60)
    exact, matches = model(x, return_matches=True)
    seen = []
    for block in model.blocks:
        block.match_norm.register_forward_hook(lambda _m, i, o: seen.append((i[0].dtype, o.dtype)))
    with half_precision(CPU, "bf16"):
        half, used = model(x, return_matches=True)
        assert model(x, matches=used).equal(half)  # recorded matches give the same bits here, too
        assert model.trace(x).sr.equal(half)
    assert set(seen) == {(torch.float32, torch.float32)}
    assert half.dtype == torch.float32
    assert not half.equal(exact)
    frozen = matches.blocks[0].index.eq(used.blocks[0].index).float().mean()
    assert frozen > 0.9  # near-ties may switch: the features are not the same
    assert (upscale(model, x, precision="bf16").rgb - exact.clamp(0, 1)).abs().mean() < 0.01
    assert upscale(model, x, precision="fp32").rgb.equal(exact.clamp(0, 1))


@pytest.mark.slow
@pytest.mark.reference
def test_half_precision_keeps_psnr(shared):
    model = load_model(shared / "released" / "HPINet-S-x4.pth")
    pair = find_pairs(shared / "benchmarks/Set5/x4", 4)[2]  # the butterfly
    lr, hr = load_pair(pair, 4)
    exact, half = (psnr_y(upscale(model, lr, precision=p).rgb, hr, 4) for p in ("fp32", "bf16"))
    # Where the processor lacks bfloat16 its products are imitated, and round a little differently.
    assert abs(exact - half) < (0.02 if has_bf16(torch.device("cpu")) else 0.03)
    assert match_agreement(model, lr.rgb, "bf16") > 0.9
    assert match_agreement(model, lr.rgb, "fp32") == 1


def groups(root, lines, files):
    """A machine's control groups under a folder."""
    for name, text in {"proc/self/cgroup": lines, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return free_in_container(root)


def test_memory_is_what_the_tightest_control_group_leaves(tmp_path):
    files = {
        "sys/fs/cgroup/user/app/memory.max": "max\n",
        "sys/fs/cgroup/user/app/memory.current": "100\n",
        "sys/fs/cgroup/user/memory.max": "1000\n",
        "sys/fs/cgroup/user/memory.current": "700\n",
        "sys/fs/cgroup/user/memory.stat": "active_file 5\ninactive_file 50\n",
    }
    assert groups(tmp_path, "0::/user/app\n", files) == 350


def test_memory_of_a_container_whose_path_is_the_host_s(tmp_path):
    top = "sys/fs/cgroup/memory/memory."
    files = {f"{top}limit_in_bytes": "4096\n", f"{top}usage_in_bytes": "4100\n"}
    assert groups(tmp_path, "4:cpu:/x\n9:memory,misc:/docker/abc\n", files) == 0


def test_memory_without_control_groups(tmp_path):
    assert free_in_container(tmp_path) is None
    assert groups(tmp_path, "0::/\n", {"sys/fs/cgroup/memory.max": "max"}) is None


def test_free_memory_is_no_more_than_the_container_s(monkeypatch):
    monkeypatch.setattr("hpinet.modeling.memory.free_in_container", lambda: 12345)
    assert free_memory(torch.device("cpu")) == 12345

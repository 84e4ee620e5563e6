"""Half precision is close, and matching stays in float32."""

import pytest
import torch

from hpinet import HPINet, get_config, load_model, upscale
from hpinet.data.pairs import find_pairs, load_pair
from hpinet.inference.precision import half_precision, has_bf16, match_agreement
from hpinet.metrics.psnr_ssim import psnr_y

CPU = torch.device("cpu")


def test_half_precision_is_close_and_matches_in_float32():
    torch.manual_seed(0)
    model = HPINet(get_config("S")).eval().requires_grad_(False)
    x = torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(0))
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
    with pytest.raises(ValueError, match="'int4'"):
        upscale(model, x, precision="int4")


@pytest.mark.slow
@pytest.mark.reference
def test_half_precision_keeps_psnr(shared):
    model = load_model(shared / "released" / "HPINet-S-x4.pth")
    pair = find_pairs(shared / "benchmarks/Set5/x4", 4)[2]  # the butterfly
    lr, hr = load_pair(pair, 4)
    exact, half = (psnr_y(upscale(model, lr, precision=p).rgb, hr, 4) for p in ("fp32", "bf16"))
    # Where the processor lacks bfloat16 its products are imitated, and round a little differently.
    assert abs(exact - half) < (0.02 if has_bf16(CPU) else 0.03)
    assert match_agreement(model, lr.rgb, "bf16") > 0.9
    assert match_agreement(model, lr.rgb, "fp32") == 1

"""Small super-resolution networks, each with a trait that published ones have."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Plain(nn.Module):
    """Bicubic, and a residual that knows in which range its pixels are."""

    top = 1

    def __init__(self, factor=2):
        super().__init__()
        state = torch.random.get_rng_state()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 3 * factor**2, 3, padding=1)
        torch.random.set_rng_state(state)
        self.factor = factor

    def features(self, x):
        return torch.sigmoid(self.first(x / self.top))

    def forward(self, x):
        base = F.interpolate(x, scale_factor=self.factor, mode="bicubic", align_corners=False)
        base = base.clamp(-0.2 * self.top, 1.2 * self.top)
        residual = F.pixel_shuffle(self.last(self.features(x)), self.factor)
        return base + self.top * 0.02 * torch.tanh(residual)


class Of255(Plain):
    """RLFN and a third of the challenges' networks."""

    top = 255


class InPlace(Plain):
    """FMEN and others: inference code that writes where the backward pass would read."""

    def features(self, x):
        z = super().features(x)
        squared = z * z
        z.mul_(0.5)
        z[:, :4] += 0.1
        return squared + z


class InPlaceOfAView(Plain):
    """Writes to one of the views that ``chunk`` returns, which PyTorch refuses at once."""

    def features(self, x):
        a, b = super().features(x).chunk(2, 1)
        F.relu(b, inplace=True)
        return torch.cat([a, b], 1)


class ScalesItsInput(Plain):
    """RCAN."""

    def forward(self, x):
        x.mul_(255)
        base = F.interpolate(x, scale_factor=self.factor, mode="bicubic", align_corners=False)
        return base.div_(255)


class OneAtATime(Plain):
    """AGDN."""

    def forward(self, x):
        assert x.shape[0] == 1, "one image at a time"
        return super().forward(x)


class MixesUpTheBatch(Plain):
    """What the authors' HPINet did: all images of a batch take from the first."""

    def features(self, x):
        return super().features(x[:1]).expand(len(x), -1, -1, -1)


class TakesTheScale(Plain):
    """CARN."""

    def forward(self, x, scale):
        assert scale == self.factor
        return super().forward(x)


class ReturnsSeveral(Plain):
    """Networks with side outputs: the image is the second."""

    def forward(self, x):
        return [self.features(x), super().forward(x)]


class ReturnsADict(Plain):
    def forward(self, x):
        return {"features": self.features(x), "sr": super().forward(x)}


class NeedsMultiples(Plain):
    """CRAFT and others with windows."""

    def features(self, x):
        b, _, h, w = x.shape
        z = super().features(x)
        return z.reshape(b, 8, h // 16, 16, w // 16, 16).reshape(b, 8, h, w)


class LyingScale(Plain):
    """Calls something else its scale."""

    scale = 8


class ResidualScale(Plain):
    scale = 0.2


class LeftInTraining(Plain):
    """As all arrive: a batch normalisation that would use the batch's own statistics."""

    def __init__(self, factor=2):
        super().__init__(factor)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.train()

    def forward(self, x):
        return super().forward(self.drop(self.norm(x)))


class Bgr(Plain):
    """Knows its colours by their place: adds to the first channel alone."""

    def forward(self, x):
        return super().forward(x) + torch.tensor([0.2, 0.0, 0.0])[:, None, None]


class OnLuma(nn.Module):
    """SRCNN's kind: one channel."""

    def forward(self, x):
        assert x.shape[1] == 1
        return F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)

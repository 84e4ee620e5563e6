"""The network along LAM's path, from the blurred to the sharp image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hpinet import HPINet, Matches
from hpinet.evaluation.candidates import device_of
from hpinet.imaging.images import to_uint8
from lam import GaussianBlurPath
from lam.attribution.matching_network import switched_shares
from ui.compute.device import moved
from ui.networks.network import Network
from ui.state.inputs import Pixels
from ui.state.record import MapsRecord
from ui.storage.cache import Cache


@dataclass(frozen=True, eq=False)
class Station:
    """The network at one place of the path.

    Attributes:
        lr: What it is given, (h, w, 3).
        sr: What it makes of that, (sh, sw, 3).
        matches: Which it decided; None for a network without.
    """

    lr: Pixels
    sr: Pixels
    matches: Matches | None


class PathStations:
    """Computes places of the path and keeps them."""

    def __init__(self) -> None:
        self._kept: Cache[Station] = Cache(64)

    def at(self, record: MapsRecord, network: Network, alpha: float) -> Station:
        """The network at a position of the path over a record's region.

        Args:
            record: Its image and region.
            network: The record's.
            alpha: Position: 0 blurred, 1 sharp.
        """

        def work() -> Station:
            crop = record.crop.to(device_of(network.model))
            image = GaussianBlurPath().at(crop, np.array([alpha]))
            with torch.no_grad():
                if isinstance(network.model, HPINet) and network.has_gpa:
                    sr, found = network.model(image, return_matches=True)
                    return Station(to_uint8(image), to_uint8(sr), moved(found, "cpu"))
                return Station(to_uint8(image), to_uint8(network.model(image)), None)

        key = (record.study.key, network.label, record.region, round(alpha, 3))
        return self._kept.compute(key, work)

    def switched(self, record: MapsRecord, network: Network, alpha: float) -> list[float] | None:
        """Share of patches in each block whose match differs from the sharp image's, 0 to 1.

        None for a network without matches.
        """
        stations = [self.at(record, network, a).matches for a in (alpha, 1.0)]
        here, sharp = (
            None if found is None else tuple(b if b is None else b.index for b in found.blocks)
            for found in stations
        )
        if here is None or sharp is None:
            return None
        return [float(share) for share in switched_shares(here, sharp)]

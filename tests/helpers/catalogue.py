"""A page that knows no networks but those of a test."""

from __future__ import annotations

import pytest
import torch

from hpinet import HPINet
from hpinet.networks.files import save_checkpoint


def without_networks(patch, folder) -> None:
    """Take away the bundled weights, and the authors' that may be on this machine.

    Args:
        patch: A `pytest.MonkeyPatch`.
        folder: Stands in for the folder of bundled weights.
    """
    patch.setattr("ui.networks.model_catalogue.BUNDLED", folder)
    patch.setattr("ui.networks.model_catalogue.released_checkpoint", lambda name: None)


def tiny_runtime(tmp_path_factory, networks, models=()):
    """What a page shares that knows these networks alone, with random weights.

    Args:
        tmp_path_factory: Pytest's.
        networks: Configurations by the names of their files.
        models: As of `app.py --model`.
    """
    # Not above: all tests import this, few need gradio.
    from ui.compute.runtime import Runtime
    from ui.networks.model_catalogue import Catalogue

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name, config in networks.items():
        save_checkpoint(HPINet(config), folder / f"{name}.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        without_networks(patch, tmp_path_factory.mktemp("none"))
        return Runtime(Catalogue(folder, models=models))

"""A page that knows no networks but those of a test."""

from __future__ import annotations


def without_networks(patch, folder) -> None:
    """Take away the bundled weights, and the authors' that may be on this machine.

    Args:
        patch: A `pytest.MonkeyPatch`.
        folder: Stands in for the folder of bundled weights.
    """
    patch.setattr("ui.state.model_catalogue.BUNDLED", folder)
    patch.setattr("ui.state.model_catalogue.released_checkpoint", lambda name: None)

"""The error of everything that opens or runs a network."""

from __future__ import annotations

from hpinet.errors import UserError


class ModelError(UserError):
    """A network that cannot be had; the message is one sentence for the user."""


class UnknownArchitectureError(ModelError):
    """Weights of an architecture that nobody here can build.

    Attributes:
        example: The lines to write, for where there is room for more than a sentence.
    """

    def __init__(self, problem: str, file: str) -> None:
        super().__init__(
            f"{problem}: name a function that builds the network, my_models.py:build, instead "
            f"(docs/your_network.md; on the command line, python app.py --model included)"
        )
        self.example = _EXAMPLE.format(file=file)


_EXAMPLE = """\
# my_models.py, beside the package of the architecture's authors
import torch
from model import Network


def build():
    network = Network(scale=4)
    network.load_state_dict(torch.load("{file}", map_location="cpu", weights_only=True))
    return network
"""


def first_line(error: BaseException) -> str:
    """An error in one line."""
    text = str(error).strip()
    return text.splitlines()[0].strip() if text else type(error).__name__

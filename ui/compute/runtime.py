"""One server's memory: what it has computed, the files that it serves, and whose turn it is."""

from __future__ import annotations

import threading

import gradio as gr

from ui.networks.model_catalogue import Catalogue
from ui.storage.file_store import FileStore, ImageStore

from .contenders import Contenders
from .interventions import MatchChanges
from .job_queue import JobQueue
from .maps.ahead import Ahead
from .maps.attribution import Attribution
from .maps.causal import CausalEffects
from .maps.path import PathStations
from .scores import Scorer
from .super_resolution import SuperResolution

_EVERY = 600.0  # seconds between two looks for old files


class Runtime:
    """What all visitors of one page share; two pages in one process have one each.

    Args:
        catalogue: The networks on offer.

    Attributes:
        catalogue: As given.
        images: Images on the page.
        downloads: Images and ZIPs to be saved.
        queue: Heavy jobs.
        super_resolved: SR images.
        contenders: What is compared.
        scorer: PSNR, SSIM, LPIPS.
        attribution: Attribution maps.
        causal: Causal effects beside them.
        matches: Matches, and images with changed ones.
        path: The network along LAM's path.
        ahead: Computes the examples' maps while nobody asks for anything, once it is started.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.images = ImageStore("hpinet-lens-shown-")
        self.downloads = FileStore("hpinet-lens-")
        self.queue = JobQueue()
        self.super_resolved = SuperResolution()
        self.contenders = Contenders(catalogue, self.super_resolved)
        self.scorer = Scorer(self.contenders)
        self.attribution = Attribution()
        self.causal = CausalEffects(self.attribution)
        self.matches = MatchChanges(self.attribution)
        self.path = PathStations()
        self.ahead = Ahead(self)
        self._closed = threading.Event()

    def start(self) -> None:
        """Have the files served from where they are, and delete old ones now and then."""
        gr.set_static_paths([self.images.folder, self.downloads.folder])
        threading.Thread(target=self._tidy, name="old-files", daemon=True).start()

    def close(self) -> None:
        """End running work after its current step, wait for that, and delete all files."""
        self._closed.set()
        self.ahead.close()
        self.attribution.close()
        self.images.close()
        self.downloads.close()

    def _tidy(self) -> None:
        while not self._closed.wait(_EVERY):
            self.images.tidy()
            self.downloads.tidy()

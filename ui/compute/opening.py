"""From a chosen image, mode and network to what is opened: super-resolved, with a first window."""

from __future__ import annotations

from ui.networks.network import Network
from ui.state.inputs import Source, make_study
from ui.state.record import ComparisonRecord, Opened, Subject
from ui.state.session import Session, default_window

from .contenders import NETWORK, find
from .runtime import Runtime


def open_image(runtime: Runtime, session: Session, source: Source, mode: str, label: str) -> bool:
    """Make an image and a network the ones that the visitor has opened, super-resolved.

    Returns:
        Whether they were: False where the visitor has asked for something else meanwhile.

    Raises:
        ValueError: No such mode or network, or an image that does not fit; nothing changes then.
    """
    session.asked += 1
    asked = session.asked
    network = runtime.catalogue.get(label, session.uploaded)
    study = make_study(source, mode, network.scale)
    contenders = runtime.contenders
    record = ComparisonRecord(study, network.info, session.uploaded)
    chosen = find(contenders.among(record), NETWORK, NETWORK)
    sr = contenders.restored(chosen, study, network.scale).pixels
    if session.asked != asked:
        return False
    # Only now, when all went well, does the new image take the place of the old.
    old = session.opened
    same = old is not None and old.source is source and old.study.key == study.key
    if not same or session.window is None:
        session.window = default_window(source, study, sr, network.scale)
    session.opened = Opened(study, network.info, source)
    return True


def current(runtime: Runtime, session: Session) -> tuple[Opened, Network]:
    """What the visitor has opened, with the network's weights.

    Raises:
        ValueError: Nothing yet, or the network is gone.
    """
    opened = session.subject()
    return opened, network_of(runtime, session, opened)


def network_of(runtime: Runtime, session: Session, subject: Subject) -> Network:
    """The network of a record.

    Raises:
        ValueError: It was an uploaded one that is gone.
    """
    return runtime.catalogue.get(subject.network.label, session.uploaded)

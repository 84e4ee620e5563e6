"""Networks that visitors bring: what is taken, and what is refused with which sentence."""

from __future__ import annotations

import json

import pytest
import torch
from helpers.foreign import foreign, saved
from safetensors.torch import save_file

from hpinet import HPINet, HPINetConfig
from hpinet.networks.files import save_checkpoint
from hpinet.networks.open import open_file
from hpinet.networks.smoke_test import enlarge_once
from ui.networks.uploaded_models import UploadedModels

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


def tried_here(path):
    """The smoke test without its child process, which takes seconds to start."""
    return enlarge_once(open_file(path), path.name)


@pytest.fixture
def own():
    return UploadedModels(test=tried_here)


@pytest.fixture
def tiny(tmp_path):
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def test_an_hpinet_is_taken_with_its_gpa(own, tiny):
    label = own.add(tiny)
    network, facts = own.get(label), own.facts(label)
    assert label.startswith("tiny (yours, ") and own.knows(label)
    assert network.has_gpa and network.scale == 4 and network.ways_without == ("own",)
    assert facts.parameters == sum(p.numel() for p in HPINet(TINY).parameters())
    assert facts.architecture == "HPINet, 8 channels, 2 blocks" and facts.seconds > 0
    assert network.path is not None and str(network.path) == "tiny.safetensors"  # no folder


@pytest.mark.parametrize(("name", "scale"), [("Compact", 4), ("SwinIR", 2), ("RCAN", 3)])
def test_other_architectures_are_taken_without_gpa(own, tmp_path, name, scale):
    network = own.get(own.add(saved(foreign(name), tmp_path / "other.pth")))
    assert network.scale == scale and not network.has_gpa and network.ways_without == ()
    with pytest.raises(ValueError, match="no Global Pixel Access"):
        network.without("own")


def test_labels_follow_the_content(own, tiny, tmp_path):
    first = own.add(tiny)
    assert own.add(tiny) == first
    save_checkpoint(HPINet(TINY.without_gpa()), tiny)
    assert own.add(tiny) != first


def test_what_is_unused_for_longest_is_forgotten_when_memory_is_short(tmp_path):
    numbers = [*HPINet(TINY).parameters(), *HPINet(TINY).buffers()]
    size = sum(n.numel() * n.element_size() for n in numbers)
    own, labels = UploadedModels(test=tried_here, limit=6 * size), []
    for number in range(7):
        torch.manual_seed(number)
        save_checkpoint(HPINet(TINY), tmp_path / "n.safetensors")
        labels.append(own.add(tmp_path / "n.safetensors"))
    with pytest.raises(ValueError, match="to make room for other visitors"):
        own.get(labels[0])
    assert own.get(labels[-1]).label == labels[-1]


class Evil:
    def __reduce__(self):
        return print, ("this must never be printed",)


def test_code_is_never_run(own, tmp_path, capsys):
    torch.save({"params": {"x": Evil()}}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"evil\.pth"):
        own.add(tmp_path / "evil.pth")
    assert "never" not in capsys.readouterr().out


def test_visitors_of_other_machines_upload_safetensors_alone(tiny, tmp_path):
    strangers = UploadedModels(local=False, test=tried_here)
    assert strangers.get(strangers.add(tiny)).scale == 4
    torch.save(HPINet(TINY).state_dict(), tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"convert a\.pth"):
        strangers.add(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "lie",
    [{"dim": 10**6}, {"patch_sizes": [12] * 10**5}, {"patch_sizes": [12, 10**6]}, {"dim": "8"}],
)
def test_a_header_that_lies_builds_nothing(own, tmp_path, lie):
    from dataclasses import asdict

    config = {**asdict(TINY), **lie}
    tensors = {k: v.contiguous() for k, v in HPINet(TINY).state_dict().items()}
    save_file(tensors, tmp_path / "lie.safetensors", {"hpinet_config": json.dumps(config)})
    with pytest.raises(ValueError, match="lie"):
        own.add(tmp_path / "lie.safetensors")


def test_whatever_else_is_wrong_is_a_sentence(own, tmp_path, monkeypatch):
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    save_file({"a": torch.zeros(3)}, tmp_path / "strange.safetensors")
    broken = HPINet(TINY)
    with torch.no_grad():
        broken.last.weight.fill_(float("nan"))
    save_checkpoint(broken, tmp_path / "nan.safetensors")
    for name in ("text.pth", "text.safetensors", "strange.safetensors", "nan.safetensors"):
        with pytest.raises(ValueError, match=name) as caught:
            own.add(tmp_path / name)
        assert str(tmp_path) not in str(caught.value) and "\n" not in str(caught.value)
    monkeypatch.setattr("ui.networks.uploaded_models.LIMIT_MB", 0)
    with pytest.raises(ValueError, match="the limit is 0 MB"):
        own.add(tmp_path / "nan.safetensors")


def test_grey_networks_and_others_for_other_ends_are_refused(own, tmp_path):
    with pytest.raises(ValueError, match="channels"):
        own.add(saved(foreign("Compact", channels=1), tmp_path / "grey.pth"))

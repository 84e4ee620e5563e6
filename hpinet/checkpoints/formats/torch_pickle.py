"""Reading what `torch.save` pickled without building or running anything of it.

The functions that PyTorch uses to rebuild tensors are replaced by ones that note shapes, values
that training frameworks put beside the weights become placeholders, every other name is refused.
A storage is named by a persistent id, ``("storage", type, key, place, elements, ...)``.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .file_plan import Limits, WeightsError
from .pickle_check import check_instructions

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}
# Values that training frameworks put beside the weights. They become placeholders.
_HARMLESS = {
    *("collections.defaultdict", "collections.Counter", "argparse.Namespace", "builtins.set"),
    *("builtins.dict", "builtins.list", "builtins.tuple", "builtins.int", "builtins.float"),
    *("builtins.long", "builtins.complex", "builtins.bytearray", "builtins.frozenset"),
    *("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype"),
    *("numpy.float64", "numpy.float32", "numpy.int64", "torch.device"),
    *("datetime.datetime", "pathlib.PosixPath", "pathlib.WindowsPath", "_codecs.encode"),
    *("torch.serialization._get_layout", "torch.torch_version.TorchVersion"),
    *("omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig", "typing.Any"),
    *("omegaconf.base.ContainerMetadata", "omegaconf.base.Metadata", "omegaconf.nodes.AnyNode"),
}


_INSTRUCTIONS = 60  # for each tensor, twice what torch.save writes


@dataclass(frozen=True)
class Storage:
    """A storage as the pickle names it: elements of one type, and where they begin in it."""

    key: str
    dtype: torch.dtype
    elements: int
    first: int = 0


@dataclass(frozen=True)
class TensorEntry:
    """A tensor as the pickle describes it, before its bytes are known."""

    storage: Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class _Placeholder:
    """Stands for a value that is neither weights nor wanted; whatever it is given, it ignores."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass

    def __setitem__(self, *_: Any) -> None:
        pass

    def append(self, _: Any) -> None:
        """As a list would."""

    def extend(self, _: Any) -> None:
        """As a list would."""


class WeightsUnpickler(pickle.Unpickler):
    """Notes tensors, replaces harmless values, and refuses all else."""

    def __init__(self, file: io.BytesIO, limits: Limits) -> None:
        super().__init__(file, encoding="latin1")
        self._file = file
        self._tensors = 0
        self.limit = limits.tensors
        self.storages: dict[str, Storage] = {}

    def check(self) -> None:
        """Go through the pickle's instructions before any is followed.

        Raises:
            UnpicklingError: If one asks for more than `torch.save` ever does.
        """
        check_instructions(self._file, 100_000 + _INSTRUCTIONS * self.limit)

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name of the pickle."""
        module = "builtins" if module == "__builtin__" else module  # protocol 2 knows Python 2
        full = f"{module}.{name}"
        if full in _HARMLESS:
            return _Placeholder
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        known = {
            "collections.OrderedDict": OrderedDict,
            "torch.Size": _size,
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_tensor_v3": self._typed_tensor,
            "torch._utils._rebuild_parameter": _first,
            "torch._utils._rebuild_parameter_with_state": _first,
            "torch._tensor._rebuild_from_type_v2": self._from_type,
            "torch.nn.parameter.Parameter": _first,
        }
        if full in known:
            return known[full]
        raise _Refused(full)

    def persistent_load(self, pid: Any) -> Storage:
        """The storage behind a persistent id."""
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage"):
            raise pickle.UnpicklingError("an unknown persistent id")
        dtype, key, elements = pid[1], str(pid[2]), pid[4]
        if not isinstance(dtype, torch.dtype) or type(elements) is not int or elements < 0:
            raise pickle.UnpicklingError("a damaged storage")
        storage = self.storages.setdefault(key, Storage(key, dtype, elements))
        if (storage.dtype, storage.elements) != (dtype, elements):
            raise pickle.UnpicklingError("a storage that is described in two ways")
        view = pid[5] if len(pid) > 5 else None
        if view is None:
            return storage
        _, first, count = view  # the older format's part of a storage
        if not (type(first) is int and type(count) is int and 0 <= first <= first + count):
            raise pickle.UnpicklingError("a damaged view")
        return Storage(key, dtype, elements, first)

    def _tensor(self, storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> TensorEntry:
        return self._noted(storage, getattr(storage, "dtype", None), offset, shape, stride)

    def _typed_tensor(
        self,
        storage: Any,
        offset: Any,
        shape: Any,
        stride: Any,
        _: Any,
        __: Any,
        dtype: Any,
        *___: Any,
    ) -> TensorEntry:
        return self._noted(storage, dtype, offset, shape, stride)

    def _noted(self, storage: Any, dtype: Any, offset: Any, shape: Any, stride: Any) -> TensorEntry:
        if not (isinstance(storage, Storage) and isinstance(dtype, torch.dtype)):
            raise pickle.UnpicklingError("a tensor without storage")
        parts = (shape, stride)
        if not all(isinstance(part, tuple) and len(part) <= 16 for part in parts):
            raise pickle.UnpicklingError("a tensor without shape")
        if not all(type(n) is int for n in (offset, *shape, *stride)):
            raise pickle.UnpicklingError("a shape that is no numbers")
        self._tensors += 1
        if self._tensors > self.limit:
            raise _TooMany
        return TensorEntry(storage, dtype, offset, shape, stride)

    def _from_type(self, function: Any, _: Any, values: Any, __: Any) -> Any:
        if function not in (self._tensor, self._typed_tensor):
            raise pickle.UnpicklingError("a tensor of an unknown type")
        return function(*values)


class _Refused(Exception):  # noqa: N818 - the name of what was refused is its text
    """A name in the pickle that is neither weights nor harmless."""


class _TooMany(Exception):  # noqa: N818
    """More tensors than allowed."""


def _first(value: Any, *_: Any) -> Any:
    return value


def _size(values: Any = ()) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or not all(type(n) is int for n in values):
        raise pickle.UnpicklingError("a size that is no numbers")
    return tuple(values)


def load_pickle(path: Path, unpickler: WeightsUnpickler) -> Any:
    """Read one pickle.

    Raises:
        WeightsError: If it is damaged, wants to run code, or holds too many tensors.
    """
    try:
        unpickler.check()
        return unpickler.load()
    except _Refused as error:
        raise no_weights(path, f"it wants to run code ({error}) when loaded") from None
    except _TooMany:
        raise WeightsError(
            f"{path.name} holds more tensors than the limit of {unpickler.limit}"
        ) from None
    except pickle.UnpicklingError:
        raise no_weights(path, "it is damaged or of another kind") from None
    except Exception:  # a pickle may be broken in any way; what is broken is the file
        raise unreadable(path) from None


def no_weights(path: Path, reason: str) -> WeightsError:
    """The sentence for a file that is something else."""
    return WeightsError(
        f"{path.name} is no file of plain weights ({reason}): save a state dict with "
        f"torch.save or as safetensors"
    )


def unreadable(path: Path) -> WeightsError:
    """The sentence for a damaged file."""
    return WeightsError(f"{path.name} cannot be read as weights: it is damaged or of another kind")

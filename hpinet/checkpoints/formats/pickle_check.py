"""Going through a pickle's instructions before any is followed.

An instruction of one byte may ask for a table of any size, and sixty of them for a tuple that holds
itself twice at every level: to put that into a dictionary, Python would hash 2^60 values.
"""

from __future__ import annotations

import pickle
import pickletools
from typing import IO, Any

_UNUSED = {"BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER", "EXT1", "EXT2", "EXT4", "INST", "OBJ"}
"""Instructions that `torch.save` never writes."""

_DEEPEST, _LARGEST = 64, 100_000
"""Levels of tuples in tuples, and values in a tuple with all that it holds, as it unfolds."""

_CALLS = {"REDUCE", "NEWOBJ", "NEWOBJ_EX", "BINPERSID", "PERSID"}
_SAME = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"}
"""Instructions that leave what lies below their arguments, even where that is no list."""

_MARK = None
_Size = tuple[int, int]  # levels and values of what lies on the stack
_PLAIN: _Size = (0, 1)


def check_instructions(file: IO[bytes], most: int) -> None:
    """Read one pickle's instructions; the file is then where it was.

    Args:
        file: At the start of the pickle.
        most: Instructions that it may have.

    Raises:
        UnpicklingError: If one asks for more than `torch.save` ever does.
    """
    start, sizes = file.tell(), _Sizes()
    try:
        for count, (code, argument, _) in enumerate(pickletools.genops(file)):
            remembers = code.name in ("PUT", "BINPUT", "LONG_BINPUT")
            if code.name in _UNUSED or (remembers and int(argument or 0) > count):
                raise pickle.UnpicklingError(f"an unexpected instruction {code.name}")
            if count > most:
                raise pickle.UnpicklingError("too many instructions")
            sizes.follow(code, argument)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise pickle.UnpicklingError(str(error)) from error
    file.seek(start)


class _Sizes:
    """The stack of a pickle machine, of sizes instead of values.

    What is not a tuple counts as one value, as nothing behind it is hashed with it: lists and
    dictionaries cannot be, and what a call returns is as large as what it was given.
    """

    def __init__(self) -> None:
        self._stack: list[_Size | None] = []
        self._memo: dict[int, _Size] = {}

    def follow(self, code: Any, argument: Any) -> None:
        """Do to the stack what an instruction does."""
        name = code.name
        if name == "MARK":
            self._stack.append(_MARK)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            key = len(self._memo) if name == "MEMOIZE" else int(argument)
            self._memo[key] = self._stack[-1] or _PLAIN
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[int(argument)])
        elif name == "DUP":
            self._stack.append(self._stack[-1])
        else:
            self._apply(code)

    def _apply(self, code: Any) -> None:
        popped: list[_Size] = []
        for before in reversed(code.stack_before):
            if before is pickletools.stackslice:
                while (size := self._stack.pop()) is not None:
                    popped.append(size)
            elif before is pickletools.markobject:
                continue  # taken with the slice above it
            else:
                popped.append(self._stack.pop() or _PLAIN)
        tuple_of = code.name.startswith("TUPLE")
        made = _PLAIN
        if code.name in _SAME:
            made = popped[-1]
        elif tuple_of or code.name in _CALLS:
            levels = max((levels for levels, _ in popped), default=0) + tuple_of
            made = levels, sum(values for _, values in popped) + 1
            if levels > _DEEPEST or made[1] > _LARGEST:
                raise pickle.UnpicklingError("tuples in tuples without end")
        for _ in code.stack_after:
            self._stack.append(made)

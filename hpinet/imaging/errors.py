"""The error of images that cannot be used, and the guard around Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from hpinet.errors import UserError


class PictureError(UserError):
    """An image that cannot be used; the message is one sentence for the user."""


@contextmanager
def guarded(name: str, unknown: PictureError | None = None) -> Iterator[None]:
    """Run Pillow on a file of unknown origin: whatever it raises is a fault of the file.

    Args:
        name: What sentences call the file.
        unknown: What to raise where Pillow does not know the format.

    Raises:
        PictureError: One sentence.
    """
    try:
        yield
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise unknown or PictureError(f"{name} is not an image that can be read.") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{name} is too large to be opened safely.") from None
    except PermissionError:
        raise PictureError(f"{name} may not be read (permission denied).") from None
    except MemoryError:
        raise PictureError(f"{name} needs more memory than there is: shrink it first.") from None
    except Exception:  # decoders meet damage with errors of any kind
        raise PictureError(f"{name} is damaged: its pixels cannot be decoded.") from None

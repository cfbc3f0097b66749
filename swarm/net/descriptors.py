"""Keeps file descriptors for what must go on, because strangers may open connections until no descriptor is left."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager

RESERVED = 64                        # descriptors: far more than one turn of the loop opens
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO})
"""Errors that say nothing about the file: it may be readable a moment later."""


def raise_file_limit() -> int:
    """Raise the limit of open files to the hard one, less `RESERVED`: each connection needs one. Returns it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most > 4 * RESERVED:
        most -= RESERVED
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return most


@contextmanager
def reserved() -> Iterator[None]:
    """Within it, the loop's thread may open the reserved descriptors, too. It must open few, and soon close them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

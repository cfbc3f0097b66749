"""A process that may open few files, or none any more."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def soft_limit(files: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    taken: list[int] = []
    with soft_limit(256), contextlib.suppress(OSError):
        while True:
            taken.append(os.dup(0))
    with soft_limit(256):
        yield
    for descriptor in taken:
        os.close(descriptor)

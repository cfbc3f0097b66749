"""The one error of the keeper that an operator reads."""

from __future__ import annotations


class Refused(Exception):
    """The board does not do what it was asked to: one line that says why. The keeper then ends with 2."""

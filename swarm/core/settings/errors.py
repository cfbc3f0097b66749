"""The one error that a user can cause. It has a file of its own, because all code that refuses input imports it."""

from __future__ import annotations


class BadInput(ValueError):
    """A user's mistake: one line that says what is wrong, where, and what is valid; the command exits with 2.

    Args: where: file and key, or the option. what: what is wrong with it. want: what is valid.
    """

    def __init__(self, where: str, what: str, want: str = "") -> None:
        super().__init__(f"{where}: {what}" + (f"; {want}" if want else ""))
        self.where, self.what, self.want = where, what, want

    def told_of(self, where: str) -> BadInput:
        """The same mistake as one of a key or an option that its finder does not know."""
        return BadInput(where, f"{self.where}: {self.what}", self.want)

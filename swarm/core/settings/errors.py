"""The one error that a user can cause: a file of its own, since whatever can refuse input stands on it alone."""

from __future__ import annotations


class BadInput(ValueError):
    """A user's mistake: one line that says what is wrong, where, and what would be right; the command exits with 2.

    Args: where: file and key, or the option. what: what is wrong with it. want: what would be right.
    """

    def __init__(self, where: str, what: str, want: str = "") -> None:
        super().__init__(f"{where}: {what}" + (f"; {want}" if want else ""))
        self.where, self.what, self.want = where, what, want

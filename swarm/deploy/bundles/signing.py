"""Signatures of manifests: Ed25519, by OpenSSH. The key is made when it is first needed, and stays with the fleet."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol

from swarm.core.settings.errors import BadInput

KEY = "signing_key"
NAMESPACE = "swarm-release"


class Signing(Protocol):
    """Signs manifests."""

    def allowed(self) -> str:
        """The line by which a board knows the key."""
        ...

    def sign(self, content: bytes) -> bytes: ...


class Signer:
    """Signs with the key of a fleet's folder. Raises: BadInput if OpenSSH or the folder cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._key = folder / KEY
        if not self._key.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._run("-q", "-t", "ed25519", "-N", "", "-C", NAMESPACE, "-f", str(self._key))

    def allowed(self) -> str:
        """See Signing."""
        kind, public, *_ = self._key.with_suffix(".pub").read_text().split()
        return f'swarm namespaces="{NAMESPACE}" {kind} {public}\n'

    def sign(self, content: bytes) -> bytes:
        return self._run("-Y", "sign", "-q", "-f", str(self._key), "-n", NAMESPACE, stdin=content)

    def _run(self, *words: str, stdin: bytes = b"") -> bytes:
        try:
            return subprocess.run(["ssh-keygen", *words], input=stdin, capture_output=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", b"") or str(error).encode()
            raise BadInput(str(self._key), said.decode(errors="replace").strip() or "it cannot be used",
                           "OpenSSH's ssh-keygen, and a key that it can read") from None

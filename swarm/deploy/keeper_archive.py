"""The keeper as one file that a board's own Python runs: an archive of its modules and of the clock."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import swarm
from swarm.deploy import keeper

FIXED = (1980, 1, 1, 0, 0, 0)        # equal modules make equal archives
MAIN = "import sys\n\nfrom swarm.deploy.keeper.main import main\n\nsys.exit(main(sys.argv[1:]))\n"


def content() -> bytes:
    """The archive. It has an empty `swarm` package: nothing of a release, and nothing beyond the standard library."""
    root, modules = Path(str(swarm.__file__)).parent, Path(str(keeper.__file__)).parent
    files = {"__main__.py": MAIN, "swarm/__init__.py": "", "swarm/core/__init__.py": "", "swarm/deploy/__init__.py": "",
             "swarm/core/clock.py": (root / "core" / "clock.py").read_text()}
    files |= {f"swarm/deploy/keeper/{path.name}": path.read_text() for path in modules.glob("*.py")}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, FIXED), files[name], zipfile.ZIP_DEFLATED)
    return made.getvalue()

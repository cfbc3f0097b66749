"""Standard streams as a shell may leave them: a command neither fails for them nor shows a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from swarm.cli.standard_streams import ForgivingStream

SWARM = f"{sys.executable} -m swarm.cli.main"
SAYS = f"""{sys.executable} -c 'import sys
from swarm.cli import main
main._run = lambda _: print("caf\\u00e9 \\udce9", len(sys.argv)) or 0
sys.exit(main.main())'"""


def shell(line: str, **environment: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(["bash", "-c", line], capture_output=True, env={**os.environ, **environment}, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_full_standard_output_is_said_once() -> None:
    code, _, said = shell(f"{SWARM} version >/dev/full")
    assert (code, said) == (1, b"swarm: standard output: No space left on device\n")


@pytest.mark.parametrize("closed", ["</dev/null >/dev/full 2>&1", ">&- 2>&-", "<&- >&- 2>&-"])
def test_with_no_stream_at_all_a_command_does_what_it_is_asked(closed: str) -> None:
    assert shell(f"{SWARM} version --nonsense {closed}")[0] == 2
    assert shell(f"{SWARM} version {closed}")[0] == (1 if "full" in closed else 0)


def test_what_the_encoding_lacks_is_written_as_an_escape() -> None:
    assert shell(SAYS, PYTHONIOENCODING="ascii") == (0, b"caf\\xe9 \\udce9 1\n", b"")
    assert shell(SAYS, PYTHONIOENCODING="utf-8") == (0, "café \\udce9 1\n".encode(), b"")


def test_no_file_of_a_command_gets_the_number_of_a_closed_stream() -> None:
    program = """import os
from swarm.cli.standard_streams import standard_streams
with standard_streams():
    descriptor = os.open("/dev/null", os.O_RDONLY)
os._exit(descriptor)"""
    assert shell(f"{sys.executable} -c '{program}' <&- >&- 2>&-")[0] > 2


def test_every_write_that_fails_is_counted_and_the_first_error_is_kept() -> None:
    class Full:
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    stream = ForgivingStream(Full())
    print("a", file=stream)                                  # two writes: the text, and the end of the line
    stream.flush()
    assert (stream.lost, stream.why and stream.why.errno) == (3, 28)

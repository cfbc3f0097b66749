"""The attacker: one attack on one target, in a process of its own. Run as a child of the bench."""

from __future__ import annotations

import os
import sys

from swarm.bench.siege import members, strangers
from swarm.bench.siege.words import Offered, Target
from swarm.bench.support.peer import end_with_parent, receive_from_parent, send_to_parent
from swarm.core.clock import MonotonicClock
from swarm.core.units import seconds

ATTACKERS = {"stranger": strangers.ATTACKS, "member": members.ATTACKS}


def main(attacker: str, attack: str) -> None:
    """Wait for the target, attack it for its time, and say what was reached."""
    target = receive_from_parent(Target)
    end_with_parent()
    clock = MonotonicClock()
    began_ns = clock.now_ns()
    count = ATTACKERS[attacker][attack](target, clock)
    send_to_parent(Offered(count=count, took_s=seconds(clock.now_ns() - began_ns)))
    sys.stdout.flush()
    os._exit(0)                                      # thousands of connections are the kernel's to close


if __name__ == "__main__":
    main(*sys.argv[1:])

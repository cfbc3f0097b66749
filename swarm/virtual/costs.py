"""What the runtime itself costs in virtual time: measured constants, and the command that measures each."""

from __future__ import annotations

from swarm.core.units import ns

MESSAGE_NS = ns(150e-6)
"""From sending a small message to its handler, over loopback: half the round trip of `swarm bench transport`."""

BYTE_NS = 0.35
"""Of each byte of a message, over loopback and encrypted: the slope of that table."""

HANDOFF_NS = ns(60e-6)
"""From starting a run to its begin in the executor's thread, and from its end to the policy's: half of `added_us` of
`swarm bench overhead`."""

START_NS = {"world": ns(1.2), "agent": ns(1.6), "planner": ns(1.0)}
"""From a process's start until it says that it is ready; an agent loads its models. `swarm launch`, `events.jsonl`."""

LOAD_NS = ns(0.3)
"""Loading the stages of a variant: `swarm models profile`."""

SOLVE_NS = ns(0.05)
"""One search for a plan: `planner.solve_ms_p50` of `summary.json`, for a team of eight."""

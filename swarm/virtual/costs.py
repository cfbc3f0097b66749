"""What the runtime itself costs in virtual time: measured constants, and the command that measures each.

`launch` below: `swarm launch raspberry_pis --duration 30 --seed S --policy P` in real time on two quiet cores, and the
named columns of its `requests.parquet`, over the completed requests.
"""

from __future__ import annotations

from swarm.core.units import ns

MESSAGE_NS = ns(1.1e-3)
"""From sending a message to its handler, over loopback between processes that sleep: half of `ended_ns - sent_ns -
peer_held_s` of requests that a peer ran, 2.5 ms at the median of `launch`. `swarm bench transport` tells how much less
it is where both sides poll and nothing else runs."""

BYTE_NS = 0.35
"""Of each byte of a message, over loopback and encrypted: the slope of the table of `swarm bench transport`."""

FRAME_MS = (0.3, 4.7, 5.5, 6.0, 6.4, 6.9, 7.5, 8.2, 9.7, 12.0, 25.0)
"""From when a frame falls due until its request is submitted, beyond an observation without a frame: the world renders,
steps and sends, and the agent's behaviour may still be planning. Quantiles from 0 to 100 % of `submitted_ns -
captured_ns` of `launch`. Up to 80 % a mean over `local`, `planner`, and `local` with the streams at twice their rates
(a world that renders more often is quicker at it); 90 % of the first two; the last one is the 99th percentile of runs
whose cores nobody else used."""

WAKE_NS = ns(0.24e-3)
"""By which an emulated run lasts longer than drawn, since its thread wakes late: `run_s - drawn_s` of `launch`."""

START_NS = {"world": ns(1.2), "agent": ns(1.6), "planner": ns(1.0)}
"""From a process's start until it says that it is ready; an agent loads its models. `launch`, `events.jsonl`."""

LOAD_NS = ns(0.3)
"""Loading the stages of a variant: `swarm models profile`."""

SEARCH_FACTOR = 1.5
"""How much longer a search takes than its counted work, since the planner's process is niced: `planner.solve_ms_p50` of
`summary.json` of `launch`, 21 ms where 15 ms are counted."""

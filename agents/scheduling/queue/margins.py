"""What the runtime itself may add to each run: measured figures and assumed bounds. The guards count them all."""

from __future__ import annotations

from swarm.core.units import ns

ABORT_S = 0.001                      # from the abort to a free executor; measured: p50 0.5 to 0.8 ms

LATE_NS = ns(0.002)
"""The promise of a guard holds while the loop handles each timer and each end of a run at most this late. It contains
the rounding of timers to whole milliseconds (`swarm/net/loop.py`); `loop_late_ms_p99` tells how late the loop is."""

HANDOFF_NS = ns(0.0003)
"""From starting a run to its begin in the executor's thread, and from its end to the loop: half of `ended_ns -
started_ns - run_s` of `launch` (see `swarm/virtual/costs.py`), 0.6 ms at the median. `swarm bench overhead` measures it
alone. Runs in virtual time take it, too."""

TURN_NS = 2 * HANDOFF_NS + LATE_NS
"""What each run takes beyond its run time: two hand-offs, and its end is handled late."""

REDO_NS = ns(ABORT_S) + HANDOFF_NS + LATE_NS
"""What a more urgent run costs the run that it aborts, beyond the time that is lost."""

START_NS = LATE_NS + REDO_NS
"""From the last safe start to a free executor: the timer is late, a run is aborted, and its end is told late."""

"""The time until all members know that one failed or came back, false alarms, and traffic.

The agents are idle real processes, with a planner, in plaintext on loopback. Traffic is the bytes sent on the urgent
lane, counted by the agents, in swarms of two sizes. Use `--duration 600` for ten minutes of message loss.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from statistics import median

import msgspec

from swarm.bench.presence.band import Band
from swarm.core.protocol import messages as msg
from swarm.core.protocol.bounds import RunSeconds
from swarm.core.settings.validation import check
from swarm.core.units import seconds
from swarm.membership.view import HEARTBEAT_S
from swarm.telemetry.text_table import text_table

SIZES = (8, 32)
ROUNDS = 6                           # each with one stop and one kill
SETTLED_S = 8.0                      # new members are probed more often for five seconds
SETTLED_EACH_S = 0.3                 # additional time per process to start
COUNTED_S = 20.0
LOSSY_S = 60.0
LOSS = 0.3
SEED = 7


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--duration", type=float, metavar="S", default=LOSSY_S,
                   help=f"seconds of message loss; default: {LOSSY_S:g}")


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Times are seconds from the fault's start until the last member's report reaches the launcher."""

    agents: int
    heartbeat_s: float
    killed_lost_s: list[float]       # one per round, of the slowest member
    stopped_lost_s: list[float]
    back_s: list[float]              # from SIGCONT
    within_three_heartbeats: bool
    loss: float
    lossy_s: float
    false_losses: int
    control_bytes_per_s: dict[str, float]        # of the median agent, by size of the swarm
    control_ratio: float                         # larger swarm / smaller swarm


def measure(
    lossy_s: float = LOSSY_S, sizes: tuple[int, int] = SIZES, rounds: int = ROUNDS, counted_s: float = COUNTED_S,
    progress: Callable[[str], None] = lambda _: None,
) -> Figures:
    """Measure all figures. Raises: BandError when an agent ends by itself."""
    traffic: dict[str, float] = {}
    with Band(sizes[0]) as band:
        progress(f"{sizes[0]} agents")
        traffic[str(sizes[0])] = _traffic(band, counted_s)
        killed, stopped, back = _detection(band, rounds, progress)
        progress(f"{lossy_s:g} s in which {LOSS:.0%} of all messages between agents are lost")
        false = _false_losses(band, lossy_s)
    with Band(sizes[1]) as band:
        progress(f"{sizes[1]} agents")
        traffic[str(sizes[1])] = _traffic(band, counted_s)
    small, large = (traffic[str(size)] for size in sizes)
    return Figures(
        agents=sizes[0], heartbeat_s=HEARTBEAT_S, killed_lost_s=killed, stopped_lost_s=stopped, back_s=back,
        within_three_heartbeats=max(*killed, *stopped) <= 3 * HEARTBEAT_S, loss=LOSS, lossy_s=lossy_s,
        false_losses=false, control_bytes_per_s=traffic, control_ratio=round(large / small, 3),
    )


def _traffic(band: Band, counted_s: float) -> float:
    """Bytes per second that the median agent sends on its urgent lane."""
    band.wait(SETTLED_S + SETTLED_EACH_S * len(band.names))
    begin_ns = band.clock.now_ns()
    band.wait(counted_s)
    rates: list[float] = []
    for reports in band.reports.values():
        counts = [(at, report.control_bytes) for at, report in reports if at >= begin_ns]
        (first_ns, first), (last_ns, last) = counts[0], counts[-1]
        rates.append((last - first) / seconds(last_ns - first_ns))
    return round(median(rates), 1)


def _detection(
    band: Band, rounds: int, progress: Callable[[str], None]
) -> tuple[list[float], list[float], list[float]]:
    draws = random.Random(SEED)
    killed: list[float] = []
    stopped: list[float] = []
    back: list[float] = []
    for i in range(rounds):
        band.wait(draws.uniform(1.0, 1.5))           # at a random phase of the heartbeats
        name = draws.choice(band.names)
        progress(f"round {i + 1} of {rounds}: {name} is stopped, then killed")
        since = band.stop(name)
        stopped.append(_all_report(band, "peer_lost", name, since))
        back.append(_all_report(band, "peer_back", name, band.resume(name)))
        band.wait(draws.uniform(1.0, 1.5))
        killed.append(_all_report(band, "peer_lost", name, band.kill(name)))
        band.start(name)
        band.until(lambda name=name: band.is_ready(name))
    return killed, stopped, back


def _all_report(band: Band, what: str, name: str, since_ns: int) -> float:
    band.until(lambda: len(band.reported(what, name, since_ns)) == len(band.names) - 1)
    return round(max(band.reported(what, name, since_ns).values()), 3)


def _false_losses(band: Band, lossy_s: float) -> int:
    band.wait(SETTLED_S)
    band.inject(band.names, msg.InjectedFaults(lose=LOSS, seed=SEED))
    begin_ns = band.clock.now_ns()
    band.wait(lossy_s)
    band.inject(band.names, msg.InjectedFaults())
    return sum(at >= begin_ns and what == "peer_lost" for at, _, what, _ in band.changes)


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    """Raises: BadInput for an invalid duration."""
    check(given.duration, RunSeconds, "--duration")
    return measure(given.duration, progress=progress)


def as_text(figures: Figures) -> str:
    """Times, then false losses and traffic."""
    rows = [(what, f"{median(took_s):.2f}", f"{max(took_s):.2f}") for what, took_s in (
        ("killed: lost for all", figures.killed_lost_s), ("stopped: lost for all", figures.stopped_lost_s),
        ("resumed: back for all", figures.back_s))]
    rates = ", ".join(f"{rate / 1e3:.1f} kB/s with {size}" for size, rate in figures.control_bytes_per_s.items())
    return text_table(("after", "median s", "max s"), rows, right=(1, 2)) + (
        f"false losses in {figures.lossy_s:g} s with {figures.loss:.0%} of messages lost: {figures.false_losses}\n"
        f"control traffic per agent: {rates}: {figures.control_ratio:.2f} times as much")

"""How soon all members know that one failed or came back, false alarms, and the traffic.

Agents are real processes with nothing else to do, beside a planner, in plaintext on loopback. Traffic is what leaves on
the urgent lane, by the agents' own count, in swarms of two sizes. For ten minutes of loss: `--duration 600`.
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
from swarm.core.settings.checking import check
from swarm.core.units import seconds
from swarm.membership.view import HEARTBEAT_S
from swarm.telemetry.text_table import text_table

SIZES = (8, 32)
ROUNDS = 6                           # of a death, and of a standstill
SETTLED_S = 8.0                      # newcomers are asked more often for five seconds
SETTLED_EACH_S = 0.3                 # and so many processes take their time to start
COUNTED_S = 20.0
LOSSY_S = 60.0
LOSS = 0.3
SEED = 7


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--duration", type=float, metavar="S", default=LOSSY_S,
                   help=f"seconds of the part in which messages are lost; default: {LOSSY_S:g}")


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds count from the fault's start to the last member's word of it, at the launcher."""

    agents: int
    heartbeat_s: float
    killed_lost_s: list[float]       # a round each, the slowest member
    stopped_lost_s: list[float]
    back_s: list[float]              # from SIGCONT
    within_three_heartbeats: bool
    loss: float
    lossy_s: float
    false_losses: int
    control_bytes_per_s: dict[str, float]        # of one agent, median, by size of the swarm
    control_ratio: float                         # of the larger to the smaller


def measure(
    lossy_s: float = LOSSY_S, sizes: tuple[int, int] = SIZES, rounds: int = ROUNDS, counted_s: float = COUNTED_S,
    tell: Callable[[str], None] = lambda _: None,
) -> Figures:
    """All of it; `tell` hears of the progress. Raises: BandError when an agent ends by itself."""
    traffic: dict[str, float] = {}
    with Band(sizes[0]) as band:
        tell(f"{sizes[0]} agents")
        traffic[str(sizes[0])] = _traffic(band, counted_s)
        killed, stopped, back = _detection(band, rounds, tell)
        tell(f"{lossy_s:g} s in which {LOSS:.0%} of all messages between agents are lost")
        false = _false_losses(band, lossy_s)
    with Band(sizes[1]) as band:
        tell(f"{sizes[1]} agents")
        traffic[str(sizes[1])] = _traffic(band, counted_s)
    small, large = (traffic[str(size)] for size in sizes)
    return Figures(
        agents=sizes[0], heartbeat_s=HEARTBEAT_S, killed_lost_s=killed, stopped_lost_s=stopped, back_s=back,
        within_three_heartbeats=max(*killed, *stopped) <= 3 * HEARTBEAT_S, loss=LOSS, lossy_s=lossy_s,
        false_losses=false, control_bytes_per_s=traffic, control_ratio=round(large / small, 3),
    )


def _traffic(band: Band, counted_s: float) -> float:
    """Bytes per second that an agent sends on its urgent lane; the median agent."""
    band.wait(SETTLED_S + SETTLED_EACH_S * len(band.names))
    begun_ns = band.clock.now_ns()
    band.wait(counted_s)
    rates: list[float] = []
    for heard in band.news.values():
        news = [(at, one.control_bytes) for at, one in heard if at >= begun_ns]
        (first_ns, first), (last_ns, last) = news[0], news[-1]
        rates.append((last - first) / seconds(last_ns - first_ns))
    return round(median(rates), 1)


def _detection(
    band: Band, rounds: int, tell: Callable[[str], None]
) -> tuple[list[float], list[float], list[float]]:
    draws = random.Random(SEED)
    killed: list[float] = []
    stopped: list[float] = []
    back: list[float] = []
    for i in range(rounds):
        band.wait(draws.uniform(1.0, 1.5))           # at any point of a heartbeat
        name = draws.choice(band.names)
        tell(f"round {i + 1} of {rounds}: {name} is stopped, then killed")
        since = band.stop(name)
        stopped.append(_all_say(band, "peer_lost", name, since))
        back.append(_all_say(band, "peer_back", name, band.go_on(name)))
        band.wait(draws.uniform(1.0, 1.5))
        killed.append(_all_say(band, "peer_lost", name, band.kill(name)))
        band.start(name)
        band.until(lambda name=name: band.is_ready(name))
    return killed, stopped, back


def _all_say(band: Band, what: str, name: str, since_ns: int) -> float:
    band.until(lambda: len(band.said(what, name, since_ns)) == len(band.names) - 1)
    return round(max(band.said(what, name, since_ns).values()), 3)


def _false_losses(band: Band, lossy_s: float) -> int:
    band.wait(SETTLED_S)
    band.afflict(band.names, msg.InjectedFaults(lose=LOSS, seed=SEED))
    begun_ns = band.clock.now_ns()
    band.wait(lossy_s)
    band.afflict(band.names, msg.InjectedFaults())
    return sum(at >= begun_ns and what == "peer_lost" for at, _, what, _ in band.changes)


def run(given: argparse.Namespace, tell: Callable[[str], None]) -> Figures:
    """Raises: BadInput for a duration that cannot be."""
    check(given.duration, RunSeconds, "--duration")
    return measure(given.duration, tell=tell)


def told(figures: Figures) -> str:
    """Times first, then false losses and traffic."""
    rows = [(what, f"{median(took_s):.2f}", f"{max(took_s):.2f}") for what, took_s in (
        ("killed, lost to all", figures.killed_lost_s), ("stopped, lost to all", figures.stopped_lost_s),
        ("back, known to all", figures.back_s))]
    rates = ", ".join(f"{rate / 1e3:.1f} kB/s with {size}" for size, rate in figures.control_bytes_per_s.items())
    return text_table(("after", "median s", "max s"), rows, right=(1, 2)) + (
        f"false losses in {figures.lossy_s:g} s with {figures.loss:.0%} of messages lost: {figures.false_losses}\n"
        f"control traffic per agent: {rates}: {figures.control_ratio:.2f} times as much")

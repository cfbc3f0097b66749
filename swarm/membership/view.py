"""One member's view of all others: who is alive, suspected or lost. Failure detection after SWIM, with one change.

A sign of life is an answer to one of our probes, so that it proves the way there and the way back. At every heartbeat a
bounded number of members is probed (`ring.py`). An open probe is repeated at once and often, so that lost messages do
not look like a lost member. Silence and return are gossiped to all. Gossip only triggers a probe; the state of a member
changes only by the results of our own probes.

Source: Das, Gupta, Motivala, SWIM, DSN 2002; there gossip is believed.

Deterministic: time is an argument, and methods return commands.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from swarm.core.units import NEVER_NS, ns
from swarm.membership.events import (
    PRESENT,
    Command,
    Failed,
    Joined,
    MembershipStatistics,
    Probe,
    State,
    Suspected,
    Tell,
)
from swarm.membership.gossip import GossipBudget
from swarm.membership.ring import NEIGHBOURS, Ring, ring_hash

HEARTBEAT_S = 0.25
AGAIN_S = 0.05                       # an open probe is repeated after this time
PROBE_S = 0.015                      # and then this often: with 30 % of messages lost, one of 30 round trips succeeds
SUSPECT_S = HEARTBEAT_S              # without an answer: no new work for the member, and the others are told
LOST_S = 0.44                        # without an answer; within three heartbeats of the last sign of life
GRACE_S = 0.1                        # time to probe a member ourselves when gossip calls it silent
NEW_S = 5.0                          # a new member is probed at every heartbeat for this long
EXCUSE_S = 0.1                       # a tick later than this: we were held up, so nobody else was silent
STALE_S = 15.0                       # an older boot is stale for this long; later it means that a clock was set back
MOST = 4096                          # members
PHASES = 997                         # of heartbeats
STARTS = 8                           # ended starts of a member that are remembered


class _Member(msgspec.Struct):
    state: State = "joining"
    boot: int = 0
    heard_ns: int = 0                # last message of the newest start
    answered_ns: int = -NEVER_NS
    ended: tuple[int, ...] = ()      # the last starts before this one
    trip_ns: int = 0                 # recent response time; probes are not repeated faster, to spare a slow member
    probed_ns: int = 0
    open_ns: int | None = None       # when the first probe was sent that is not answered yet
    always_until_ns: int = 0         # probed at every heartbeat until then
    changed_ns: int = 0
    told: bool = False               # by others, of a change that we have not seen yet

    @property
    def present(self) -> bool:
        return self.state in PRESENT


class Membership:
    """The view of one member. name: its own."""

    def __init__(self, name: str, neighbours: int = NEIGHBOURS) -> None:
        self._name = name
        self._members: dict[str, _Member] = {}
        self._ring = Ring(name, neighbours)
        self._gossip = GossipBudget()
        self._beat_ns: int | None = None             # the next heartbeat
        self._next_ns = 0                            # the next tick
        self._stale = 0

    # --- what is heard ---

    def joined(self, boots: Mapping[str, int], now: int) -> list[Command]:
        """Members were announced; new ones are probed at once.

        boots: the boot of each member, 0 where it is not known. It is believed even where it goes back.
        """
        out: list[Command] = []
        for name, boot in boots.items():
            member = self._members.get(name)
            if member is not None and boot not in (0, member.boot):
                out += self._begin(name, member, boot, now)
        new = [name for name in boots if name != self._name and name not in self._members]
        new = new[:MOST - len(self._members)]
        for name in new:
            self._members[name] = _Member(boot=boots[name], always_until_ns=now + ns(NEW_S), changed_ns=now)
        if not new:
            return out
        self._ring.place(self._members)
        return out + self._probe(new, now)

    def answered(self, name: str, boot: int, now: int, trip_s: float = 0.0) -> list[Command]:
        """A member answered a probe: it is alive. trip_s: its recent response time."""
        out, member = self._heard(name, boot, now)
        if member is None:
            return out
        member.open_ns, member.answered_ns, member.trip_ns = None, now, ns(trip_s)
        if member.state in ("joining", "lost"):
            out += self._returned(name, member, now)
        elif member.state == "suspect":
            member.state, member.changed_ns = "alive", now
            out.append(Suspected(name, suspected=False))
        member.told = False
        return out

    def spoke(self, name: str, boot: int, now: int) -> list[Command]:
        """A member sent something else: it is probed where it is not present."""
        out, member = self._heard(name, boot, now)
        if member is not None and member.state in ("joining", "lost") and now - member.probed_ns >= ns(PROBE_S):
            out += self._probe([name], now)
        return out

    def told(self, about: str, boot: int, silent: bool, now: int) -> list[Command]:
        """Gossip: another member says that this one is silent, or has been heard again."""
        member = self._members.get(about)
        if member is None or boot < member.boot or (silent and boot != member.boot):
            return []
        probed_lately = now - member.probed_ns < ns(PROBE_S)
        if silent and member.state in ("alive", "back"):
            if now - member.answered_ns >= ns(SUSPECT_S):    # else it has answered us since
                member.told = True
                since_ns = now - ns(SUSPECT_S) + max(ns(GRACE_S), 2 * member.trip_ns)
                member.open_ns = min(member.open_ns if member.open_ns is not None else now, since_ns)
            return [] if probed_lately else self._probe([about], now)
        if not silent and (member.state in ("joining", "lost") or boot > member.boot):
            member.told |= boot == member.boot
            member.always_until_ns = now + ns(LOST_S)
            return [] if probed_lately else self._probe([about], now)
        return []

    def is_stale(self, name: str, boot: int) -> bool:
        """Whether a message with this boot comes from a start that has ended."""
        member = self._members.get(name)
        return member is not None and (boot < member.boot or boot in member.ended)

    # --- time ---

    def tick(self, now: int, engaged: Collection[str] = ()) -> list[Command]:
        """To be called at `next_ns()`. engaged: the members that this one works with."""
        self._excuse(now)
        out: list[Command] = []
        if self._beat_ns is None:                    # own phase: heartbeats of members are spread, a loss is seen soon
            self._beat_ns = now + ns(HEARTBEAT_S) * (ring_hash(self._name) % PHASES) // PHASES
        if now >= self._beat_ns:
            self._beat_ns = max(self._beat_ns + ns(HEARTBEAT_S), now + ns(HEARTBEAT_S) // 2)
            out += self._probe(self._to_probe(now, engaged), now)
        again: list[str] = []
        for name, member in self._members.items():
            if member.state == "back" and now - member.changed_ns >= ns(HEARTBEAT_S):
                member.state, member.changed_ns = "alive", now
                out.append(Suspected(name, suspected=False))
            out += self._judge(name, member, now)
            if now >= self._again_ns(member):
                again.append(name)
        return out + self._probe(again, now)

    def next_ns(self) -> int:
        """When the next tick is due; ask again after each call that returned commands: it may be sooner."""
        self._next_ns = min([self._beat_ns or 0, *(self._again_ns(m) for m in self._members.values())])
        return self._next_ns

    # --- what is believed ---

    def state(self, name: str) -> State | None:
        member = self._members.get(name)
        return member.state if member else None

    def boot(self, name: str) -> int | None:
        """The boot of a member that is present."""
        member = self._members.get(name)
        return member.boot if member is not None and member.present else None

    def statistics(self) -> MembershipStatistics:
        return MembershipStatistics({name: member.state for name, member in self._members.items()}, self._stale)

    # --- how ---

    def _heard(self, name: str, boot: int, now: int) -> tuple[list[Command], _Member | None]:
        """The member that a message comes from; None for a stale one. A newer boot ends the start before."""
        member = self._members.get(name)
        if member is None:
            return [], None
        older = boot < member.boot and now - member.heard_ns < ns(STALE_S)
        if older or boot in member.ended:
            self._stale += 1
            return [], None
        out: list[Command] = []
        if boot != member.boot:
            out = self._begin(name, member, boot, now)
        member.heard_ns = now
        return out, member

    def _begin(self, name: str, member: _Member, boot: int, now: int) -> list[Command]:
        """A new start of a member; the one before is lost."""
        out = self._lose(name, member, now) if member.present else []
        if member.boot:
            member.ended = tuple(one for one in (*member.ended, member.boot) if one != boot)[-STARTS:]
        member.boot, member.state, member.open_ns, member.heard_ns = boot, "joining", None, now
        member.always_until_ns = now + ns(NEW_S)
        return out

    def _to_probe(self, now: int, engaged: Collection[str]) -> list[str]:
        states: dict[str, State] = {name: member.state for name, member in self._members.items()}
        always = [name for name in engaged if name in states and states[name] != "lost"]
        always += [name for name, member in self._members.items() if now < member.always_until_ns]
        return self._ring.to_probe(states, always)

    def _probe(self, names: Sequence[str], now: int) -> list[Command]:
        for name in names:
            member = self._members[name]
            member.probed_ns = now
            if member.open_ns is None and member.present:
                member.open_ns = now
        return [Probe(list(names))] if names else []

    def _again_ns(self, member: _Member) -> int:
        """When the open probe of a member is repeated."""
        if member.open_ns is None:
            return NEVER_NS
        first_ns = member.open_ns + max(ns(AGAIN_S), 2 * member.trip_ns)
        return max(first_ns, member.probed_ns + max(ns(PROBE_S), member.trip_ns // 2))

    def _judge(self, name: str, member: _Member, now: int) -> list[Command]:
        """A member whose probe is open for too long is suspected, then lost."""
        silent_ns = now - member.open_ns if member.open_ns is not None else 0
        if silent_ns >= ns(LOST_S):
            return self._lose(name, member, now)
        if silent_ns >= ns(SUSPECT_S) and member.state in ("alive", "back"):
            suspected_already = member.state == "back"
            member.state, member.changed_ns = "suspect", now
            told = [] if member.told and name not in self._ring.near() else self._tell(name, member, True, now)
            return [*([] if suspected_already else [Suspected(name, suspected=True)]), *told]
        return []

    def _lose(self, name: str, member: _Member, now: int) -> list[Command]:
        member.state, member.open_ns, member.changed_ns, member.told = "lost", None, now, False
        return [Failed(name, member.boot)]

    def _returned(self, name: str, member: _Member, now: int) -> list[Command]:
        back = member.state == "lost"
        member.state, member.changed_ns = "back" if back else "alive", now
        told = self._tell(name, member, False, now) if back and not member.told else []
        return [Joined(name, member.boot, back), *([Suspected(name, suspected=True)] if back else []), *told]

    def _tell(self, about: str, member: _Member, silent: bool, now: int) -> list[Command]:
        if not self._gossip.take(silent, len(self._members), now):
            return []
        to = [name for name, other in self._members.items() if name != about and other.present]
        return [Tell(to, about, member.boot, silent)] if to else []

    def _excuse(self, now: int) -> None:
        """While we were held up, we could hear nobody: that time counts as nobody's silence."""
        late_ns = now - self._next_ns
        if self._next_ns and late_ns > ns(EXCUSE_S):
            for member in self._members.values():
                member.always_until_ns = max(member.always_until_ns, now + ns(LOST_S))   # gossip may have been missed
                if member.open_ns is not None:
                    member.open_ns = min(member.open_ns + late_ns, now)

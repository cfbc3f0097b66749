"""One member's view of all others: alive, suspected or lost. Failure detection after SWIM, with one change.

Only an answer to one of our probes is a sign of life, because it proves both directions of the link. At every heartbeat
a bounded number of members is probed (`ring.py`): those that are watched in turn, which are the contacts, members that
have sent us a message, and those that we work with. An open probe is repeated soon and often, so that lost messages do
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
FIRST_RETRY_S = 0.05                 # an open probe is repeated after this time
RETRY_S = 0.015                      # and then this often: with 30 % of messages lost, one of 30 round trips succeeds
SUSPECT_S = HEARTBEAT_S              # without an answer: the member gets no new work, and we gossip
LOST_S = 0.44                        # without an answer; within three heartbeats of the last sign of life
GRACE_S = 0.1                        # time to probe a member ourselves when gossip calls it silent
NEW_S = 5.0                          # a new member is probed more often for this long
OWN_DELAY_S = 0.1                    # a tick later than this: we were delayed, so others may not have been silent
STALE_S = 15.0                       # an older boot is stale for this long; later it means that a clock was set back
MOST = 4096                          # members
PHASES = 997                         # of heartbeats
MOST_ENDED = 8                       # ended starts of a member that are remembered
HEARTBEAT_NS, _FIRST_RETRY_NS, _RETRY_NS = ns(HEARTBEAT_S), ns(FIRST_RETRY_S), ns(RETRY_S)
_SUSPECT_NS, _LOST_NS, _OWN_DELAY_NS, _STALE_NS = ns(SUSPECT_S), ns(LOST_S), ns(OWN_DELAY_S), ns(STALE_S)


class _Member(msgspec.Struct):
    state: State = "joining"
    boot: int = 0
    heard_ns: int = 0                # last message of the newest start
    answered_ns: int = -NEVER_NS
    ended: tuple[int, ...] = ()      # the last starts before this one
    trip_ns: int = 0                 # recent response time; probes are not repeated faster, to spare a slow member
    probed_ns: int = 0
    open_ns: int | None = None       # when the oldest unanswered probe was sent
    changed_ns: int = 0              # last change of the state
    reported: bool = False           # gossip has reported a change that our probes have not confirmed yet

    @property
    def present(self) -> bool:
        return self.state in PRESENT


class Membership:
    """The view of one member. name: its own."""

    def __init__(self, name: str, neighbours: int = NEIGHBOURS) -> None:
        self._name = name
        self._members: dict[str, _Member] = {}       # all that were announced
        self._watched: dict[str, _Member] = {}
        self._pending: dict[str, _Member] = {}       # whose probe is open, or who are back
        self._new: dict[str, int] = {}               # members that are new, and until when
        self._always: dict[str, int] = {}            # members that are probed at every heartbeat, and until when
        self._ring = Ring(name, neighbours)
        self._gossip = GossipBudget()
        self._beat_ns: int | None = None             # the next heartbeat
        self._next_ns = 0                            # the next tick
        self._stale = 0

    # --- messages ---

    def on_announced(self, boots: Mapping[str, int], now: int) -> list[Command]:
        """Members were announced; new contacts are probed at once.

        boots: the boot of each member, 0 if it is not known. It is believed even if it is older than the known one.
        """
        out: list[Command] = []
        for name, boot in boots.items():
            member = self._members.get(name)
            if member is not None and boot not in (0, member.boot):
                out += self._begin_start(name, member, boot, now)
        new = [name for name in boots if name != self._name and name not in self._members]
        new = new[:MOST - len(self._members)]
        for name in new:
            self._members[name] = _Member(boot=boots[name], changed_ns=now)
        if not new:
            return out
        self._ring.set_members(self._members)
        contacts = [name for name in self._ring.contacts if name not in self._watched]
        for name in contacts:
            self._watched[name] = self._members[name]
            self._new[name] = now + ns(NEW_S)
        return out + self._probe(contacts, now)

    def on_answer(self, name: str, boot: int, now: int, trip_s: float = 0.0) -> list[Command]:
        """A member answered a probe: it is alive. trip_s: its recent response time."""
        out, member = self._sender(name, boot, now)
        if member is None:
            return out
        member.open_ns, member.answered_ns, member.trip_ns = None, now, ns(trip_s)
        if member.state in ("joining", "lost"):
            out += self._mark_present(name, member, now)
        elif member.state == "suspect":
            member.state, member.changed_ns = "alive", now
            out.append(Suspected(name, suspected=False))
        if member.state != "back":
            self._pending.pop(name, None)
        member.reported = False
        return out

    def on_message(self, name: str, boot: int, now: int) -> list[Command]:
        """A member sent another message: it is probed if it is not present."""
        out, member = self._sender(name, boot, now)
        if member is not None and member.state in ("joining", "lost") and now - member.probed_ns >= _RETRY_NS:
            out += self._probe([name], now)
        return out

    def on_gossip(self, about: str, boot: int, silent: bool, now: int) -> list[Command]:
        """Another member reports that a member is silent, or has been heard again."""
        member = self._watched.get(about)
        if member is None or boot < member.boot or (silent and boot != member.boot):
            return []
        probed_lately = now - member.probed_ns < _RETRY_NS
        if silent and member.state in ("alive", "back"):
            if now - member.answered_ns >= _SUSPECT_NS:    # otherwise it has answered us recently
                member.reported = True
                since_ns = now - _SUSPECT_NS + max(ns(GRACE_S), 2 * member.trip_ns)
                member.open_ns = min(member.open_ns if member.open_ns is not None else now, since_ns)
                self._pending[about] = member
            return [] if probed_lately else self._probe([about], now)
        if not silent and (member.state in ("joining", "lost") or boot > member.boot):
            member.reported |= boot == member.boot
            self._always[about] = now + _LOST_NS
            return [] if probed_lately else self._probe([about], now)
        return []

    def is_stale(self, name: str, boot: int) -> bool:
        """Whether a message with this boot comes from a start that has ended."""
        member = self._members.get(name)
        return member is not None and (boot < member.boot or boot in member.ended)

    # --- time ---

    def tick(self, now: int, active_peers: Collection[str] = ()) -> list[Command]:
        """To be called at `next_ns()`. active_peers: the members that this one works with, or wants to."""
        self._forgive_own_delay(now)
        out: list[Command] = []
        if self._beat_ns is None:                    # own phase: members probe at different times; a loss is seen soon
            self._beat_ns = now + HEARTBEAT_NS * (ring_hash(self._name) % PHASES) // PHASES
        if now >= self._beat_ns:
            self._beat_ns = max(self._beat_ns + HEARTBEAT_NS, now + HEARTBEAT_NS // 2)
            out += self._probe(self._to_probe(now, active_peers), now)
        retries: list[str] = []
        for name, member in list(self._pending.items()):
            if member.state == "back" and now - member.changed_ns >= HEARTBEAT_NS:
                member.state, member.changed_ns = "alive", now
                out.append(Suspected(name, suspected=False))
            out += self._check_silence(name, member, now)
            if now >= self._retry_ns(member):
                retries.append(name)
        return out + self._probe(retries, now)

    def next_ns(self) -> int:
        """When the next tick is due. Call it again after each call that returned commands: it may be sooner."""
        self._next_ns = min([self._beat_ns or 0, *(self._retry_ns(member) for member in self._pending.values())])
        return self._next_ns

    # --- states ---

    def state(self, name: str) -> State | None:
        member = self._members.get(name)
        return member.state if member else None

    def boot(self, name: str) -> int | None:
        """The boot of a member that is present."""
        member = self._members.get(name)
        return member.boot if member is not None and member.present else None

    def contacts(self) -> list[str]:
        """The nearest members of each fleet, whose state is known at any time."""
        return list(self._ring.contacts)

    def statistics(self) -> MembershipStatistics:
        return MembershipStatistics({name: member.state for name, member in self._members.items()}, self._stale)

    # --- internals ---

    def _sender(self, name: str, boot: int, now: int) -> tuple[list[Command], _Member | None]:
        """The sender of a message; None if it is unknown or the message is stale. A newer boot ends the previous start.
        """
        member = self._members.get(name)
        if member is None:
            return [], None
        older = boot < member.boot and now - member.heard_ns < _STALE_NS
        if older or boot in member.ended:
            self._stale += 1
            return [], None
        self._watched[name] = member
        out: list[Command] = []
        if boot != member.boot:
            out = self._begin_start(name, member, boot, now)
        member.heard_ns = now
        return out, member

    def _begin_start(self, name: str, member: _Member, boot: int, now: int) -> list[Command]:
        """Record a new start of a member; the previous one is lost."""
        out = self._lose(name, member, now) if member.present else []
        if member.boot:
            member.ended = tuple(old for old in (*member.ended, member.boot) if old != boot)[-MOST_ENDED:]
        member.boot, member.state, member.open_ns, member.heard_ns = boot, "joining", None, now
        self._pending.pop(name, None)
        if name in self._watched:
            self._new[name] = now + ns(NEW_S)
        return out

    def _to_probe(self, now: int, active_peers: Collection[str]) -> list[str]:
        self._watched |= {name: self._members[name] for name in active_peers if name in self._members}
        states: dict[str, State] = {name: member.state for name, member in self._watched.items()}
        self._new = {name: until_ns for name, until_ns in self._new.items() if now < until_ns}
        self._always = {name: until_ns for name, until_ns in self._always.items() if now < until_ns}
        active = [name for name in active_peers if name in states and states[name] != "lost"]
        return self._ring.to_probe(states, [*active, *self._always], self._new)

    def _probe(self, names: Sequence[str], now: int) -> list[Command]:
        for name in names:
            member = self._members[name]
            member.probed_ns = now
            if member.open_ns is None and member.present:
                member.open_ns = now
                self._pending[name] = member
        return [Probe(list(names))] if names else []

    def _retry_ns(self, member: _Member) -> int:
        """When the open probe of a member is repeated."""
        if member.open_ns is None:
            return NEVER_NS
        first_ns = member.open_ns + max(_FIRST_RETRY_NS, 2 * member.trip_ns)
        return max(first_ns, member.probed_ns + max(_RETRY_NS, member.trip_ns // 2))

    def _check_silence(self, name: str, member: _Member, now: int) -> list[Command]:
        """Suspect a member whose probe has been open for too long; later, declare it lost."""
        silent_ns = now - member.open_ns if member.open_ns is not None else 0
        if silent_ns >= _LOST_NS:
            return self._lose(name, member, now)
        if silent_ns >= _SUSPECT_NS and member.state in ("alive", "back"):
            suspected_already = member.state == "back"
            member.state, member.changed_ns = "suspect", now
            known = member.reported and name not in self._ring.neighbours()
            gossip = [] if known else self._gossip_about(name, member, True, now)
            return [*([] if suspected_already else [Suspected(name, suspected=True)]), *gossip]
        return []

    def _lose(self, name: str, member: _Member, now: int) -> list[Command]:
        member.state, member.open_ns, member.changed_ns, member.reported = "lost", None, now, False
        self._pending.pop(name, None)
        return [Failed(name, member.boot)]

    def _mark_present(self, name: str, member: _Member, now: int) -> list[Command]:
        back = member.state == "lost"
        member.state, member.changed_ns = "back" if back else "alive", now
        self._pending |= {name: member} if back else {}
        gossip = self._gossip_about(name, member, False, now) if back and not member.reported else []
        return [Joined(name, member.boot, back), *([Suspected(name, suspected=True)] if back else []), *gossip]

    def _gossip_about(self, about: str, member: _Member, silent: bool, now: int) -> list[Command]:
        if not self._gossip.take(silent, len(self._members), now):
            return []
        to = [name for name, other in self._watched.items() if name != about and other.present]
        return [Tell(to, about, member.boot, silent)] if to else []

    def _forgive_own_delay(self, now: int) -> None:
        """While we were delayed we could receive nothing, so that time does not count as silence of others."""
        late_ns = now - self._next_ns
        if self._next_ns and late_ns > _OWN_DELAY_NS:
            self._always = dict.fromkeys(self._watched, now + _LOST_NS)        # gossip may have been missed
            for member in self._pending.values():
                if member.open_ns is not None:
                    member.open_ns = min(member.open_ns + late_ns, now)

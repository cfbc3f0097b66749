"""Who is there: which members of the swarm are alive, whom to ask for a sign of life, when silence means loss.

A sign of life is an answer to something of ours, so that it shows the way there and the way back. Every heartbeat a
bounded number of members is asked: the neighbours on a ring of all, those that are worked with, and one of the others
in turn. Who leaves a question open is asked again at once and often, so that lost messages do not look like a loss.
Silence and return are told to all: hearsay makes one ask, but only what one hears, or does not hear, oneself is
believed. (Failure detection after SWIM: Das, Gupta, Motivala 2002; there hearsay is believed.)

Deterministic: time is an argument, what is to be done comes back as commands.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence

import msgspec

from swarm.core.clock import NEVER_NS, ns, seconds
from swarm.membership.events import Ask, Came, Command, Doubted, Lost, MembershipStatistics, State, Tell

HEARTBEAT_S = 0.25
AGAIN_S = 0.05                       # after a question that is left open: it is asked again
PROBE_S = 0.015                      # and so often; with three frames in ten lost, one of 30 round trips comes through
TELLS, TELLS_PER_S = 2, 0.5
"""Rumours of a kind: at once, for each member, and then in all. Who hears nobody, again and again, is late itself."""
SUSPECT_S = HEARTBEAT_S              # without an answer: no new work, and the others are told
LOST_S = 0.44                        # without an answer; within three heartbeats of its last sign of life
GRACE_S = 0.1                        # for who is told of a silence, to ask for itself
NEW_S = 5.0                          # for so long a newcomer is asked at every heartbeat
EXCUSE_S = 0.1                       # a tick that is later than this: it was we who were silent
GHOST_S = 15.0                       # for so long an older boot is a ghost; after that, the clock there was set back
NEIGHBOURS = 6                       # on the ring, half of them on each side
ABSENT = 6                           # of those that are not there, asked at each heartbeat in turn
MOST = 4096                          # members
PHASES = 997                         # of heartbeats
STARTS = 8                           # of a member that are known to be over


class _Member(msgspec.Struct):
    place: int                       # on the ring
    state: State = "joining"
    boot: int = 0
    heard_ns: int = 0                # the newest start's last word
    answered_ns: int = -NEVER_NS
    over: tuple[int, ...] = ()       # the last starts before this one
    trip_ns: int = 0                 # what its answers take; asked far more often, who is late would be later still
    asked_ns: int = 0
    open_ns: int | None = None       # when the first question was asked that is still open
    until_ns: int = 0                # asked at every heartbeat till then
    changed_ns: int = 0
    told: bool = False               # by others, of the change that we have not seen yet


class Membership:
    """One member's view of all others."""

    def __init__(self, name: str, neighbours: int = NEIGHBOURS) -> None:
        self._name, self._half = name, (neighbours + 1) // 2     # neighbours on each side
        self._members: dict[str, _Member] = {}
        self._ring: list[str] = []                   # all but oneself, beginning behind oneself
        self._beats = 0
        self._told: dict[bool, tuple[float, int]] = {True: (0.0, 0), False: (0.0, 0)}
        """Rumours of silence and of return: how many count against what may be told, and since when."""
        self._beat_ns: int | None = None
        self._next_ns = 0
        self._came = self._lost = self._ghosts = self._asked = self._asked_again = 0

    # --- what is heard ---

    def joined(self, boots: Mapping[str, int], now: int) -> list[Command]:
        """Members that were announced; those that are new are greeted.

        boots: which start of each it is, if that is known, else 0. It counts, even where its clock was set back.
        """
        out: list[Command] = []
        for name, boot in boots.items():
            member = self._members.get(name)
            if member is not None and boot not in (0, member.boot):
                out += self._begins(name, member, boot, now)
        new = [name for name in boots if name != self._name and name not in self._members]
        new = new[:MOST - len(self._members)]
        for name in new:
            self._members[name] = _Member(
                place=_place(name), boot=boots[name], until_ns=now + ns(NEW_S), changed_ns=now)
        if not new:
            return out
        own = (_place(self._name), self._name)
        order = sorted((member.place, name) for name, member in self._members.items())
        self._ring = [name for _, name in [*(p for p in order if p > own), *(p for p in order if p < own)]]
        return out + self._ask(new, now)

    def answered(self, name: str, boot: int, now: int, trip_s: float = 0.0) -> list[Command]:
        """A member has answered something of ours: it is alive. trip_s: what its answers take of late."""
        out, member = self._heard(name, boot, now)
        if member is None:
            return out
        member.open_ns, member.answered_ns, member.trip_ns = None, now, ns(trip_s)
        if member.state in ("joining", "lost"):
            out += self._returned(name, member, now)
        elif member.state == "suspect":
            member.state, member.changed_ns = "alive", now
            out.append(Doubted(name, doubted=False))
        member.told = False
        return out

    def spoke(self, name: str, boot: int, now: int) -> list[Command]:
        """A member has said something by itself: worth a question if it was not believed to be there."""
        out, member = self._heard(name, boot, now)
        if member is not None and member.state in ("joining", "lost") and now - member.asked_ns >= ns(PROBE_S):
            out += self._ask([name], now)
        return out

    def told(self, about: str, boot: int, silent: bool, now: int) -> list[Command]:
        """Another member says that this one is silent, or has been heard again."""
        member = self._members.get(about)
        if member is None or boot < member.boot or (silent and boot != member.boot):
            return []
        asked_lately = now - member.asked_ns < ns(PROBE_S)
        if silent and member.state in ("alive", "back"):
            if now - member.answered_ns >= ns(SUSPECT_S):    # else we have heard it ourselves since
                member.told = True
                since_ns = now - ns(SUSPECT_S) + max(ns(GRACE_S), 2 * member.trip_ns)
                member.open_ns = min(member.open_ns if member.open_ns is not None else now, since_ns)
            return [] if asked_lately else self._ask([about], now)
        if not silent and (member.state in ("joining", "lost") or boot > member.boot):
            member.told |= boot == member.boot
            member.until_ns = now + ns(LOST_S)
            return [] if asked_lately else self._ask([about], now)
        return []

    def is_ghost(self, name: str, boot: int) -> bool:
        """Whether this is the word of a start that is over."""
        member = self._members.get(name)
        return member is not None and (boot < member.boot or boot in member.over)

    # --- time ---

    def tick(self, now: int, engaged: Collection[str] = ()) -> list[Command]:
        """To be called at `next_ns()`. engaged: members that are worked with."""
        self._excuse(now)
        out: list[Command] = []
        if self._beat_ns is None:                    # a phase of one's own: somebody soon sees that another is gone
            self._beat_ns = now + ns(HEARTBEAT_S) * (_place(self._name) % PHASES) // PHASES
        if now >= self._beat_ns:
            self._beats += 1
            self._beat_ns = max(self._beat_ns + ns(HEARTBEAT_S), now + ns(HEARTBEAT_S) // 2)
            out += self._ask(self._whom(now, engaged), now)
        again: list[str] = []
        for name, member in self._members.items():
            if member.state == "back" and now - member.changed_ns >= ns(HEARTBEAT_S):
                member.state, member.changed_ns = "alive", now
                out.append(Doubted(name, doubted=False))
            out += self._silent(name, member, now)
            if now >= self._again_ns(member):
                again.append(name)
        self._asked_again += len(again)
        out += self._ask(again, now)
        return out

    def next_ns(self) -> int:
        """When the next tick is due; sooner, perhaps, after anything that gave commands."""
        self._next_ns = min([self._beat_ns or 0, *(self._again_ns(m) for m in self._members.values())])
        return self._next_ns

    # --- what is believed ---

    def state(self, name: str) -> State | None:
        member = self._members.get(name)
        return member.state if member else None

    def boot(self, name: str) -> int | None:
        """The newest start of a member that is not lost."""
        member = self._members.get(name)
        return member.boot if member is not None and _present(member) else None

    def statistics(self) -> MembershipStatistics:
        return MembershipStatistics(
            states={name: member.state for name, member in self._members.items()}, came=self._came, lost=self._lost,
            ghosts=self._ghosts, asked=self._asked, asked_again=self._asked_again,
        )

    # --- how ---

    def _heard(self, name: str, boot: int, now: int) -> tuple[list[Command], _Member | None]:
        """The member that this is the word of; a newer start ends the one before, an older one is a ghost's."""
        member = self._members.get(name)
        if member is None:
            return [], None
        older = boot < member.boot and now - member.heard_ns < ns(GHOST_S)
        if older or boot in member.over:
            self._ghosts += 1
            return [], None
        out: list[Command] = []
        if boot != member.boot:
            out = self._begins(name, member, boot, now)
        member.heard_ns = now
        return out, member

    def _begins(self, name: str, member: _Member, boot: int, now: int) -> list[Command]:
        """A start that is not the one before; what that one had is gone."""
        out = self._gone(name, member, now) if _present(member) else []
        if member.boot:
            member.over = tuple(one for one in (*member.over, member.boot) if one != boot)[-STARTS:]
        member.boot, member.state, member.open_ns, member.heard_ns = boot, "joining", None, now
        member.until_ns = now + ns(NEW_S)
        return out

    def _whom(self, now: int, engaged: Collection[str]) -> list[str]:
        """Neighbours, engaged and new ones; of the others some of the absent and one of the present, in turn."""
        chosen: dict[str, None] = {}
        half = self._half
        for side in (self._ring, self._ring[::-1]):
            present = 0
            for place, name in enumerate(side):
                if present >= half or place >= 4 * half:
                    break
                absent = self._members[name].state == "lost"
                present += not absent
                if not absent or place < half:
                    chosen[name] = None
        chosen |= dict.fromkeys(n for n in engaged if n in self._members and self._members[n].state != "lost")
        chosen |= dict.fromkeys(name for name, member in self._members.items() if now < member.until_ns)
        others = [name for name in self._ring if name not in chosen]
        absent = [name for name in others if not _present(self._members[name])]
        chosen |= dict.fromkeys(self._in_turn(absent, ABSENT))       # who is dead costs nothing: it cannot be reached
        chosen |= dict.fromkeys(self._in_turn([name for name in others if name not in absent], 1))
        return list(chosen)

    def _in_turn(self, names: Sequence[str], most: int) -> list[str]:
        """So many of them, others each heartbeat."""
        at = self._beats * most % len(names) if names else 0
        return [*names[at:], *names[:at]][:most]

    def _near(self) -> list[str]:
        """Neighbours, who all tell of each other's silence: one rumour alone may be lost on its way."""
        return self._ring[:self._half] + self._ring[-self._half:]

    def _ask(self, names: Sequence[str], now: int) -> list[Command]:
        for name in names:
            member = self._members[name]
            member.asked_ns = now
            if member.open_ns is None and _present(member):
                member.open_ns = now
        self._asked += len(names)
        return [Ask(list(names))] if names else []

    def _again_ns(self, member: _Member) -> int:
        if member.open_ns is None:
            return NEVER_NS
        first_ns = member.open_ns + max(ns(AGAIN_S), 2 * member.trip_ns)
        return max(first_ns, member.asked_ns + max(ns(PROBE_S), member.trip_ns // 2))

    def _silent(self, name: str, member: _Member, now: int) -> list[Command]:
        """What a question that is left open for so long means."""
        silent_ns = now - member.open_ns if member.open_ns is not None else 0
        if silent_ns >= ns(LOST_S):
            return self._gone(name, member, now)
        if silent_ns >= ns(SUSPECT_S) and member.state in ("alive", "back"):
            doubted = member.state == "alive"
            member.state, member.changed_ns = "suspect", now
            told = [] if member.told and name not in self._near() else self._tell(name, member, True, now)
            return [*([Doubted(name, doubted=True)] if doubted else []), *told]
        return []

    def _gone(self, name: str, member: _Member, now: int) -> list[Command]:
        self._lost += 1
        member.state, member.open_ns, member.changed_ns, member.told = "lost", None, now, False
        return [Lost(name, member.boot)]

    def _returned(self, name: str, member: _Member, now: int) -> list[Command]:
        self._came += 1
        back = member.state == "lost"
        member.state, member.changed_ns = "back" if back else "alive", now
        told = self._tell(name, member, False, now) if back and not member.told else []
        return [Came(name, member.boot, back), *([Doubted(name, doubted=True)] if back else []), *told]

    def _tell(self, about: str, member: _Member, silent: bool, now: int) -> list[Command]:
        many, since_ns = self._told[silent]
        many = max(0.0, many - TELLS_PER_S * seconds(now - since_ns))
        if many + 1.0 > TELLS * len(self._members):
            return []
        self._told[silent] = many + 1.0, now
        to = [name for name, other in self._members.items() if name != about and _present(other)]
        return [Tell(to, about, member.boot, silent)] if to else []

    def _excuse(self, now: int) -> None:
        """While we were held up, nobody could be heard."""
        late_ns = now - self._next_ns
        if self._next_ns and late_ns > ns(EXCUSE_S):
            for member in self._members.values():
                member.until_ns = max(member.until_ns, now + ns(LOST_S))     # what was told meanwhile may be missed
                if member.open_ns is not None:
                    member.open_ns = min(member.open_ns + late_ns, now)


def _present(member: _Member) -> bool:
    return member.state in ("alive", "suspect", "back")


def _place(name: str) -> int:
    """On the ring: spread, and the same for all."""
    return zlib.crc32(name.encode())

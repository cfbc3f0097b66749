"""The planted faults: mistakes that a programmer could make, each as exact replacements in the code.

A replacement whose old text is not found exactly once is refused, so that the list follows the code.
"""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """Text of a file, and what it becomes."""

    file: str
    old: str
    new: str


class Planted(NamedTuple):
    """A fault. breaks: the invariant by which it is found. full: small launches cannot show it, so they are not tried.
    """

    name: str
    breaks: str
    changes: list[Change]
    full: bool = False


VIEW = "swarm/membership/view.py"
DETECTOR = "swarm/membership/failure_detector.py"
RECEIVER = "swarm/transport/bulk/receiver.py"
WINDOW = "swarm/transport/bulk/window.py"
OWN = "agents/scheduling/own_requests.py"
PERFORMER = "agents/performer.py"
PLACEMENTS = "agents/scheduling/placements.py"
TABLE = "agents/peers/table.py"
PLANNER = "swarm/planner/state.py"

FAULTS = [
    # --- membership ---
    Planted("a dead member is never lost", "all views agree", [Change(
        VIEW, "        if silent_ns >= _LOST_NS:\n",
        '        if silent_ns >= _LOST_NS and member.state != "suspect":\n',
    )]),
    Planted("gossip is believed", "who answers is not lost", [Change(
        VIEW, '        if silent and member.state in ("alive", "back"):\n',
        '        if silent and member.present:\n            return self._lose(about, member, now)\n'
        '        if silent and member.state in ("alive", "back"):\n',
    )]),
    Planted("a restarted member keeps its old boot", "all views agree", [Change(
        VIEW, 'member.boot, member.state, member.open_ns, member.heard_ns = boot, "joining", None, now',
        'member.state, member.open_ns, member.heard_ns = "joining", None, now',
    )], full=True),
    Planted("a lost member is tried without end", "the lost are tried seldom", [Change(
        VIEW, 'member.state, member.open_ns, member.changed_ns, member.reported = "lost", None, now, False\n'
        "        self._pending.pop(name, None)\n",
        'member.state, member.changed_ns, member.reported = "lost", now, False\n',
    )]),
    Planted("the timer of a heartbeat is not cancelled", "timers are bounded", [Change(
        DETECTOR, "        if self._timer is not None:\n            self._timer.cancel()\n", "",
    )]),

    # --- transport ---
    Planted("a partition leaks", "a partition holds", [Change(
        "swarm/transport/fault_injection.py",
        "self.active = bool(faults.deaf_to or faults.lose or faults.corrupt)",
        "self.active = bool(faults.lose or faults.corrupt)",
    )]),
    Planted("the receipt of a small message is lost", "what arrives is acknowledged", [Change(
        RECEIVER, "        self.owes_receipt = True\n",
        "        self.owes_receipt = self.unreceipted_bytes >= 64 << 10\n",
    )]),
    Planted("a window is never given back", "queues and windows are bounded", [Change(
        WINDOW, "            self.in_flight_bytes -= newest.size\n", "",
    ), Change(
        WINDOW, "        self._progress_ns, self._silent, self._opening = now, 0, False\n",
        "        self._progress_ns, self._silent, self._opening = now, 0, False\n"
        "        self.in_flight_bytes -= newest.size\n",
    )]),
    Planted("the bytes of a cancelled message still count", "queues and windows are bounded", [Change(
        "swarm/transport/bulk/sender.py",
        "        self._waiting_bytes -= queued.size\n        self._dropped[reason] += 1\n",
        "        self._waiting_bytes -= queued.left\n        self._dropped[reason] += 1\n",
    )], full=True),
    Planted("a restarted member is not connected again", "all views agree", [Change(
        "swarm/transport/members.py",
        "member.name == self._own or self._joined.get(member.name) == member",
        "member.name == self._own or member.name in self._joined",
    )], full=True),

    # --- scheduling ---
    Planted("a lost peer is asked", "nobody gives work to who is lost to it", [
        Change(TABLE, "peer = self._peers.pop(name, None)\n", "peer = self._peers.get(name)\n"),
        Change(TABLE, "if peer.profiles and not peer.suspected and now", "if peer.profiles and now"),
    ]),
    Planted("a cancel is forgotten", "what is no longer wanted is cancelled", [Change(
        "agents/scheduling/offloads.py",
        "        out += [ev.CancelStage(request=span.request, peer=holder) for holder in state.holders]\n", "",
    )]),
    Planted("a request waits for a dead peer", "nobody waits for who is lost to it", [Change(
        OWN, '            if state.awaiting:\n                self._return_home(state, "peer_lost", now, out)\n',
        '            if state.awaiting and state.holders:\n'
        '                self._return_home(state, "peer_lost", now, out)\n',
    )]),
    Planted("a late result is delivered twice", "a result is delivered at most once", [Change(
        "agents/robot.py", "        if outcome is not None:\n            if self._recording",
        '        if outcome is not None and span.ending == "late":\n'
        "            self._acting.on(Perceived(\n"
        "                stream=span.stream, outcome=outcome, pose=data.pose, age_s=span.latency_s))\n"
        "        if outcome is not None:\n            if self._recording",
    )]),
    Planted("a cancelled offload keeps its request open", "memory is bounded", [Change(
        OWN, "            self._offloads.cancel(state, now, out)\n        del self._open[span.request]\n",
        "            self._offloads.cancel(state, now, out)\n        else:\n            del self._open[span.request]\n",
    )]),
    Planted("a request without an answer is forgotten", "a request ends exactly once", [Change(
        OWN, "            out.append(ev.SetTimer(at_ns=now + GRACE_NS, event=ev.GivenUp(request=request)))\n",
        "            return\n",
    )]),
    Planted("the input of a cancelled request is kept", "memory is bounded", [Change(
        PERFORMER, "        self._peer_inputs.pop(request, None)\n        self._resume_inputs",
        "        self._resume_inputs",
    )]),
    Planted("a timer of a request is not cancelled", "timers end with their request", [Change(
        PERFORMER, "            for timer in self._timers.pop(command.request, ()):\n                timer.cancel()\n",
        "            for timer in self._timers.pop(command.request, ())[1:]:\n                timer.cancel()\n",
    )]),
    Planted("a guard never fires", "a guarded request is on time", [Change(
        "agents/scheduling/own_requests.py",
        "self._guards.fire(request, now)", "self._guards.fire(request, now)[:0]",
    )]),
    Planted("a plan's lease never ends", "no two planners lead", [Change(
        PLACEMENTS, "        return self._placed.get(stream) if now < self._until_ns else None\n",
        "        return self._placed.get(stream)\n",
    )], full=True),
    Planted("the epoch of a plan is ignored", "no two planners lead", [Change(
        PLACEMENTS, "        if older and now < self._until_ns:\n            return\n", "",
    )], full=True),

    # --- planner ---
    Planted("the planner keeps a lost agent", "nobody gives work to who is lost to it", [Change(
        PLANNER, "                self._present.pop(name, None)\n", "",
    )]),
    Planted("a solution for an old team is adopted", "nobody gives work to who is lost to it", [Change(
        PLANNER, "        if event.basis != (self._team, self._plan.epoch) or",
        "        if event.basis[1] != self._plan.epoch or",
    )]),
    Planted("the epoch grows only with the team", "no two planners lead", [Change(
        PLANNER, "epoch=max(self._plan.epoch, self._leadership.epoch) + 1, placements=solution",
        "epoch=max(self._plan.epoch, self._team), placements=solution",
    )]),

    # --- run and telemetry ---
    Planted("agent_lost is not told after a kill", "a request ends exactly once", [Change(
        "swarm/run/director.py", "            self._order(ev.ProcessLost(name, boot, how, killed))\n",
        "            if not killed:\n                self._order(ev.ProcessLost(name, boot, how, killed))\n",
    )]),
    Planted("a fault is never cleared", "all views agree", [Change(
        "swarm/run/faults.py",
        "        for name in affected(fault):\n            self._tell(name)\n        if fault.for_s:\n"
        "            self._order(ev.FaultCleared(fault))\n",
        "        if fault.for_s:\n            self._order(ev.FaultCleared(fault))\n",
    )]),
    Planted("a drain is not looked at again", "every process ends", [Change(
        "agents/robot.py",
        "        if self._scheduler.open_requests() or len(self._outbox):\n"
        "            self._timers.after(ns(DRAIN_CHECK_S), self._drain)\n",
        "        if self._scheduler.open_requests() or len(self._outbox):\n",
    )]),
    Planted("an answer is counted twice", "a request ends exactly once", [Change(
        "swarm/telemetry/ledger.py", '        elif span.ending == "late":\n', '        if span.ending == "late":\n',
    )]),
]

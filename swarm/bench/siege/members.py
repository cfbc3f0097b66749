"""Attacks of an enrolled member that was taken over. Each attack returns how many messages it has sent."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from swarm.bench.siege.wires import Sender, header_frame, picture
from swarm.bench.siege.words import ATTACKER, HONEST, VICTIM, Target
from swarm.core.clock import MonotonicClock
from swarm.core.policy.plan import Leg, Profile, StreamSpec
from swarm.core.protocol import messages as msg
from swarm.core.protocol.bounds import MOST_MEMBERS
from swarm.core.protocol.messages.presence import MOST_PROFILES
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.protocol.wire import TensorHeader
from swarm.core.protocol.world import Detection, Detections
from swarm.core.units import NS

LONG = 64 * "x"
CONNECTIONS_PER_S, MOST_SENDERS = 100.0, 200
TRANSFER_BYTES, PIECE = 15 << 20, np.zeros(512 << 10, np.uint8)
STREAM = StreamSpec(name="s", model="detector", rate_hz=20.0, deadline_s=1.0, priority=1000)

Clock = MonotonicClock
Attack = Callable[[Target, Clock], int]


def _flood(target: Target, clock: Clock, frames: Iterator[bytes], lane: str = "urgent", launcher: bool = False) -> int:
    """Send as fast as this core can."""
    sender, sent = Sender(target, launcher=launcher), 0
    until_ns = clock.now_ns() + int(target.for_s * NS)
    while clock.now_ns() < until_ns:
        sent += sender.frames([next(frames)], lane)
    sender.close()
    return sent


def _same(body: msg.Body, lane: str = "urgent", **fields: Any) -> Attack:
    """A flood of one message."""
    def attack(target: Target, clock: Clock) -> int:
        return _flood(target, clock, itertools.repeat(header_frame(body, **fields)), lane)

    return attack


def _ask(sequence: int, owner: str = ATTACKER, boot: int = 1, **more: Any) -> msg.StageAsk:
    plain = {"model": "detector", "variant": "int8", "priority": 0, **more}
    return msg.StageAsk(request=RequestId(owner, boot, sequence), frame=Frame(1, "s", sequence), **plain)


def _asks(owners: tuple[str, ...], budget_s: float, per_s: float, **more: Any) -> Attack:
    """Asks for whole runs, each with its input, at a rate."""
    def attack(target: Target, clock: Clock) -> int:
        sender, sent, began_ns = Sender(target), 0, clock.now_ns()
        sender.say(msg.Advert(board="b", executors=1, profiles=[], streams=[STREAM]))
        while (passed_s := (clock.now_ns() - began_ns) / NS) < target.for_s:
            if sent < passed_s * per_s:
                owner = owners[sent % len(owners)]
                sender.say(_ask(sent, owner, **more), [picture()], lane="bulk", budget_s=budget_s)
                sent += 1
        sender.close()
        return sent

    return attack


def forged_answers(target: Target, clock: Clock) -> int:
    """Answers to requests that the attacker was never asked."""
    def frames() -> Iterator[bytes]:
        for sequence in itertools.cycle(range(1, 400)):
            answer = msg.StageAnswer(
                request=RequestId(VICTIM, target.boot, sequence), outcome=Detections(boxes=[]), run_s=0.0,
                waited_s=0.0, held_s=0.0)
            yield header_frame(answer)

    return _flood(target, clock, frames())


def forged_endings(target: Target, clock: Clock) -> int:
    """The victim's requests submitted and ended at the launcher, by another."""
    def frames() -> Iterator[bytes]:
        for sequence in itertools.count(1):
            request = RequestId(VICTIM, target.boot, sequence)
            yield header_frame(msg.Submitted(request=request, frame=Frame(1, "s", sequence), due_s=0.0))
            yield header_frame(msg.Ended(span=Span(
                request=request, stream="s", model="detector", priority=0, captured_ns=0, submitted_ns=0,
                deadline_ns=1, ran_on=ATTACKER, ending="completed")))

    return _flood(target, clock, frames(), launcher=bool(target.launcher))


def transfers_left_open(target: Target, clock: Clock) -> int:
    """Transfers of 15 MiB each, of which all but the last piece comes."""
    sender, sent, number = Sender(target), 0, 0
    until_ns = clock.now_ns() + int(target.for_s * NS)
    for transfer in itertools.count(1):
        number += 1
        sender.say(_ask(transfer), lane="bulk", number=number, transfer=transfer, budget_s=60.0,
                   announced=[TensorHeader("uint8", [TRANSFER_BYTES])])
        for offset in range(0, TRANSFER_BYTES - PIECE.nbytes, PIECE.nbytes):
            number += 1
            chunk = msg.Chunk(transfer=transfer, tensor=0, offset=offset)
            sent += sender.say(chunk, [PIECE], lane="bulk", number=number)
            if clock.now_ns() > until_ns:
                sender.close()
                return sent
    raise AssertionError("transfers have no end")


def message_without_end(target: Target, clock: Clock) -> int:
    """Frames of 1 MiB of one message whose last frame never comes."""
    sender, sent = Sender(target), 0
    piece, until_ns = bytes(1 << 20), clock.now_ns() + int(target.for_s * NS)
    while clock.now_ns() < until_ns:
        sent += sender.more(piece)
    sender.close()
    return sent


def many_connections(target: Target, clock: Clock) -> int:
    """100 connections a second of one key on each lane, each of which says one thing and stays."""
    senders, made, body, began_ns = list[Sender](), 0, msg.Heartbeat(sequence=1), clock.now_ns()
    while (passed_s := (clock.now_ns() - began_ns) / NS) < target.for_s:
        if made < passed_s * CONNECTIONS_PER_S:
            senders.append(Sender(target, reconnects=False))
            made += 1
        for sender in senders[-10:]:
            sender.say(body)
        if len(senders) > MOST_SENDERS:
            senders.pop(0).close()
    return made


def _members(count: int) -> list[msg.Member]:
    return [msg.Member(name=f"m{k}{LONG}"[:64], role="agent", urgent="tcp://127.0.0.1:9", bulk="tcp://127.0.0.1:9",
                       public_key=40 * "a") for k in range(count)]


def invented_members(target: Target, clock: Clock) -> int:
    """Introductions of members that nobody has enrolled."""
    frames = [header_frame(msg.Introduction(members=_members(MOST_MEMBERS)), number=0)]
    return _flood(target, clock, itertools.cycle(frames), "bulk")


PROFILES = [Profile(model=LONG, variant=f"{k}{LONG}"[:64], p50_s=0.001, p95_s=0.001, memory_bytes=1, accuracy=1.0,
                    input_bytes=1) for k in range(MOST_PROFILES)]
LINKS = {f"{k}{LONG}"[:64]: (0.001, 1e6) for k in range(MOST_MEMBERS)}
BOXES = Detections(boxes=[Detection(1, 0.5, 1.0, 2.0, 3.0, 4.0)] * 4096)
FINDS = b"\x01\x28" + 40 * b"\x01\x00\x10\x00\x20\x00"       # forty places where targets were found

ATTACKS: dict[str, Attack] = {
    "heartbeats": _same(msg.Heartbeat(sequence=1)),
    "adverts": _same(msg.Advert(board=LONG, executors=1, profiles=PROFILES, streams=[STREAM]), "bulk"),
    "introductions": invented_members,
    "gossip": _same(msg.Gossip(about=HONEST, boot=1, silent=True)),
    "notes": _same(msg.Shared(topic=LONG, data=bytes(60_000)), "bulk"),
    "gossip_of_found": _same(msg.Shared(topic="search.finds", data=FINDS)),
    "large_answers": _same(msg.StageAnswer(
        request=RequestId(ATTACKER, 1, 1), outcome=BOXES, run_s=0.0, waited_s=0.0, held_s=0.0), "bulk"),
    "cancellations": _same(msg.StageCancel(request=RequestId(ATTACKER, 1, 1))),
    "log_lines": _same(msg.Happened(what="flood", detail={"x": 900 * "y"})),
    "long_strings": _same(msg.Happened(what=900_000 * "x"), "bulk"),
    "links": _same(msg.Feedback(links=LINKS), "bulk"),
    "asks_in_others_names": _asks(tuple(f"robot_{k}" for k in range(5)), 5.0, 500.0, first=1, last=2,
                                  route=[Leg(HONEST, 2, 3)]),
    "asks_of_priority_1000": _asks((ATTACKER,), 0.2, 40.0, priority=1000),
    "asks_never_collected": _asks((ATTACKER,), 60.0, 200.0),
    "forged_answers": forged_answers,
    "forged_endings": forged_endings,
    "transfers_left_open": transfers_left_open,
    "message_without_end": message_without_end,
    "many_connections": many_connections,
}

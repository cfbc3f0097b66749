"""The battery of a robot, as its body tells it, and what its computer takes from it. Deterministic.

The battery belongs to the body, which knows what moves; the agent tells it what the board and its radio have used.
"""

from __future__ import annotations

from msgspec.structs import replace

from swarm.core.ports import Health, Machine, Transport
from swarm.core.protocol.messages import AgentNews, EnergyUsed
from swarm.core.protocol.sensors import Battery, SensorSuite
from swarm.core.protocol.world import Observation
from swarm.core.settings.process_files import AgentFile

SENT_J, SENT_J_PER_BYTE = 420e-6, 1.9e-6
RECEIVED_J, RECEIVED_J_PER_BYTE = 330e-6, 0.42e-6
"""Of each message by radio: 802.11 in ad hoc mode, as measured. Source: Feeney, An energy consumption model for
performance analysis of routing protocols for mobile ad hoc networks, MONET 6, 2001 (to one receiver). A radio that
listens is in the idle power of the board."""


class BodyBattery:
    """Of one robot, whose body states by a sensor `Battery` whether it has one."""

    def __init__(self, settings: AgentFile, net: Transport, machine: Machine) -> None:
        self._settings, self._net, self._machine = settings, net, machine
        self.health = Health()                       # of the board, with the battery of the body: as last told
        self._sensors: SensorSuite | None = None
        self._sensor = ""                            # name of the sensor; empty: the body has none
        self._charge: float | None = None
        self._left_wh: float | None = None

    def observed(self, observation: Observation, sensors: SensorSuite | None) -> None:
        """Take in what the battery's sensor reads; what makes no sense counts for nothing. sensors: of the body."""
        if sensors is not self._sensors:
            self._sensors, self._sensor = sensors, next(iter(sensors.all(Battery)), "") if sensors is not None else ""
        reading = observation.readings.get(self._sensor)
        if reading is not None and len(reading.values) >= 2 and 0.0 <= reading.values[0] <= 1.0:
            self._charge, self._left_wh = reading.values[0], max(reading.values[1], 0.0)

    def tell(self, news: AgentNews) -> None:
        """Look at the board, and tell the body what it has used so far. news: the newest figures of this robot."""
        health = Health() if self._settings.board.emulated else self._machine.health()   # not that of its host
        self.health = health if self._charge is None else replace(
            health, battery=self._charge, battery_wh=self._left_wh)
        if not self._sensor:
            return
        board, (sent, sent_bytes, received, received_bytes) = self._settings.board, self._net.traffic().radio
        self._net.send(self._settings.body, EnergyUsed(
            compute_j=board.used_j(news.available_s / board.executors, news.busy_s),
            radio_j=SENT_J * sent + SENT_J_PER_BYTE * sent_bytes
            + RECEIVED_J * received + RECEIVED_J_PER_BYTE * received_bytes))

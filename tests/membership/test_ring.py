"""Whom a member watches, and whom it probes at a heartbeat."""

from __future__ import annotations

from swarm.membership.events import State
from swarm.membership.ring import ABSENT, CONTACTS, NEIGHBOURS, NEW, Ring

ROVERS = [f"rover_{i}" for i in range(800)]
CARRIERS = [f"carrier_{i}" for i in range(200)]


def ring(own: str, names: list[str]) -> Ring:
    made = Ring(own, NEIGHBOURS)
    made.set_members([name for name in names if name != own])
    return made


def test_in_a_small_swarm_all_are_contacts() -> None:
    names = ROVERS[:CONTACTS] + CARRIERS[:CONTACTS]
    assert sorted(ring("rover_0", names).contacts) == sorted(set(names) - {"rover_0"})


def test_in_a_large_swarm_the_contacts_are_the_nearest_of_each_fleet_and_neighbours_among_them() -> None:
    for own in ("rover_0", "carrier_7"):
        made = ring(own, ROVERS + CARRIERS)
        fleets = [name.partition("_")[0] for name in made.contacts]
        assert (fleets.count("rover"), fleets.count("carrier")) == (CONTACTS, CONTACTS)
        assert set(made.neighbours()) <= set(made.contacts)


def test_near_members_of_one_fleet_are_contacts_of_each_other() -> None:
    rings = {name: ring(name, ROVERS) for name in ROVERS}
    assert all(name in rings[other].contacts for name in ROVERS for other in rings[name].contacts)


def test_few_of_many_new_members_are_probed_at_a_heartbeat_those_not_heard_yet_first() -> None:
    made = ring("rover_0", ROVERS)
    states: dict[str, State] = dict.fromkeys(made.contacts, "joining")
    seen: set[str] = set()
    for beat in range(8):
        probed = made.to_probe(states, new=made.contacts)
        assert len(probed) <= NEIGHBOURS + NEW + ABSENT + 1
        seen |= set(probed)
        states |= dict.fromkeys(probed, "alive")
        if beat == 2:
            assert len(seen) > CONTACTS - NEIGHBOURS     # all others have been probed once
    assert seen == set(made.contacts)

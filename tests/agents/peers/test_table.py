"""The table of peers, due frames and guards: deterministic parts of one robot."""

from __future__ import annotations

import msgspec
import pytest

from agents.peers.table import ACTIVE_S, PeerTable
from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Leg, StageProfile
from swarm.core.protocol.messages import Advert
from swarm.core.protocol.spans import LegTimes
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, request


def advert(number: int = 1, **times: float) -> Advert:
    profiles = [profile(model, p50_s) for model, p50_s in (times or {"detector": 0.02}).items()]
    return Advert(number=number, board="b", executors=1, profiles=profiles, streams=[])


def test_a_peer_is_viewed_once_it_has_advertised() -> None:
    known = PeerTable()
    assert known.update("mule", 1, 0.0, 0)
    assert not known.update("mule", 1, 0.0, 1)
    assert known.views(0) == {}
    known.advertised("mule", 1, advert())
    assert list(known.views(0)) == ["mule"]


def test_a_doubted_peer_gets_no_new_work_and_a_lost_one_is_not_known() -> None:
    known = peer_table(mule=[profile()])
    known.suspected("mule", True)
    assert known.views(0) == {}
    assert list(known.alive(0)) == ["mule"]
    known.suspected("mule", False)
    assert list(known.views(0)) == ["mule"]
    assert known.lost("mule")
    assert not known.lost("mule")
    assert known.alive(0) == {}
    assert known.statistics().lost == 1


def test_a_peer_that_is_nearly_empty_gets_no_work_until_it_is_charged() -> None:
    known = PeerTable()
    known.update("mule", 1, 0.0, 0)
    for number, battery in enumerate((0.5, 0.04, 0.05, None), 1):
        known.advertised("mule", 1, msgspec.structs.replace(advert(number), battery=battery))
        assert list(known.views(0)) == ([] if battery == 0.04 else ["mule"])


def test_a_peer_that_only_we_lost_comes_back_with_its_advert() -> None:
    known = peer_table(mule=[profile()])                       # it never lost us, so it will not say it again
    known.lost("mule")
    assert known.update("mule", 1, 0.0, ns(2))
    assert list(known.views(ns(2))) == ["mule"]


def test_a_restarted_peer_starts_without_an_advert() -> None:
    known = peer_table(mule=[profile()])
    assert known.update("mule", 2, 0.0, 1)
    assert known.views(1) == {}
    known.advertised("mule", 1, advert())
    assert known.views(1) == {}                              # the old boot's word
    assert known.advert_of("mule") == 0


def test_the_newest_advert_counts_whatever_the_order_they_come_in() -> None:
    known = PeerTable()
    known.update("mule", 1, 0.0, 0)
    known.advertised("mule", 1, advert(2, segmenter=0.1))
    known.advertised("mule", 1, advert(1))
    assert list(known.views(0)["mule"].profiles) == ["segmenter"]
    assert (known.advert_of("mule"), known.advert_of("ox")) == (2, 0)


def test_a_peer_is_engaged_for_a_while_after_work_was_given_to_it() -> None:
    known = peer_table(mule=[profile()], ox=[profile()])
    known.book(Leg("mule"), request(1), "detector", "int8", ns(1))
    assert known.active(ns(1)) == ["mule"]
    assert known.active(ns(1 + ACTIVE_S)) == []


def test_load_is_the_peers_report_less_the_time_since_plus_the_booked_work() -> None:
    known = peer_table(mule=[profile(p50_s=0.030)])
    known.update("mule", 1, 0.1, ns(1))
    known.book(Leg("mule"), request(1), "detector", "int8", ns(1))
    assert known.views(ns(1.04))["mule"].wait_s == pytest.approx(0.06 + 0.03)
    known.release("mule", request(1))
    assert known.views(ns(1.04))["mule"].wait_s == pytest.approx(0.06)


def test_a_report_that_left_before_the_request_came_does_not_contain_it() -> None:
    known = peer_table(mule=[profile(p50_s=0.030)])
    known.measured("mule", LinkQuality(rtt_s=0.040, bytes_per_s=1e6, samples=1))
    known.book(Leg("mule"), request(1), "detector", "int8", ns(1))       # there 20 ms of transfer and 20 ms later
    known.update("mule", 1, 0.0, ns(1.059))
    assert known.views(ns(1.059))["mule"].wait_s == pytest.approx(0.03)
    known.update("mule", 1, 0.1, ns(1.060))                  # left at 1.040, when the request had come
    assert known.views(ns(1.060))["mule"].wait_s == pytest.approx(0.1)


def test_a_peer_that_refused_rests() -> None:
    known = peer_table(mule=[profile()])
    known.back_off("mule", 0.2, 0)
    assert known.views(ns(0.1)) == {}
    assert list(known.alive(ns(0.1))) == ["mule"]            # others may give it work
    assert list(known.views(ns(0.2))) == ["mule"]


def test_the_link_is_the_one_that_the_transport_measured() -> None:
    known = peer_table(mule=[profile()])
    assert known.links() == {}                               # nothing measured yet
    known.measured("mule", LinkQuality(rtt_s=0.001, bytes_per_s=1e6, samples=1))
    known.measured("stranger", LinkQuality(samples=1))
    assert known.views(0)["mule"].link.transfer_s(20_000) == pytest.approx(0.021)
    assert list(known.links()) == ["mule"]


@pytest.mark.parametrize(("leg", "size", "seconds"), [
    (Leg("mule"), 20_000, 0.02),             # of the whole model: its input, at 1 MB/s
    (Leg("mule", 1, 2), 20_000, 0.05),       # of a leg: what crosses the boundary before it
    (Leg("mule"), 8_192, 0.0),               # small tensors lie in the message that announces them
    (Leg("ox"), 20_000, 0.0),                # not known
])
def test_tensors_follow_their_announcement_by_what_the_link_takes(leg: Leg, size: int, seconds: float) -> None:
    stages = [StageProfile(0.01, 0.01, 20_000), StageProfile(0.01, 0.01, 50_000)]
    table = peer_table(mule=[msgspec.structs.replace(profile(), stages=stages, input_bytes=size)])
    table.measured("mule", LinkQuality(rtt_s=0.3, bytes_per_s=1e6, samples=1))
    model, variant = "detector", table.views(0)["mule"].profiles["detector"][0].variant
    assert table.sending_s(leg, model, variant) == pytest.approx(seconds)


def test_a_peer_with_other_files_of_a_variant_is_not_asked_to_run_it() -> None:
    def of(files: str, number: int = 1) -> Advert:
        both = [msgspec.structs.replace(profile(variant="int8"), files=files), profile(variant="fp32")]
        return Advert(number=number, board="b", executors=1, profiles=both, streams=[])

    known = PeerTable({("detector", "int8"): "ours", ("detector", "fp32"): "ours"})
    known.update("mule", 1, 0.0, 0)
    assert known.advertised("mule", 1, of("theirs")) == ["detector int8"]
    assert [one.variant for one in known.views(0)["mule"].profiles["detector"]] == ["fp32"]
    assert known.advertised("mule", 1, of("theirs", 2)) == []        # no news
    assert known.advertised("mule", 1, of("ours", 3)) == []
    assert {one.variant for one in known.views(0)["mule"].profiles["detector"]} == {"int8", "fp32"}


def test_what_was_seen_of_a_peer_is_kept_for_what_it_advertises_as_before() -> None:
    known = PeerTable()
    known.update("mule", 1, 0.0, 0)
    known.advertised("mule", 1, advert(1, detector=0.02, segmenter=0.1))
    for model in ("detector", "segmenter"):
        known.observe_run(Leg("mule"), model, "int8", LegTimes(1.0))
    before = known.views(0)["mule"].profiles
    known.advertised("mule", 1, advert(2, detector=0.02, segmenter=0.2))
    after = known.views(0)["mule"].profiles
    assert after["detector"] == before["detector"]
    assert before["segmenter"][0].p50_s > after["segmenter"][0].p50_s == 0.2

"""What a peer says of a variant's accuracy, held against this robot's own cards. Deterministic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from swarm.core.policy.plan import Profile


class Accuracy(NamedTuple):
    """The card's primary metric, 0..1."""

    of_variant: float
    of_network: float                # as it was trained


class OwnCards:
    """accuracies: by model and variant, of all variants that may run, of the models whose cards this robot has."""

    def __init__(self, accuracies: Mapping[str, Mapping[str, Accuracy]]) -> None:
        self._accuracies = accuracies

    def believed(self, profile: Profile) -> Profile | None:
        """A peer's profile with the accuracy of the own card; of a model without one, as the peer says.

        None: the own card has no such variant, or it may not run.
        """
        own = self._accuracies.get(profile.model)
        if own is None:
            return profile
        known = own.get(profile.variant)
        if known is None or known == (profile.accuracy, profile.network_accuracy):
            return profile if known is not None else None
        return msgspec.structs.replace(profile, accuracy=known.of_variant, network_accuracy=known.of_network)

"""Bounded numbers for everything that travels: what is not finite or not plausible is refused where it enters."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Finite = Annotated[float, Meta(ge=-1e12, le=1e12)]               # rejects nan and infinity
Seconds = Annotated[float, Meta(ge=0.0, le=1e7)]                 # a duration
PositiveSeconds = Annotated[float, Meta(gt=0.0, le=1e7)]
Rate = Annotated[float, Meta(gt=0.0, le=1e12)]                   # Hz, bytes per second
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Nanoseconds = Annotated[int, Meta(ge=-(2**62), le=2**62)]        # a time on somebody's clock
Count = Annotated[int, Meta(ge=0, le=2**62)]
Factor = Annotated[float, Meta(ge=1.0, le=1e6)]
Priority = Annotated[int, Meta(ge=-1000, le=1000)]

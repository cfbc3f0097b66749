"""What an agent may say is bounded by its type: every text, list and dictionary in it has a greatest length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from swarm.core.protocol import messages as msg

BY_HEADER = {"Mission", "Scene", "WorldNews"}                # only a world says these: the header bounds them
SAYS = [body for body in get_args(msg.Body) if any(role in msg.roles(body) for role in ("agent", "planner"))]


def unbounded(kind: Any, path: str, seen: tuple[Any, ...] = ()) -> Iterator[str]:
    match kind:
        case inspect.StrType(max_length=None, pattern=None) | inspect.BytesType(max_length=None):
            yield path
        case inspect.ListType(item_type=item, max_length=most):
            if most is None:
                yield path
            yield from unbounded(item, f"{path}[]", seen)
        case inspect.DictType(key_type=key, value_type=value, max_length=most):
            if most is None:
                yield path
            yield from unbounded(key, f"{path} key", seen)
            yield from unbounded(value, f"{path} value", seen)
        case inspect.UnionType(types=types):
            for one in types:
                yield from unbounded(one, path, seen)
        case inspect.Metadata(type=inner):
            yield from unbounded(inner, path, seen)
        case inspect.StructType(cls=cls, fields=fields) if cls not in seen:
            for field in fields:
                yield from unbounded(field.type, f"{path}.{field.name}", (*seen, cls))
        case inspect.TupleType(item_types=types):
            for one in types:
                yield from unbounded(one, path, seen)
        case _:
            pass


@pytest.mark.parametrize("body", [body for body in SAYS if body.__name__ not in BY_HEADER], ids=lambda b: b.__name__)
def test_whatever_an_agent_or_a_planner_may_say_is_bounded(body: Any) -> None:
    assert list(unbounded(inspect.type_info(body), body.__name__)) == []


def test_what_is_too_long_is_refused_where_it_is_decoded() -> None:
    gossip = {"kind": "gossip", "about": 65 * "x", "boot": 1, "silent": True}
    with pytest.raises(msgspec.ValidationError, match="length <= 64"):
        msgspec.convert(gossip, msg.Body)

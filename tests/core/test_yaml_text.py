"""YAML 1.2 in settings: what plain words mean, and what is refused, with its line and key."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swarm.core.settings import yaml_text
from swarm.core.settings.errors import BadInput
from swarm.core.settings.yaml_text import DEEPEST, MOST_VALUES, dump, parse


@pytest.mark.parametrize(("text", "value"), [
    ("010", 10), ("0o10", 8), ("0x1F", 31), ("-7", -7), ("+7", 7), ("1:00", "1:00"), ("1_000", "1_000"),
    ("0b11", "0b11"),
    ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("true", True), ("FALSE", False),
    ("null", None), ("~", None), ("", None), ("1e3", 1000.0), (".5", 0.5), ("-.inf", -math.inf), ("1e400", math.inf),
    ("2026-11-28", "2026-11-28"), ("'010'", "010"), ('"true"', "true"), ("<<", "<<"), ("=", "="), ("²", "²"),
])
def test_a_plain_word_means_what_yaml_1_2_says(text: str, value: Any) -> None:
    read = parse(text, "x")
    assert (read, type(read)) == (value, type(value))


def test_keys_follow_the_same_rules() -> None:
    assert parse("{on: 1, 010: 2, no: 3}", "x") == {"on": 1, 10: 2, "no": 3}


def levels(count: int) -> str:
    return "[" * count + "]" * count


# a has 2 values, b 19, c 172, d 1549, e 13942; with these and six of e in f there is no room for another e
LAUGHS = "".join(f"{'abcdefgh'[i]}: &{'abcdefgh'[i]} [{', '.join(['*' + 'abcdefgh'[i - 1]] * 9) if i else 'lol'}]\n"
                 for i in range(8))
TALL = "a: &a " + levels(DEEPEST - 2) + "\nb: [[*a]]"


@pytest.mark.parametrize(("text", "told"), [
    ("seed: 1\nfaults: [{at_s: 1}]\nfaults: []",
     "x: line 3: the key 'faults' is there already, in line 2; each key once"),
    ("fleet:\n- {name: a, name: b}", "x: line 2: fleet[0]: the key 'name' is there already, in line 2"),
    ("{1: a, 0x1: b}", "the key 1 is there already"),
    (levels(DEEPEST + 1), f"x: line 1: {'[0]' * DEEPEST}: lists and maps are nested more than {DEEPEST} levels deep"),
    (levels(100_000), "levels deep"),
    ("[" * 100_000, "levels deep"),
    ("{a: " * 100_000, "levels deep"),
    ("- " * 100_000, "levels deep"),
    (TALL, f"x: line 2: b[0][0]: lists and maps are nested more than {DEEPEST}"),
    (LAUGHS, f"x: line 6: f[6]: more than {MOST_VALUES} values, with all that aliases repeat"),
    ("a: &a [*a]", "x: line 1: a[0]: the alias *a is of no complete value before it"),
    ("a: *b", "x: line 1: a: the alias *b is of no complete value"),
    ("a: 1\n---\nb: 2", "x: line 2: a second document begins; one document"),
    ("a: !!python/object:os.system 1", "x: line 1: a: the tag tag:yaml.org,2002:python/object:os.system"),
    ("a: !!str 1", "the tag tag:yaml.org,2002:str"),
    ("a: !odd [1]", "x: line 1: a: the tag !odd"),
    ("? [1, 2]\n: 3", "x: line 1: a list or a map as a key"),
    (f"fleet:\n- count: {'9' * 5000}", "x: line 2: fleet[0].count: a number of 5000 digits"),
    ("a: 1\nb: [", "x: line 2: b[0]: expected the node content, but found '<stream end>'; valid YAML"),
    ("a: 1\n\tb: 2", "x: line 2: "),
    ("a: 1\nb: \0", r"x: line 2: the character '\x00'; printable text"),
    ("a: b: c", "x: line 1: mapping values are not allowed here"),
])
def test_what_is_refused_is_named_with_line_and_key(text: str, told: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(text, "x")
    assert told in str(refused.value)
    assert str(refused.value).startswith("x: line ")
    assert "\n" not in str(refused.value)


def test_an_alias_is_a_copy() -> None:
    read = parse("a: &a [{n: 1}]\nb: *a", "x")
    read["b"][0]["n"] = 2
    assert read == {"a": [{"n": 1}], "b": [{"n": 2}]}


class Anything(msgspec.Struct):
    of: Any


WORDS = st.sampled_from(
    ["0o10", "1e3", "010", "1:00", "yes", "on", "null", "~", "", ".inf", "0x1F", "-.5", "1_0", "=", "<<"])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=3),
    max_leaves=8)


@given(PLAIN)
def test_what_is_dumped_is_read_back(value: Any) -> None:
    assert parse(dump(Anything(of=value)), "x") == {"of": value}


@pytest.mark.skipif(yaml_text.QUICK is None, reason="PyYAML was built without libyaml")
@given(st.text("-: {}[]'\"#&*!|>\n\r\t ab1,?%@\\~.é\ufeff", max_size=24))
@example("a: b\tc").via("a tab in a word")
@example("|#").via("no space before a comment")
@example(">-#")
@example("[a#?]")
@example("[!,1&]")
@example("a: 1\n\ufeff")
def test_libyaml_reads_what_the_parser_of_pyyaml_reads(text: str) -> None:
    def read(quick: object) -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(yaml_text, "QUICK", quick)
            try:
                return parse(text, "x")
            except BadInput:
                return BadInput

    assert repr(read(yaml_text.QUICK)) == repr(read(None))

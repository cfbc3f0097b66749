"""Settings as YAML 1.2: plain data from text, and text from structures. Only this module imports yaml.

PyYAML finds the tokens; it follows YAML 1.1 in what they mean, so the meaning is defined here: the core schema of
YAML 1.2.2 (section 10.3). What settings have no use for is refused: tags, several documents, keys that are there twice.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import msgspec
import yaml

from swarm.core.settings.errors import BadInput

DEEPEST = 32                         # lists and maps within each other
MOST_VALUES = 100_000                # of one file, with all that its aliases repeat
QUICK: Any = getattr(yaml, "CSafeLoader", None)      # libyaml's, in C; None: PyYAML was built without it
OTHERWISE = re.compile(r"[\t!?\ufeff]|[|>][-+0-9]*#")     # texts that libyaml may read otherwise than PyYAML's parser
WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True), **dict.fromkeys(("false", "False", "FALSE"), False),
}
INT = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
FLOAT = re.compile(r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
                   r"|\.(?:nan|NaN|NAN))\Z")


def parse(text: str, where: str) -> Any:
    """Plain data from YAML. where: the file, or the option. Raises: BadInput with line and key."""
    if QUICK is not None and not OTHERWISE.search(text):
        try:
            return _value(text, QUICK, _Reader(where))
        except (yaml.YAMLError, UnicodeError):
            pass                                     # PyYAML's own parser says better what is wrong
    reader = _Reader(where)
    try:
        return _value(text, yaml.SafeLoader, reader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise BadInput(f"{where}: line {line}", f"the character {chr(error.character)!r}", "printable text") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadInput(reader.at(mark.line + 1 if mark else 1), str(error.problem), "valid YAML") from None


def _value(text: str, loader: Any, reader: _Reader) -> Any:
    for event in yaml.parse(text, Loader=loader):            # pyright: ignore[reportUnknownMemberType]
        reader.take(event)
    return reader.value


def dump(settings: msgspec.Struct | Mapping[str, msgspec.Struct], *, compact: bool = False) -> str:
    """Settings as YAML that `parse` and `check` accept. compact: lists of values, and the innermost maps, in one line.
    """
    flow, width = (None, 120) if compact else (False, 80)
    return yaml.dump(msgspec.to_builtins(settings), Dumper=_Dumper, sort_keys=False, allow_unicode=True,
                     default_flow_style=flow, width=width)


class _Dumper(yaml.SafeDumper):
    """Quotes texts that would be numbers for YAML 1.1 or for YAML 1.2."""


for _tag, _pattern in (("int", INT), ("float", FLOAT)):
    _Dumper.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]
        f"tag:yaml.org,2002:{_tag}", _pattern, list("-+.0123456789"))


class _Named(NamedTuple):
    """A value that aliases may repeat: the values in it, and the levels of lists and maps."""

    value: Any
    size: int
    height: int


class _Part:
    """A list or a map that is not complete yet. In a map, `key` waits for its value; `lines` has those of its keys."""

    def __init__(self, value: Any, anchor: str | None, size: int) -> None:
        self.value, self.anchor, self.size_before, self.height = value, anchor, size, 1
        self.is_map = isinstance(value, dict)
        self.key: Any = None
        self.lines: dict[Any, int] = {}
        self.has_key = False


class _Reader:
    """Builds plain data from the events of a parser. Lists and maps that are not complete are on a stack: no recursion.
    """

    def __init__(self, where: str) -> None:
        self.value: Any = None
        self._where = where
        self._stack: list[_Part] = []
        self._named: dict[str, _Named] = {}
        self._size = self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """The next event. Raises: BadInput."""
        tag: str | None = getattr(event, "tag", None)
        if tag is not None:
            self._refuse(event, f"the tag {tag}", "plain values, without tags")
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._refuse(event, "a second document begins", "one document")
            case yaml.ScalarEvent():
                value = self._scalar(event) if event.implicit[0] else event.value
                self._add(event, _Named(value, 1, 0), event.anchor)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._check_depth(event, 1)
                empty: Any = [] if isinstance(event, yaml.SequenceStartEvent) else {}
                self._stack.append(_Part(empty, event.anchor, self._size))
            case yaml.CollectionEndEvent():
                part = self._stack.pop()
                self._add(event, _Named(part.value, self._size - part.size_before + 1, part.height), part.anchor)
            case yaml.AliasEvent():
                self._repeat(event)
            case _:
                pass

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        text = event.value
        if text in WORDS:
            return WORDS[text]
        if INT.match(text):
            try:
                return int(text, 0 if text[:2] in ("0o", "0x") else 10)
            except ValueError:                       # Python's limit
                self._refuse(event, f"a number of {len(text)} digits", "a shorter one")
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan")) if FLOAT.match(text) else text

    def _repeat(self, event: yaml.AliasEvent) -> None:
        named = self._named.get(event.anchor or "")
        if named is None:
            self._refuse(event, f"the alias *{event.anchor} is of no complete value before it", "&NAME VALUE first")
        self._check_depth(event, named.height)
        self._check_size(event, named.size)
        self._size += named.size - 1
        self._add(event, named._replace(value=copy.deepcopy(named.value)), None)

    def _add(self, event: yaml.Event, named: _Named, anchor: str | None) -> None:
        """A complete value: the document's, the next one of a list, or a key or its value in a map."""
        self._check_size(event, 1)
        self._size += 1
        if anchor is not None:
            self._named[anchor] = named
        if not self._stack:
            self.value = named.value
            return
        part = self._stack[-1]
        part.height = max(part.height, named.height + 1)
        if not part.is_map:
            part.value.append(named.value)
        elif part.has_key:
            part.value[part.key], part.has_key = named.value, False
        elif named.height:
            self._refuse(event, "a list or a map as a key", "text")
        else:
            if named.value in part.lines:
                self._refuse(event, f"the key {named.value!r} is there already, in line {part.lines[named.value]}",
                             "each key once")
            part.key, part.has_key = named.value, True
            part.lines[named.value] = _line(event)

    def _check_depth(self, event: yaml.Event, levels: int) -> None:
        if len(self._stack) + levels > DEEPEST:
            self._refuse(event, f"lists and maps are nested more than {DEEPEST} levels deep", "fewer levels")

    def _check_size(self, event: yaml.Event, values: int) -> None:
        if self._size + values > MOST_VALUES:
            self._refuse(event, f"more than {MOST_VALUES} values, with all that aliases repeat", "fewer")

    def _refuse(self, event: yaml.Event, what: str, want: str) -> NoReturn:
        raise BadInput(self.at(_line(event)), what, want)

    def at(self, line: int) -> str:
        """File, line and key of the value that comes next."""
        path = ""
        for part in self._stack:
            if not part.is_map:
                path += f"[{len(part.value)}]"
            elif part.has_key:
                path += f".{part.key}" if path else str(part.key)
        return f"{self._where}: line {line}" + (f": {path}" if path else "")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1

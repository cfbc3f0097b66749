"""`swarm keys` as an operator meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swarm.cli.main import main
from swarm.net.security.key_files import new_pair, read_key
from swarm.net.security.keyring import Keyring


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWARM_KEYS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """State by name, from `list --json`."""
    capsys.readouterr()
    main(["keys", "list", "--json"])
    return {key["name"]: key["state"] for key in json.loads(capsys.readouterr().out)["keys"]}


def test_an_operator_makes_enrols_and_revokes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "new", "rover_0", "planner"]) == 0
    rover = read_key(folder / "rover_0.pub")
    assert f"rover_0  {rover.fingerprint}  {folder / 'rover_0.pub'}" in capsys.readouterr().out
    assert listed(capsys) == {"rover_0": "not enrolled", "planner": "not enrolled"}
    assert main(["keys", "enrol", "rover_0", "planner"]) == 0
    assert Keyring(folder, "planner").owner(rover.public) == "rover_0"
    assert main(["keys", "revoke", "rover_0"]) == 0
    assert Keyring(folder, "planner").owner(rover.public) is None
    assert listed(capsys) == {"rover_0": "revoked", "planner": "enrolled"}
    assert main(["keys", "enrol", "rover_0"]) == 2
    assert main(["keys", "enrol", "--again", "rover_0"]) == 0
    assert listed(capsys) == {"rover_0": "enrolled", "planner": "enrolled"}


def test_keys_come_as_files_and_as_text_from_elsewhere(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["keys", "new", "rover_1", "--keys", str(tmp_path / "usb")])
    other = new_pair("rover_2")
    assert main(["keys", "enrol", str(tmp_path / "usb" / "rover_1.pub"), f"rover_2={other.public}"]) == 0
    assert listed(capsys) == {"rover_1": "enrolled", "rover_2": "enrolled"}
    assert read_key(folder / "enrolled" / "rover_2.pub") == other.key


def test_the_list_says_what_is_known_of_each_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["keys", "new", "a"])
    main(["keys", "enrol", "a"])
    capsys.readouterr()
    key = read_key(folder / "a.pub")
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out == f"a  {key.fingerprint}  enrolled  agent  secret key here\n"
    assert main(["keys", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(folder), "keys": [{
        "name": "a", "state": "enrolled", "secret": True, "fingerprint": key.fingerprint, "public_key": key.public,
        "role": "agent", "trouble": ""}]}


def test_a_file_that_cannot_be_used_makes_the_list_fail(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["keys", "new", "a"])
    (folder / "a.key").chmod(0o644)
    assert main(["keys", "list"]) == 1
    assert f"swarm: {folder / 'a.key'}: others may read it (mode 0644); chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "told"), [
    (["new", "a"], "a.key: it is there already"),
    (["new", "../b"], "'../b' is no name"),
    (["new"], "the following arguments are required: NAME"),
    (["enrol", "b"], "b.key: No such file or directory; make one: swarm keys new b"),
    (["enrol", "absent.pub"], "absent.pub: No such file or directory"),
    (["enrol", "b=tooshort"], "swarm keys enrol b: that is no key"),
    (["enrol", f"../b={new_pair('b').public}"], "'../b' is no name"),
    (["enrol", f"a={new_pair('a').public}"], "is enrolled as a; first: swarm keys revoke a"),
    (["revoke", "b"], "no enrolled key is called 'b'; known: a"),
    (["list", "--keys", "/nowhere"], "/nowhere: No such file or directory; a folder as `swarm keys new` makes it"),
    (["revok"], "invalid choice: 'revok'"),
    ([], "the following arguments are required: ACTION"),
], ids=lambda value: value if isinstance(value, str) else " ".join(value).partition("=")[0] or "none")
def test_bad_input_is_one_line_and_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    main(["keys", "new", "a"])
    main(["keys", "enrol", "a"])
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    capsys.readouterr()
    assert main(["keys", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("swarm: ")
    assert err.count("\n") == 1
    assert told in err
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


def test_nothing_is_enrolled_unless_all_are_keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["keys", "new", "a"])
    assert main(["keys", "enrol", "a", "b"]) == 2
    assert listed(capsys) == {"a": "not enrolled"}


def test_the_default_folder_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SWARM_KEYS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["keys", "new", "a"]) == 0
    assert (tmp_path / "swarm" / "keys" / "a.key").is_file()
    assert (tmp_path / "swarm" / "keys").stat().st_mode & 0o777 == 0o700


def test_a_key_is_made_and_enrolled_for_a_role(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "new", "chief", "--role", "planner"]) == 0
    assert main(["keys", "new", "planner", "rover_0"]) == 0
    assert main(["keys", "enrol", "chief", "planner"]) == 0
    assert main(["keys", "enrol", "rover_0", "--role", "world"]) == 0
    capsys.readouterr()
    main(["keys", "list", "--json"])
    roles = {key["name"]: key["role"] for key in json.loads(capsys.readouterr().out)["keys"]}
    assert roles == {"chief": "planner", "planner": "planner", "rover_0": "world"}
    path = folder / "enrolled" / "chief.pub"
    path.write_text(path.read_text().replace("role: planner", "role: king"))
    assert main(["keys", "list"]) == 1
    assert "'king'" in capsys.readouterr().err

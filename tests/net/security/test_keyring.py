"""Key files, the key folder, and the ring that follows its allow-list."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from swarm.core.settings.errors import BadInput
from swarm.net.security import key_files
from swarm.net.security.key_files import Key, is_key, new_pair, read_key, read_pair, write_key, write_pair
from swarm.net.security.key_folder import KeyFolder
from swarm.net.security.keyring import Change, Keyring

OTHER = 12345                        # a user that is not us


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    """Keys of a and b, both enrolled."""
    folder = KeyFolder(tmp_path / "keys")
    for name in ("a", "b"):
        folder.enrol(folder.new(name).key)
    return folder


def enrolled(folder: KeyFolder, name: str) -> Path:
    return folder.path / "enrolled" / f"{name}.pub"


def test_a_pair_is_read_as_it_was_written_and_its_secret_is_not_shown(tmp_path: Path) -> None:
    pair, path = new_pair("rover_0"), tmp_path / "rover_0.key"
    write_pair(path, pair)
    assert read_pair(path, "rover_0") == pair
    assert path.stat().st_mode & 0o777 == 0o600
    assert pair.secret in path.read_text()
    assert pair.secret not in f"{pair!r} {pair} {pair.key!r}"


def test_a_secret_that_others_may_read_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rover_0.key"
    write_pair(path, new_pair("rover_0"))
    for mode in (0o640, 0o604, 0o620, 0o602, 0o610, 0o666):
        path.chmod(mode)
        with pytest.raises(BadInput) as caught:
            read_pair(path, "rover_0")
        assert str(caught.value) == f"{path}: others may read it (mode {mode:04o}); chmod 600 {path}"
    path.chmod(0o400)
    read_pair(path, "rover_0")


def test_keys_of_another_user_are_refused(folder: KeyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: OTHER)
    with pytest.raises(BadInput, match=rf"a\.key: it belongs to user \d+; chown {OTHER}"):
        read_pair(folder.path / "a.key", "a")
    if enrolled(folder, "a").stat().st_uid != 0:             # what root enrols holds for everybody
        with pytest.raises(BadInput, match=r"a\.pub: it belongs to user"):
            read_key(enrolled(folder, "a"))


PAIR = new_pair("a")


def text(name: str = "a", public: str = PAIR.public, secret: str = PAIR.secret) -> str:
    return f"name: {name}\npublic: {public}\nsecret: {secret}\n"


@pytest.mark.parametrize(("content", "told"), [
    ("", "it is incomplete"),
    (text().rpartition("secret")[0], "it is incomplete"),
    (text() + "secret: again\n", "line 4: it is not a line of"),
    (text().replace("secret: ", "secrt: "), "line 3: it is not a line of"),
    (text(name="b"), "it is the key of 'b'; the key of a"),
    (text(secret=PAIR.secret[:39]), "its public key is not that of its secret one"),
    (text(secret="~" * 40), "its public key is not that of its secret one"),
    (text(public=new_pair("x").public), "its public key is not that of its secret one"),
    (text() + "#" * 5000, "it is incomplete or too long"),
    (text().replace("a", "\u00e9"), "it is not plain text"),
], ids=["empty", "cut", "doubled", "misspelt", "of another", "short", "no Z85", "another pair", "long", "no ASCII"])
def test_what_is_no_pair_is_refused_and_no_error_shows_the_secret(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "a.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(BadInput) as caught:
        read_pair(path, "a")
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert PAIR.secret[:30] not in str(caught.value)


def test_only_thirty_two_bytes_in_z85_are_a_key() -> None:
    assert is_key(PAIR.public)
    for wrong in ("", "x", PAIR.public + "0", PAIR.public[:35], "#" * 40, "\u00e9" * 40, PAIR.public[:39] + "~"):
        assert not is_key(wrong), wrong


def test_a_public_key_that_others_may_write_a_pipe_and_an_absent_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pub"
    with pytest.raises(BadInput, match=r"a\.pub: No such file or directory"):
        read_key(path)
    write_key(path, PAIR.key)
    assert read_key(path) == Key(name="a", public=PAIR.public)
    path.chmod(0o646)
    with pytest.raises(BadInput, match=rf"others may write it \(mode 0646\); chmod go-w {path}"):
        read_key(path)
    path.unlink()
    os.mkfifo(path)                                          # is not waited for
    with pytest.raises(BadInput, match="it is no file"):
        read_key(path)


def test_a_secret_is_never_overwritten_and_nothing_is_left_of_the_attempt(folder: KeyFolder) -> None:
    before = (folder.path / "a.key").read_bytes()
    with pytest.raises(BadInput, match=r"a\.key: it is there already"):
        folder.new("a")
    assert (folder.path / "a.key").read_bytes() == before
    assert sorted(os.listdir(folder.path)) == ["a.key", "a.pub", "b.key", "b.pub", "enrolled"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match="No space left"):
        KeyFolder(tmp_path / "keys").new("a")
    assert list((tmp_path / "keys").iterdir()) == []


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".a", "a b", "a\n", "x" * 65, "a.key"])
def test_names_that_are_paths_are_refused(folder: KeyFolder, name: str) -> None:
    for act in (folder.new, folder.revoke, folder.key_of):
        with pytest.raises(BadInput):
            act(name)
    assert sorted(os.listdir(folder.path.parent)) == ["keys"]


def test_enrolling_revoking_and_enrolling_again(folder: KeyFolder) -> None:
    a = folder.key_of("a")
    assert not folder.enrol(a)                               # it is already
    folder.revoke("a")
    assert [(e.name, e.state, e.secret) for e in folder.entries()] == [("a", "revoked", True), ("b", "enrolled", True)]
    with pytest.raises(BadInput, match="no enrolled key is called 'a'"):
        folder.revoke("a")
    with pytest.raises(BadInput, match="this key was revoked; a new key, or --again"):
        folder.enrol(a)
    assert folder.enrol(a, again=True)
    assert [e.state for e in folder.entries()] == ["enrolled", "enrolled"]


def test_a_new_key_after_a_revoked_one_does_not_bring_that_back(folder: KeyFolder) -> None:
    old, new = folder.revoke("a"), new_pair("a").key
    assert folder.enrol(new)
    folder.revoke("a")
    for key in (old, new):
        with pytest.raises(BadInput, match="this key was revoked"):
            folder.enrol(key)
    assert [e.fingerprint for e in folder.entries() if e.state == "revoked"] == sorted([old.fingerprint,
                                                                                        new.fingerprint])


def test_a_name_has_one_key_and_a_key_one_name(folder: KeyFolder) -> None:
    with pytest.raises(BadInput, match=r"is enrolled as a; first: swarm keys revoke a"):
        folder.enrol(new_pair("a").key)
    with pytest.raises(BadInput, match=r"is enrolled as a; first: swarm keys revoke a"):
        folder.enrol(Key(name="c", public=folder.key_of("a").public))


def test_what_cannot_be_used_is_listed_with_the_reason(folder: KeyFolder) -> None:
    enrolled(folder, "b").write_text("name: b\n")
    unusable = [entry for entry in folder.entries() if entry.trouble]
    assert [(entry.name, entry.state) for entry in unusable] == [("b", "unusable")]
    assert "b.pub: it is incomplete" in unusable[0].trouble


# --- the ring ---


def test_the_ring_follows_enrolment_and_revocation(folder: KeyFolder) -> None:
    ring = Keyring(folder.path, "a")
    b = folder.key_of("b").public
    assert (ring.names(), ring.owner(b), ring.public("b"), ring.public("c")) == (["a", "b"], "b", b, None)
    assert ring.reload() == Change(frozenset(), {})
    folder.revoke("b")
    assert ring.reload() == Change(frozenset({"b"}), {})
    assert (ring.owner(b), ring.public("b")) == (None, None)
    new = new_pair("b").key
    folder.enrol(new)
    assert ring.reload().names == {"b"}
    assert (ring.owner(new.public), ring.owner(b)) == ("b", None)


def test_a_changed_key_is_a_change_of_its_owner(folder: KeyFolder) -> None:
    ring, new = Keyring(folder.path, "a"), new_pair("b")
    enrolled(folder, "b").write_text(f"name: b\npublic: {new.public}\n")     # in place, as an editor may
    assert ring.reload().names == {"b"}
    assert ring.public("b") == new.public


def spoil(path: Path) -> None:
    path.write_text("name: b\n")


def rename(path: Path) -> None:
    path.rename(path.with_name("c.pub"))


def open_up(path: Path) -> None:
    path.chmod(0o666)


def double(path: Path) -> None:
    write_key(path.with_name("c.pub"), Key(name="c", public=read_key(path).public))


@pytest.mark.parametrize(("harm", "told"), [
    (spoil, "b.pub: it is incomplete"), (rename, "c.pub: it is the key of 'b'; a file called b.pub"),
    (open_up, "b.pub: others may write it (mode 0666)"), (double, "b.pub: the key of b and c"),
])
def test_a_file_that_cannot_be_used_enrols_nobody_and_is_told_once(
    folder: KeyFolder, harm: Callable[[Path], None], told: str
) -> None:
    ring, b = Keyring(folder.path, "a"), folder.key_of("b").public
    harm(enrolled(folder, "b"))
    change = ring.reload()
    assert change.names == {"b"}
    assert any(told in why for why in change.refused.values())
    assert (ring.names(), ring.owner(b)) == (["a"], None)
    folder.enrol(new_pair("d").key)
    assert ring.reload() == Change(frozenset({"d"}), {})     # the same trouble is not told again
    assert Keyring(folder.path, "a").first_change.refused == change.refused     # but by one who starts


def test_where_others_may_write_the_allow_list_or_it_is_gone_nobody_is_heard(folder: KeyFolder) -> None:
    ring, at = Keyring(folder.path, "a"), folder.path / "enrolled"
    at.chmod(0o777)
    assert ring.reload().names == {"a", "b"}
    assert ring.names() == []
    with pytest.raises(BadInput, match=rf"others may write it \(mode 0777\); chmod go-w {at}"):
        Keyring(folder.path, "a")
    at.chmod(0o755)
    assert ring.reload().names == {"a", "b"}
    at.rename(folder.path / "away")
    change = ring.reload()
    assert change.names == {"a", "b"}
    assert "No such file" in next(iter(change.refused.values()))
    with pytest.raises(BadInput, match="enrolled: No such file or directory; enrol somebody: swarm keys enrol"):
        Keyring(folder.path, "a")


def test_what_is_no_public_key_file_is_not_looked_at(folder: KeyFolder) -> None:
    for name in ("README", ".b.pub.xyz", "b.pub~"):
        (folder.path / "enrolled" / name).write_text("?")
    assert Keyring(folder.path, "a").first_change == Change(frozenset({"a", "b"}), {})


def test_a_link_that_leads_nowhere_does_not_hide_a_revocation(folder: KeyFolder) -> None:
    (folder.path / "enrolled" / "c.pub").symlink_to("nowhere")
    ring = Keyring(folder.path, "a")
    assert ring.names() == ["a", "b"]
    folder.revoke("b")
    assert ring.reload().names == {"b"}


def test_the_own_key_must_be_there(folder: KeyFolder) -> None:
    with pytest.raises(BadInput, match=r"c\.key: No such file or directory; make one: swarm keys new c"):
        Keyring(folder.path, "c")


def test_fingerprints_tell_keys_apart() -> None:
    assert key_files.fingerprint(PAIR.public) == PAIR.fingerprint != new_pair("a").fingerprint
    assert len(PAIR.fingerprint) == 29

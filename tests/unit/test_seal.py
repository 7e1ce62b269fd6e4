"""What is sealed opens with its key alone, no flipped bit passes, and no error prints a key."""

import errno
import traceback
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.seal import (
    MAGIC,
    NO_KEYS,
    SealError,
    data_keys,
    is_sealed,
    new_key,
    seal,
    seal_file,
    unseal,
    unseal_file,
    with_recipients,
)

NEW, OLD, OTHER = new_key(), new_key(), new_key()
KEYS = data_keys(NEW)
WORDS = b"patient Testy Sampleman, MRN 00123456"
LONG_WORDS = (b"patient", b"Sampleman", b"00123456")  # no sealed bytes are like them by chance
CHUNK = 65_536  # bytes that the format seals at once
SHUT = "no key opens it, or it was altered"
HEAD = len("AGE-SECRET-KEY-1")  # what all secret keys begin with


def public(secret):
    return str(data_keys(secret).recipients[0])


def flipped(sealed, place, bit):
    """A copy with one bit changed."""
    return sealed[:place] + bytes([sealed[place] ^ 1 << bit]) + sealed[place + 1 :]


def assert_shut(sealed, keys=KEYS):
    with pytest.raises(SealError, match=SHUT):
        unseal(sealed, keys)


@pytest.fixture
def sealed_file(tmp_path):
    """A small sealed file."""
    (tmp_path / "plain").write_bytes(WORDS)
    seal_file(tmp_path / "plain", tmp_path / "sealed", KEYS)
    return tmp_path / "sealed"


@pytest.fixture
def opened(tmp_path):
    """Open a file with the key, or another one; gives what it held."""

    def opening(path, keys=KEYS):
        unseal_file(path, tmp_path / "opened", keys)
        return (tmp_path / "opened").read_bytes()

    return opening


# --- sealing and opening --------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [b"", b"\x00", WORDS, "l\u2019\u00e9cran \U0001f5a5".encode(), MAGIC + b"v1\n", b"x" * (CHUNK + 1)],
    ids=["nothing", "a zero", "words", "any language", "what looks sealed", "more than a chunk"],
)
def test_what_is_sealed_opens_with_its_key(words):
    assert unseal(seal(words, KEYS), KEYS) == words


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.binary(max_size=200))
def test_whatever_is_sealed_opens_unchanged(words):
    assert unseal(seal(words, KEYS), KEYS) == words


def test_what_is_sealed_shows_none_of_its_words():
    sealed = seal(WORDS, KEYS)
    assert not any(word in sealed for word in LONG_WORDS)


def test_the_same_words_sealed_twice_look_different():
    assert seal(WORDS, KEYS) != seal(WORDS, KEYS)


def test_sealed_words_may_be_sealed_again():
    assert unseal(unseal(seal(seal(WORDS, KEYS), KEYS), KEYS), KEYS) == WORDS


@pytest.mark.parametrize("keys", [data_keys(OTHER), NO_KEYS], ids=["another key", "no key"])
def test_without_its_key_nothing_opens(keys):
    assert_shut(seal(WORDS, KEYS), keys)


@pytest.mark.parametrize("words", [b"", WORDS, MAGIC, MAGIC + b"v1\n"], ids=["nothing", "words", "magic", "a head"])
def test_what_was_never_sealed_does_not_open(words):
    assert_shut(words)


def test_without_a_key_nothing_is_sealed():
    with pytest.raises(SealError, match="there is no key to seal with"):
        seal(WORDS, NO_KEYS)


def test_a_fresh_key_is_another_each_time():
    assert new_key() != new_key()
    assert data_keys(new_key())


def test_what_was_sealed_for_two_opens_for_both_and_for_nobody_else():
    sealed = seal(WORDS, with_recipients(KEYS, public(OLD)))
    assert unseal(sealed, KEYS) == unseal(sealed, data_keys(OLD)) == WORDS
    assert_shut(sealed, data_keys(OTHER))


# --- change of keys -------------------------------------------------------------------


def test_after_a_change_of_keys_old_things_open_with_both_and_not_with_the_new_alone():
    sealed = seal(WORDS, data_keys(OLD))
    assert unseal(sealed, data_keys(f"{NEW} {OLD}")) == WORDS
    assert_shut(sealed, data_keys(NEW))


def test_after_a_change_of_keys_new_things_open_with_the_new_alone():
    sealed = seal(WORDS, data_keys(f"{NEW} {OLD}"))
    assert unseal(sealed, data_keys(NEW)) == WORDS
    assert_shut(sealed, data_keys(OLD))


def test_the_key_that_stands_first_is_the_newest():
    keys = data_keys(f"{NEW} {OLD} {OTHER}")
    assert [str(one) for one in keys.recipients] == [public(NEW)]
    assert [str(one.to_public()) for one in keys.identities] == [public(NEW), public(OLD), public(OTHER)]


@pytest.mark.parametrize("secret", [NEW, OLD, OTHER], ids=["first", "second", "third"])
def test_each_of_many_keys_opens(secret):
    assert unseal(seal(WORDS, data_keys(secret)), data_keys(f"{NEW} {OLD} {OTHER}")) == WORDS


@pytest.mark.parametrize(
    "written",
    ["{} {}", "{},{}", "{}\n{}\n", "  {} ,\t{},", "{}\r\n{}"],
    ids=["blank", "comma", "lines", "mixed", "Windows lines"],
)
def test_keys_stand_apart_by_blanks_or_commas(written):
    assert len(data_keys(written.format(NEW, OLD)).identities) == 2
    assert len(with_recipients(NO_KEYS, written.format(public(NEW), public(OLD))).recipients) == 2


@pytest.mark.parametrize("written", ["", " ", ",\n, "], ids=["empty", "blank", "commas"])
def test_no_words_are_no_keys(written):
    assert data_keys(written) == NO_KEYS
    assert with_recipients(NO_KEYS, written) == NO_KEYS
    assert not data_keys(written)


def test_keys_cannot_be_changed_once_read():
    with pytest.raises(FrozenInstanceError):
        KEYS.identities = ()


# --- keys that are none ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("nonsense", 1),
        (f"nonsense {NEW}", 1),
        (f"{NEW} nonsense", 2),
        (f"{NEW}, {OLD},\nnonsense", 3),
        (f"{NEW} nonsense {OLD} nonsense", 2),
        (f",, {NEW} , nonsense", 2),
    ],
    ids=["alone", "before a key", "behind a key", "third", "the first of two", "commas do not count"],
)
def test_a_key_that_is_none_is_named_by_its_place(written, place):
    with pytest.raises(SealError, match=f"^key {place} is not an age secret key"):
        data_keys(written)


BROKEN = {
    "cut": NEW[:-1],
    "too long": f"{NEW}q",
    "mistyped": NEW[:-1] + ("Q" if NEW[-1] != "Q" else "P"),
    "another head": NEW.replace("AGE", "EGA"),
    "without its head": NEW[HEAD:],
    "in quotes": f'"{NEW}"',
    "behind a name": f"TRIAGE_DATA_KEYS={NEW}",
    "two in one": NEW + OLD,
    "half small": NEW[: HEAD + 9] + NEW[HEAD + 9 :].lower(),
}


@pytest.mark.parametrize("written", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_secret_key_is_refused_and_no_piece_of_it_is_printed(written):
    with pytest.raises(SealError, match="key 2") as caught:
        data_keys(f"{OLD} {written}")
    shown = "".join(traceback.format_exception(caught.value))
    for secret in (NEW, OLD):
        pieces = {secret[start : start + 8] for start in range(HEAD, len(secret) - 7)}
        assert not any(piece in shown or piece.lower() in shown for piece in pieces)


def test_a_public_key_opens_nothing():
    with pytest.raises(SealError, match="key 1 is not an age secret key"):
        data_keys(public(NEW))


@pytest.mark.parametrize(
    "written",
    ["nonsense", "age1", public(NEW)[:-1], f"{public(NEW)}q", f"{public(OLD)} nonsense", NEW],
    ids=["nonsense", "only the head", "cut", "too long", "behind a good one", "a secret key"],
)
def test_a_public_key_that_is_none_is_refused(written):
    with pytest.raises(SealError, match="is not an age public key"):
        with_recipients(KEYS, written)


def test_a_secret_key_where_a_public_one_belongs_is_not_printed_whole():
    with pytest.raises(SealError) as caught:
        with_recipients(KEYS, NEW)
    assert NEW not in "".join(traceback.format_exception(caught.value))


def test_keys_print_nothing_of_themselves():
    assert NEW[HEAD:] not in f"{KEYS} {KEYS!r} {KEYS.identities[0]!r}"


# --- those who may only seal ----------------------------------------------------------


def test_who_has_only_public_keys_seals_and_cannot_open():
    keys = with_recipients(NO_KEYS, public(OTHER))
    sealed = seal(WORDS, keys)
    assert keys
    assert_shut(sealed, keys)
    assert unseal(sealed, data_keys(OTHER)) == WORDS


def test_the_holder_of_another_secret_key_opens_what_was_sealed_for_him_too():
    sealed = seal(WORDS, with_recipients(KEYS, public(OTHER)))
    assert unseal(sealed, data_keys(OTHER)) == unseal(sealed, KEYS) == WORDS


def test_to_seal_for_somebody_does_not_open_what_is_his():
    assert_shut(seal(WORDS, data_keys(OTHER)), with_recipients(KEYS, public(OTHER)))


def test_more_recipients_leave_the_given_keys_as_they_are():
    more = with_recipients(KEYS, public(OTHER))
    assert more.identities == KEYS.identities
    assert more.recipients[:1] == KEYS.recipients
    assert len(KEYS.recipients) == 1


def test_an_old_data_key_gets_no_new_things_even_beside_recipients():
    assert_shut(seal(WORDS, with_recipients(data_keys(f"{NEW} {OLD}"), public(OTHER))), data_keys(OLD))


# --- altered bytes --------------------------------------------------------------------


def test_every_flipped_bit_is_refused():
    sealed = seal(WORDS, KEYS)
    for place in range(len(sealed)):
        for bit in range(8):
            assert_shut(flipped(sealed, place, bit))


def test_every_cut_is_refused():
    sealed = seal(WORDS, KEYS)
    for end in range(len(sealed)):
        assert_shut(sealed[:end])


@pytest.mark.parametrize("more", [b"\x00", b"\n", b"x" * CHUNK], ids=["a zero", "a line break", "a chunk"])
def test_anything_added_behind_is_refused(more):
    assert_shut(seal(WORDS, KEYS) + more)


def test_two_sealed_things_in_one_are_refused():
    assert_shut(seal(WORDS, KEYS) + seal(WORDS, KEYS))


def test_the_end_of_another_sealed_thing_is_refused():
    one, two = seal(WORDS, KEYS), seal(WORDS, KEYS)
    for end in (16, len(WORDS) + 16, 16 + len(WORDS) + 16):  # the tag, the words with it, the nonce too
        assert_shut(one[:-end] + two[-end:])


# --- sealed files ---------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_a_sealed_file_opens_to_what_it_was(tmp_path, opened, size):
    words = (WORDS * (size // len(WORDS) + 1))[:size]
    (tmp_path / "plain").write_bytes(words)
    seal_file(tmp_path / "plain", tmp_path / "sealed", KEYS)
    assert opened(tmp_path / "sealed") == words
    assert (tmp_path / "plain").read_bytes() == words


def test_a_sealed_file_shows_none_of_its_words(sealed_file):
    assert not any(word in sealed_file.read_bytes() for word in LONG_WORDS)


def test_sealed_files_and_sealed_words_are_one_format(tmp_path, sealed_file, opened):
    assert unseal(sealed_file.read_bytes(), KEYS) == WORDS
    (tmp_path / "words").write_bytes(seal(WORDS, KEYS))
    assert opened(tmp_path / "words") == WORDS


@pytest.mark.parametrize("keys", [data_keys(OTHER), NO_KEYS], ids=["another key", "no key"])
def test_without_its_key_no_file_opens(sealed_file, opened, keys):
    with pytest.raises(SealError, match=SHUT):
        opened(sealed_file, keys)


def test_after_a_change_of_keys_an_old_file_opens_with_both(tmp_path, opened):
    (tmp_path / "old").write_bytes(seal(WORDS, data_keys(OLD)))
    assert opened(tmp_path / "old", data_keys(f"{NEW} {OLD}")) == WORDS


def test_without_a_key_no_file_is_sealed_nor_its_target_touched(tmp_path):
    (tmp_path / "plain").write_bytes(WORDS)
    (tmp_path / "target").write_bytes(b"an older backup")
    with pytest.raises(SealError, match="there is no key to seal with"):
        seal_file(tmp_path / "plain", tmp_path / "target", NO_KEYS)
    assert (tmp_path / "target").read_bytes() == b"an older backup"


def test_a_flipped_bit_in_any_byte_of_a_sealed_file_is_refused(tmp_path, sealed_file, opened):
    sealed = sealed_file.read_bytes()
    for place in range(len(sealed)):
        (tmp_path / "altered").write_bytes(flipped(sealed, place, place % 8))
        with pytest.raises(SealError, match=SHUT):
            opened(tmp_path / "altered")


def test_a_sealed_file_cut_anywhere_is_refused(tmp_path, sealed_file, opened):
    sealed = sealed_file.read_bytes()
    for end in range(0, len(sealed), 7):
        (tmp_path / "cut").write_bytes(sealed[:end])
        with pytest.raises(SealError, match=SHUT):
            opened(tmp_path / "cut")


@pytest.mark.parametrize("chunk", [0, 1, 2], ids=["first", "second", "last"])
def test_a_flipped_bit_in_any_chunk_of_a_long_file_is_refused(tmp_path, opened, chunk):
    sealed = seal(b"x" * 3 * CHUNK, KEYS)
    (tmp_path / "altered").write_bytes(flipped(sealed, len(sealed) - 1 - (2 - chunk) * (CHUNK + 16), 0))
    with pytest.raises(SealError, match=SHUT):
        opened(tmp_path / "altered")


@pytest.mark.parametrize("chunks", [1, 2])
def test_a_long_file_cut_between_two_chunks_is_refused(tmp_path, opened, chunks):
    sealed = seal(b"x" * 3 * CHUNK, KEYS)
    (tmp_path / "cut").write_bytes(sealed[: len(sealed) - chunks * (CHUNK + 16)])
    with pytest.raises(SealError, match=SHUT):
        opened(tmp_path / "cut")


@pytest.mark.parametrize(
    "words", [b"", WORDS, MAGIC, b"SQLite format 3\x00"], ids=["empty", "words", "magic alone", "a database"]
)
def test_a_file_that_was_never_sealed_does_not_open(tmp_path, opened, words):
    (tmp_path / "plain").write_bytes(words)
    with pytest.raises(SealError, match=SHUT):
        opened(tmp_path / "plain")


# --- the disk's own trouble -----------------------------------------------------------


@pytest.mark.parametrize("copy", [seal_file, unseal_file])
@pytest.mark.parametrize(
    ("source", "target", "trouble"),
    [
        ("missing", "target", errno.ENOENT),
        ("folder", "target", errno.EISDIR),
        ("sealed", "folder", errno.EISDIR),
        ("sealed", "missing/target", errno.ENOENT),
        ("sealed", "/dev/full", errno.ENOSPC),
    ],
    ids=["no source", "a folder as source", "a folder as target", "no place for the target", "a full disk"],
)
def test_trouble_of_the_disk_is_not_called_an_altered_file(tmp_path, sealed_file, copy, source, target, trouble):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        copy(tmp_path / source, tmp_path / target, KEYS)
    assert caught.value.errno == trouble


@pytest.mark.parametrize("copy", [seal_file, unseal_file])
def test_a_disk_that_fills_up_on_the_way_is_not_called_an_altered_file(tmp_path, copy):
    (tmp_path / "long").write_bytes(seal(b"x" * 5 * CHUNK, KEYS))
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        copy(tmp_path / "long", Path("/dev/full"), KEYS)
    assert caught.value.errno == errno.ENOSPC


# --- what looks sealed ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "looks"),
    [
        (seal(WORDS, KEYS), True),
        (seal(b"", data_keys(OTHER)), True),
        (seal(WORDS, KEYS)[:30], True),
        (MAGIC, True),
        (MAGIC[:-1], False),
        (b"", False),
        (WORDS, False),
        (b"SQLite format 3\x00", False),
        (b" " + MAGIC, False),
        (MAGIC.upper(), False),
    ],
    ids=[
        "sealed",
        "sealed for others, and empty",
        "sealed and cut",
        "the magic alone",
        "half the magic",
        "empty",
        "words",
        "a database",
        "the magic further on",
        "the magic in capitals",
    ],
)
def test_a_file_is_known_as_sealed_by_its_beginning(tmp_path, words, looks):
    (tmp_path / "file").write_bytes(words)
    assert is_sealed(tmp_path / "file") is looks


def test_a_sealed_file_is_known_as_sealed_and_its_plain_one_is_not(tmp_path, sealed_file):
    assert is_sealed(sealed_file)
    assert not is_sealed(tmp_path / "plain")


def test_a_missing_file_is_not_called_unsealed(tmp_path):
    with pytest.raises(FileNotFoundError):
        is_sealed(tmp_path / "missing")

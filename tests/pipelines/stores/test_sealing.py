"""A seal is white space that certifies itself."""

from __future__ import annotations

import json
import secrets

from pipelines.stores.sealing import SEAL_BYTES, is_seal, seal, unsealed


def test_each_write_has_another_seal() -> None:
    seals = {seal(secrets.token_hex(16)) for _ in range(1000)}
    assert len(seals) == 1000
    assert {len(one) for one in seals} == {SEAL_BYTES}
    assert all(is_seal(one) for one in seals)


def test_json_and_text_do_not_see_it() -> None:
    mark = seal("00")
    assert mark.isspace()
    assert json.loads(b'{"a": 1}' + mark) == {"a": 1}


def test_other_white_space_is_no_seal() -> None:
    for tail in (b"", b" " * SEAL_BYTES, b"\n" * SEAL_BYTES, seal("00")[:-1], b"x" * SEAL_BYTES):
        assert not is_seal(tail)
        assert unsealed(b"value" + tail) == b"value" + tail
    swapped = bytearray(seal("00"))
    swapped[5] = b" \t\n\r"[(b" \t\n\r".index(swapped[5]) + 1) % 4]
    assert not is_seal(bytes(swapped))


def test_one_seal_is_taken_off() -> None:
    twice = b"value" + seal("00") + seal("01")
    assert unsealed(twice) == b"value" + seal("00")

import pytest

from components.contract.errors import UserError


def test_what_is_written_is_read_and_none_is_none(tmp_path):
    from components.ml.formats import ranges

    known = {"image": (-1.0, 1.0), "block/conv#2": (0.0, 0.99609375)}
    assert ranges.read(tmp_path) == {}
    ranges.write(tmp_path, known)
    assert ranges.read(tmp_path) == known
    (tmp_path / ranges.FILE).write_bytes(b"cut off")
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        ranges.read(tmp_path)

"""JSON files: what is not JSON is a ValueError."""

import pytest

from ccalign_jax.data.json_files import read_json


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a": ', b"\xff\xfe", b""])
def test_damaged_content_is_a_value_error(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        read_json(path)

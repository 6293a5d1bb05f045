from __future__ import annotations

import gzip
import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.errors import InputError
from pellucid.image.unpack import unpacked

TEXT = random.Random(0).randbytes(200_000)


def put(folder: Path, content: bytes) -> Path:
    path = folder / "a.gz"
    path.write_bytes(content)
    return path


@given(cuts=st.lists(st.integers(0, len(TEXT)), max_size=4), sizes=st.lists(st.integers(0, 150_000), max_size=4))
def test_members_are_one_content_in_whatever_pieces_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], sizes: list[int]
) -> None:
    edges = [0, *sorted(cuts), len(TEXT)]
    packed = b"".join(gzip.compress(TEXT[a:b], 1, mtime=0) + bytes(a % 3) for a, b in itertools.pairwise(edges))
    with unpacked(put(tmp_path_factory.mktemp("members"), packed)) as content:
        parts = [content.read(size) for size in sizes]
        assert b"".join(parts) + content.read(len(TEXT) + 1) == TEXT
        assert [len(part) for part in parts[:1]] == sizes[:1]
        assert content.read(1) == b""


def test_what_is_not_packed_is_as_it_is(tmp_path: Path) -> None:
    with unpacked(put(tmp_path, TEXT)) as content:
        assert (content.packed, content.most) == (False, len(TEXT))
        assert content.read(len(TEXT) + 1) == TEXT


@pytest.mark.parametrize(
    ("tail", "after"), [(b"", 0), (bytes(512), 512), (b"\r\n", 2), (b"\0\0garbage", 9), (b"\x1f", 1)]
)
def test_bytes_behind_the_end_are_counted(tmp_path: Path, tail: bytes, after: int) -> None:
    with unpacked(put(tmp_path, gzip.compress(TEXT) + tail)) as content:
        assert content.read(len(TEXT) + 1) == TEXT
        assert content.after == after


def test_no_more_is_unpacked_than_is_asked_for(tmp_path: Path) -> None:
    with unpacked(put(tmp_path, gzip.compress(bytes(1 << 28), 1))) as content:
        assert content.read(1000) == bytes(1000)
        assert content._file.tell() <= 1 << 16
        assert len(content._pending) <= 1 << 16


@pytest.mark.parametrize("cut", [1, 4, 8, 1000])
def test_a_file_that_ends_too_early(tmp_path: Path, cut: int) -> None:
    with unpacked(put(tmp_path, gzip.compress(TEXT)[:-cut])) as content, pytest.raises(InputError, match="truncated"):
        content.read(len(TEXT) + 1)


@pytest.mark.parametrize("place", [12, 5000, -5, -2])
def test_a_bit_that_is_wrong(tmp_path: Path, place: int) -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[place] ^= 1
    with unpacked(put(tmp_path, bytes(packed))) as content, pytest.raises(InputError, match="truncated or corrupt"):
        content.read(len(TEXT) + 1)


def test_endless_members_and_zeros(tmp_path: Path) -> None:
    members, zeros = gzip.compress(b"", 1) * 200_001, gzip.compress(b"a", 1) + bytes(1 << 22)
    with unpacked(put(tmp_path, members)) as content, pytest.raises(InputError, match="more than 200000 members"):
        content.read(1)
    with unpacked(put(tmp_path, zeros)) as content, pytest.raises(InputError, match="more than a megabyte of zeros"):
        content.read(2)

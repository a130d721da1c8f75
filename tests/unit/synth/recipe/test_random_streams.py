"""Streams are those of their names, forever: catalogs made anew must have the same rows."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import xxhash

from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream


@pytest.mark.parametrize("chunk", [0, 7140, WHOLE_SKY])
def test_a_stream_is_philox_keyed_by_the_hash_of_its_name(chunk: int) -> None:
    """The 128 bits of xxh3 are the key, its lower word first; the counter begins at 0."""
    low_first = xxhash.xxh3_128_intdigest(f"5/Object/{chunk}/ra".encode()).to_bytes(16, "little")
    expected = np.random.Philox(key=int.from_bytes(low_first, "little"))
    made = stream(5, "Object", chunk, "ra")
    assert np.array_equal(made.bit_generator.random_raw(1000), expected.random_raw(1000))


def test_the_numbers_stay_what_they_were() -> None:
    """The first words of a stream, as the first recipes drew them."""
    first = stream(1, "Object", 7140, "ra").bit_generator.random_raw(3).tolist()
    assert first == [6840182264086167982, 3323623927158391772, 8923334316566544509]


def test_each_part_of_the_name_makes_another_stream() -> None:
    """Seed, table, chunk and column."""
    names = [(1, "Object", 7, "ra"), (2, "Object", 7, "ra"), (1, "Source", 7, "ra"), (1, "Object", 8, "ra"),
             (1, "Object", 7, "decl")]  # fmt: skip
    drawn = [stream(*name).bit_generator.random_raw(100) for name in names]
    for one, other in itertools.combinations(drawn, 2):
        assert not np.intersect1d(one, other).size


def test_a_stream_goes_on_in_another_process() -> None:
    """A pickled one draws what the first would have drawn."""
    made = stream(1, "Object", 7140, "ra")
    made.standard_normal(17)
    again = pickle.loads(pickle.dumps(made))
    assert np.array_equal(again.standard_normal(100), made.standard_normal(100))

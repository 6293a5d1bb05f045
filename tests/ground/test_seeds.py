"""Derived seeds: the same for the same use, and apart for every other."""

from __future__ import annotations

from itertools import product

from pellucid.ground.seeds import content_seed, derive_seed, wide_seed


def test_uses_do_not_share_a_seed() -> None:
    paths = [(use, k) for use, k in product(("trial", "split", "simulate", "null"), range(50))]
    seeds = [derive_seed(study, *path) for study, path in product(range(10), paths)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_seed_is_the_same_on_every_machine() -> None:
    # Written down once: a change here would change every study.
    assert derive_seed(0, "trial", 0) == 1065982354
    assert wide_seed(0, "trial", 0) >> 1 == 1065982354
    assert wide_seed(3, "sub-01") == 1542018751
    assert content_seed("0 sub-01") == 3170138538

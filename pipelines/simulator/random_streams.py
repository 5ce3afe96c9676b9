"""Seeded random streams: each part of the simulation has its own, so that it is the same in every run."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def stream(seed: int, *path: int) -> random.Random:
    """Return a random stream that depends on the seed and its path alone."""
    number = seed & 0xFFFF_FFFF_FFFF_FFFF
    for part in path:
        number = number << 32 | part & 0xFFFF_FFFF
    return random.Random(number)  # noqa: S311 - a simulation, not a secret


def identifier(rng: random.Random) -> str:
    """Draw a UUID of version 4."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def weighted(rng: random.Random, choices: Sequence[tuple[T, float]]) -> T:
    """Draw one of the choices, each as likely as its weight."""
    point = rng.random() * sum(weight for _, weight in choices)
    for choice, weight in choices:
        point -= weight
        if point < 0:
            return choice
    return choices[-1][0]


def around(rng: random.Random, median: float, spread: float) -> float:
    """Draw a positive number from the log-normal distribution with that median."""
    return median * math.exp(rng.gauss(0.0, spread))

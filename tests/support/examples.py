"""How much of large tests the inner loop runs: few examples of properties and few cases of matrices.

CI runs all of them, a soak draws many more examples.
"""

from __future__ import annotations

from hypothesis import settings

_CI = 100
_PROFILES = {"inner": 10, "ci": _CI, "soak": 2000}


def register_profiles() -> None:
    """Register the hypothesis profiles and load `inner`; pytest's --hypothesis-profile chooses another.

    No profile has a deadline: no test depends on how fast the machine is.
    """
    for name, examples in _PROFILES.items():
        settings.register_profile(name, max_examples=examples, deadline=None, print_blob=True)
    settings.load_profile("inner")


def examples(in_ci: int) -> int:
    """Return how many examples a test draws in the present profile.

    Args:
        in_ci: How many it draws in CI, where a test without a number of its own draws a hundred.
    """
    return max(2, in_ci * settings().max_examples // _CI)


def quick_cases(cases: int, quick: int) -> set[int]:
    """Return the numbers of the cases of a matrix that are quick, evenly spread, the first among them."""
    return {number * cases // quick for number in range(quick)}

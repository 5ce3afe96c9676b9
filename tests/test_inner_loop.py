"""The inner loop runs a part of the large tests, and CI the whole."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import settings

from tests.support.examples import examples, quick_cases
from tests.support.guide import ROOT


@pytest.mark.parametrize(
    ("cases", "quick", "chosen"), [(10, 3, {0, 3, 6}), (4, 2, {0, 2}), (3, 5, {0, 1, 2}), (1, 1, {0})]
)
def test_quick_cases_are_spread_over_a_matrix(cases, quick, chosen):
    assert quick_cases(cases, quick) == chosen


@pytest.mark.parametrize(("profile", "expected"), [("inner", 6), ("ci", 60), ("soak", 1200)])
def test_examples_scale_with_the_profile(profile, expected):
    present = settings.get_current_profile_name()
    try:
        settings.load_profile(profile)
        assert examples(60) == expected
    finally:
        settings.load_profile(present)


@pytest.mark.slow
def test_a_matrix_is_quick_in_part_and_slow_in_the_rest():
    def collected(expression: str) -> int:
        chosen = ["-m", expression, "tests/flatten/test_source.py"]
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", *chosen]
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return found.stdout.count("test_deep_nesting_costs_its_value[")

    assert (collected("not slow"), collected("slow")) == (2, 6)

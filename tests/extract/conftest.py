from __future__ import annotations

import pytest

from tests.support.small_lake import SmallLake


@pytest.fixture
def storage(tmp_path):
    return SmallLake(tmp_path / "lake").storage

"""The errors of settings that cannot be used."""

from __future__ import annotations

import pytest

from pipelines.errors import SettingsError
from pipelines.settings import load_settings


def problems() -> tuple[str, ...]:
    """Return the line of each setting that is refused now; it fails where none is."""
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.exit_code == 2
    return caught.value.problems

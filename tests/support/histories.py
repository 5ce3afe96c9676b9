"""Histories of calls over a few days: what an API sent, in which order, and which calls it lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from tests.oracle.items import Version
from tests.oracle.rows import Shaping
from tests.oracle.tables import call_date, usable_call_id
from tests.support.calls import call
from tests.support.json_text import SPELLINGS, to_json

FIRST_LANDED = datetime(2026, 3, 12, 8, tzinfo=UTC)
START_DATE = date(2019, 1, 1)


@dataclass
class History:
    """All versions by the day of their calls, and rejected items by the day of their arrival."""

    versions: dict[date, list[Version]] = field(default_factory=dict)
    rejected: dict[date, list[Version]] = field(default_factory=dict)

    @property
    def days(self) -> list[date]:
        return sorted({*self.versions, *self.rejected})

    def receive(self, payload: str, landed_at: datetime) -> None:
        """Put an item where it belongs."""
        call_id, day = usable_call_id(payload), call_date(payload)
        version = Version(call_id, payload, landed_at)
        if call_id is None or day is None or not START_DATE <= day <= landed_at.date() + timedelta(days=1):
            self.rejected.setdefault(landed_at.date(), []).append(version)
        else:
            self.versions.setdefault(day, []).append(version)

    def lose(self, number: int, landed_at: datetime, *, moved: bool = False) -> None:
        """Delete one of the calls that are there, chosen by a number; or say that it is on another day now."""
        known = sorted({(day, version.call_id) for day, versions in self.versions.items() for version in versions})
        if known:
            day, call_id = known[number % len(known)]
            self.versions[day].append(Version(call_id, None, landed_at, moved))


@st.composite
def histories(draw: st.DrawFn, max_size: int = 8) -> History:
    """A few calls that land one after the other, a microsecond apart at least, some deleted or moved in between."""
    history = History()
    landed_at = FIRST_LANDED
    for _ in range(draw(st.integers(1, max_size))):
        landed_at += timedelta(microseconds=draw(st.sampled_from([1, 1_500_000, 3_600_000_000])))
        history.receive(to_json(draw(call()), draw(st.sampled_from(SPELLINGS))), landed_at)
        if draw(st.integers(0, 5)) == 5:
            landed_at += timedelta(seconds=1)
            history.lose(draw(st.integers(0, 9)), landed_at, moved=draw(st.booleans()))
    return history


def shapings() -> st.SearchStrategy[Shaping]:
    """Settings that shape tables."""
    return st.builds(
        Shaping,
        timezone=st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York", "Pacific/Chatham"]),
        pii=st.sampled_from(["mask", "raw"]),
        pii_key=st.sampled_from([b"k", b"another key"]),
    )

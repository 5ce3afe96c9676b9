"""Items that cannot be placed: each is kept whole, once, however often it is seen."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.extract.raw_files import Version
from pipelines.lake import raw
from pipelines.lake.state import Kept, Landed
from pipelines.lake.storage import Storage


class Rejects:
    """Those that are held back until they land.

    Attributes:
        held: By hash.
        count: How many different ones were seen.
    """

    def __init__(self, storage: Storage, landed: Kept[Landed]) -> None:
        self.held: dict[str, Version] = {}
        self._storage = storage
        self._landed = landed
        self._before: set[str] | None = None
        self._seen: set[str] = set()

    @property
    def count(self) -> int:
        """How many different ones were seen."""
        return len(self._seen)

    def hold(self, version: Version) -> int:
        """Hold an item back, unless it was held back or landed before; returns the bytes that are held more by it."""
        if self._before is None:
            self._before = {
                known
                for day, landed in self._landed.value.days.items()
                if landed.rejected
                for known in raw.known_versions(self._storage, day, landed, raw.REJECTED)["payload_hash"]
            }
        self._seen.add(version.payload_hash)
        if version.payload_hash in self._before or version.payload_hash in self.held:
            return 0
        self.held[version.payload_hash] = version
        return len(version.payload)

    def drop(self, unwanted: Callable[[bytes], bool]) -> None:
        """Let go of some that are held back."""
        self.held = {hashed: version for hashed, version in self.held.items() if not unwanted(version.payload)}

    def landed(self) -> None:
        """Take note that what was held back has landed."""
        self._before = (self._before or set()) | self.held.keys()
        self.held.clear()

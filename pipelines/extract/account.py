"""Whose calls a sync lands: those of the lake's account alone, whatever the API answers with."""

from __future__ import annotations

from pipelines.lake.identity import admit_organisations, lake_record, require_own
from pipelines.lake.storage import Storage


class Account:
    """The organisations of a lake's account.

    An API key shows one account, so the first page that an empty lake is shown says whose calls all others have to be.
    An account may have several organisations; which they are is remembered with the first calls that land.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._own: set[str] = set()
        self._new: set[str] = set()

    def require_own(self, organisations: set[str]) -> None:
        """Go on with a page's calls only where they are the account's.

        Raises:
            ChorusCallsError: They are of an organisation that the lake does not know.
        """
        if organisations <= self._own:
            return
        lake = lake_record(self._storage).value
        known = self._own.union(lake.organisations)
        require_own(known, organisations)
        self._own = known | organisations
        self._new = self._own.difference(lake.organisations)

    def admit(self) -> None:
        """Let the lake remember whose calls it holds, before they land."""
        if self._new:
            admit_organisations(self._storage, self._new)
            self._new = set()

"""How a scan can end, and what it can find out about the list: two closed lists of words."""

from __future__ import annotations

from enum import StrEnum


class Ending(StrEnum):
    """Why a scan ended."""

    END = "reached the end of the list"
    FRONTIER = "reached what the last complete scan had seen"
    SETTLED = "read a list without order until that brought nothing new"
    LIMITED = "limited to a number of pages"
    NOT_JOINED = "the pages do not join: the list changes faster than it can be read"
    UNSETTLED = "the list has no stable order, and reading it again and again did not show as many calls as it has"
    HOLE = "a page in the middle of the list stays empty: what stands in that hole could not be read"
    REPEATED = "the API repeats its pages, whatever offset is asked for"
    TOO_MANY_GONE = "more known calls are no longer listed than may be marked deleted unasked"
    HIDDEN = "known calls are no longer listed, and the API counts more calls than it showed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def complete(self) -> bool:
        """Whether everything the scan was for has been seen."""
        return self in {Ending.END, Ending.FRONTIER, Ending.SETTLED}

    @property
    def proven(self) -> bool:
        """Whether that is proven by pages that join, so that less can be read the next time."""
        return self in {Ending.END, Ending.FRONTIER, Ending.TOO_MANY_GONE, Ending.HIDDEN}


class Order(StrEnum):
    """How the API lists calls by their creation, as observed."""

    NEWEST = "newest first"
    OLDEST = "oldest first"
    NONE = "none"

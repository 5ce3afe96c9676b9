"""A day's digest from the names of its raw files alone, where files were lost or rewritten."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipelines.lake import raw
from pipelines.lake.state import LandedDay, LandedFile


def recount(day: LandedDay, files: Mapping[tuple[str, str], tuple[LandedFile, Collection[str]]]) -> None:
    """Let files be all that counts of a day; its digest is that of the names under which they landed, in their order.

    Names tell when files landed, so a day of which nothing was lost gets the digest that it had.

    Args:
        day: The day.
        files: By name and kind: what is known of a file, and the names under which its rows have landed.
    """
    day.digest, day.calls, day.rejected = "", {}, {}
    landed = {(name, kind): known for (_, kind), (known, names) in files.items() for name in names}
    for (name, kind), known in sorted(landed.items(), key=lambda one: one[0]):  # `calls` first, as a flush counts them
        raw.count(day, kind, name, known)
    day.calls, day.rejected = (
        {name: known for (name, of), (known, _) in sorted(files.items(), key=lambda one: one[0]) if of == kind}
        for kind in (raw.CALLS, raw.REJECTED)
    )

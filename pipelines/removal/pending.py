"""Erasures that are listed and not done: who began was killed, or a sync saw only now what belongs to them.

Asked by every sync and build, so nothing but the list is read, and nothing imported, where there is none to finish.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines.errors import ChorusCallsError
from pipelines.lake.erased import load_erasures
from pipelines.lake.storage import LakeBusyError

if TYPE_CHECKING:
    from pipelines.build.workspace import Workspace
    from pipelines.removal.erase import Erased


def finish_erasures(workspace: Workspace, tell: Callable[[str], None]) -> None:
    """Finish what is listed and not done, unless somebody is at work in the lake.

    Raises:
        ChorusCallsError: It cannot be finished, or readers have lost a day by it.
    """
    storage = workspace.storage
    if load_erasures(storage).pending is None:
        return
    from pipelines.removal.erase import erase_listed, look, open_erasures  # noqa: PLC0415 - see above
    from pipelines.removal.needles import Needles  # noqa: PLC0415 - see above

    try:
        with storage.lock("sync", wait=0), storage.lock("lake", wait=0):
            erasures, needles = open_erasures(workspace), Needles()
            if erasures.pending is None:
                return
            tell("An erasure is listed and not finished; finishing it.")
            erased = erase_listed(workspace, erasures, look(workspace, erasures, needles, tell), needles, tell)
    except LakeBusyError:
        tell("An erasure is listed and not finished, and others are at work. Run `chorus-calls forget --listed`.")
        return
    require_all_days(erased)


def require_all_days(erased: Erased) -> None:
    """Fail where readers have lost days by an erasure.

    Raises:
        ChorusCallsError: They have.
    """
    if erased.lost:
        lost = "\n".join(f"{day} {why}" for day, why in sorted(erased.lost.items()))
        message = f"{lost}\nReaders no longer have these days; `chorus-calls build` tries again to build them."
        raise ChorusCallsError(message)

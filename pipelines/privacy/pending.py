"""Finish interrupted erasures.

Every sync, build and tick of the sensor asks for them, so if there is none only the suppression list is read, and the
modules that search and rewrite the lake are not imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines.lake.locks import try_exclusive_access
from pipelines.lake.storage import LakeBusyError
from pipelines.suppression.suppression_list import load_suppression_list

if TYPE_CHECKING:
    from pipelines.workspace import Workspace


def finish_erasures(workspace: Workspace, notify: Callable[[str], None]) -> None:
    """Finish interrupted erasures, unless a sync or a build is running.

    Raises:
        ChorusCallsError: They cannot be finished, or readers have lost a day by it.
    """
    if load_suppression_list(workspace.storage).pending is None:
        return
    from pipelines.privacy.forget import erase_listed, require_all_days  # noqa: PLC0415 - see above

    try:
        with try_exclusive_access(workspace.storage):
            if load_suppression_list(workspace.storage).pending is None:  # another process has finished them
                return
            notify("An erasure is listed and not finished; finishing it.")
            erased, _ = erase_listed(workspace, notify)
    except LakeBusyError:
        notify("An erasure is not finished, since the lake is in use. Run `chorus-calls forget --listed`.")
        return
    require_all_days(erased)

"""Forget: erase a customer or a call for good, and search the lake for what is left."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.lake.identity import require_same_settings
from pipelines.privacy.forget import ErasureRequest, ErasureResult, forget, forget_listed
from pipelines.workspace import Workspace


def run(
    workspace: Workspace,
    request: ErasureRequest | None,
    *,
    unknown_too: bool = False,
    notify: Callable[[str], None],
) -> ErasureResult:
    """Erase a customer or a call, or everything on the suppression list once more, then search the whole lake.

    Args:
        workspace: The lake.
        request: Whom to forget; None for everything that is listed, as in a restored backup.
        unknown_too: List also an identifier that the lake has no call of, so that a later sync does not land it.
        notify: Called with a sentence for each step.

    Raises:
        SettingsDifferError: The lake was built with other settings.
        ChorusCallsError: The lake has no such call, or it cannot be written.
    """
    require_same_settings(workspace.storage, workspace.table_settings)
    if request is None:
        return forget_listed(workspace, notify)
    return forget(workspace, request, notify, unknown_too=unknown_too)

"""Whether others are at work on the lake, so that what they are about to change is not taken for damage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from pipelines.lake.storage import LakeBusyError, Storage

_PATIENCE: Final = 15.0


def is_held(storage: Storage, name: str) -> bool:
    """Say whether a writer holds a lock at this moment."""
    try:
        with _taken(storage, name):
            return False
    except LakeBusyError:
        return True


@contextmanager
def quiet(storage: Storage) -> Iterator[bool]:
    """Let nobody publish for a block; gives false where somebody does so for longer than is worth waiting for."""
    with ExitStack() as held:
        try:
            held.enter_context(_taken(storage, "publish", _PATIENCE))
        except LakeBusyError:
            yield False
        else:
            yield True


@contextmanager
def _taken(storage: Storage, name: str, wait: float = 0) -> Iterator[None]:
    """Take a lock as readers do, where it was ever taken: to make its file would be a change of the lake."""
    if storage.size(f"state/locks/{name}.lock") is None:
        yield
        return
    with ExitStack() as held:
        with suppress(PermissionError):  # in a lake that this user may only read, others are taken to be away
            held.enter_context(storage.lock(name, shared=True, wait=wait))
        yield

"""Who the lake is: which settings shape its tables, whose calls it holds, and the key of its pseudonyms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection

from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.state import LakeRecord, Stored
from pipelines.lake.storage import Storage, SwapConflictError
from pipelines.lake.versions import Shaping

MASK = "mask"
"""The setting under which numbers are masked, in the record of what shapes tables."""


class SettingsDifferError(ChorusCallsError):
    """The settings that shape tables are not those the lake was built with (exit code 2)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=2)


def check_value(key: bytes) -> str:
    """Return a value that tells one PII key from another without giving it away."""
    return hmac.new(key, b"chorus-calls key check", hashlib.sha256).hexdigest()[:16]


def lake_shaping(storage: Storage) -> Shaping | None:
    """Return what shapes the lake's tables, as its writers agreed; None where none has written yet."""
    kept = state.read(storage, layout.LAKE, LakeRecord)
    return Shaping(kept.value.shaping, kept.value.table_version) if kept else None


def local_pii_key(storage: LocalStorage, *, renew: bool = False) -> bytes:
    """Return the key kept beside the lake's state, made on first use and readable by its owner only.

    Args:
        storage: The lake's files.
        renew: Make another one also for a lake whose tables were built with one that is lost.

    Raises:
        SettingsDifferError: The key that the lake was built with is not there.
    """
    key = storage.read(layout.PII_KEY)
    if key is None:
        if storage.size(layout.LAKE) is not None and not renew:
            message = (
                f"{storage.address(layout.PII_KEY)} is missing, and the lake's tables were built with a key. Restore "
                "it or set CHORUS_PII_KEY; or build them with a new one: `chorus-calls build --accept-settings`, once."
            )
            raise SettingsDifferError(message)
        key = storage.create_secret(layout.PII_KEY, secrets.token_hex(32).encode())
    return key.strip()


def differences(lake: LakeRecord, shaping: Shaping) -> list[str]:
    """Name the settings that shape the lake's tables otherwise than these do."""
    differing = [
        name for name in lake.shaping.__struct_fields__ if getattr(lake.shaping, name) != getattr(shaping.record, name)
    ]
    if shaping.table_version < lake.table_version:
        differing.append("table version (a newer chorus-calls wrote this lake)")
    return differing


def require_same_settings(storage: Storage, shaping: Shaping, *, accept: bool = False) -> None:
    """Let a writer go on only where its settings are the lake's, so that two hosts do not rebuild each other's days.

    Args:
        storage: The lake's files.
        shaping: What this program would shape tables with.
        accept: Make these settings the lake's from now on; its days turn stale.

    Raises:
        SettingsDifferError: They differ and were not accepted.
    """
    default = LakeRecord(shaping=shaping.record, table_version=shaping.table_version)
    kept = state.load(storage, layout.LAKE, LakeRecord, default)
    lake = kept.value
    differing = differences(lake, shaping)
    if differing and not accept:
        message = (
            f"The lake was built with other settings than these: {', '.join(differing)}. "
            "Set them back, or run `chorus-calls build --accept-settings` once to rebuild its days with the new ones."
        )
        raise SettingsDifferError(message)
    if kept.raw is None or differing or shaping.table_version != lake.table_version:
        masks = shaping.record.pii == MASK
        lake.unmasked_versions = masks and (lake.unmasked_versions or lake.shaping.pii != MASK)
        lake.shaping, lake.table_version = shaping.record, shaping.table_version
        try:
            state.commit(storage, kept)
        except SwapConflictError:  # another writer came first: what matters is what it wrote
            require_same_settings(storage, shaping, accept=accept)


def require_own(known: Collection[str], organisations: Collection[str]) -> None:
    """Go on only with calls of known organisations; a lake that knows none takes those that come first.

    Raises:
        ChorusCallsError: The calls belong to an organisation that the lake does not know.
    """
    new = sorted(set(organisations).difference(known))
    if new and known:
        message = (
            f"The API answers with calls of an organisation that is not this lake's ({new[0]}). "
            "One lake holds one account: use another CHORUS_LAKE for another key."
        )
        raise ChorusCallsError(message)


def lake_record(storage: Storage) -> Stored[LakeRecord]:
    """Return who the lake is.

    Raises:
        ChorusCallsError: No writer has been admitted yet.
    """
    kept = state.read(storage, layout.LAKE, LakeRecord)
    if kept is None:
        message = f"{storage.address(layout.LAKE)} is missing: the lake has no identity yet. Run `chorus-calls sync`."
        raise ChorusCallsError(message)
    return kept


def add_organisations(storage: Storage, organisations: Collection[str]) -> None:
    """Remember whose calls the lake holds; one lake is for one account.

    Raises:
        ChorusCallsError: The calls belong to an organisation that a lake with calls does not know.
    """
    kept = lake_record(storage)
    require_own(kept.value.organisations, organisations)
    new = sorted(set(organisations) - set(kept.value.organisations))
    if new:
        kept.value.organisations += new
        try:
            state.commit(storage, kept)
        except SwapConflictError:  # settings were accepted meanwhile
            add_organisations(storage, organisations)

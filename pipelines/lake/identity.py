"""The lake's identity: which settings shape its tables, whose calls it holds, and the key of its pseudonyms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection

import msgspec

from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.state import LakeRecord, TableSettings
from pipelines.lake.storage import Storage

MASK = "mask"
"""The value of CHORUS_PII under which numbers are masked."""


class SettingsDifferError(ChorusCallsError):
    """The settings that shape tables are not those the lake was built with (exit code 2)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=2)


def check_value(key: bytes) -> str:
    """Return a value that distinguishes one PII key from another without giving it away."""
    return hmac.new(key, b"chorus-calls key check", hashlib.sha256).hexdigest()[:16]


def load_lake(storage: Storage) -> LakeRecord | None:
    """Return the lake's identity; None if nothing has been written yet."""
    stored = state.read(storage, layout.LAKE, LakeRecord)
    return stored.value if stored else None


def load_table_settings(storage: Storage) -> TableSettings | None:
    """Return the table settings that the lake's writers agreed on; None if nothing has been written yet."""
    lake = load_lake(storage)
    return lake.settings if lake else None


def local_pii_key(storage: LocalStorage, *, renew: bool = False) -> bytes:
    """Return the key kept with the lake's state, made on first use and readable by its owner only.

    Args:
        storage: The lake's files.
        renew: Make a new key also where the one that the lake was built with is lost.

    Raises:
        SettingsDifferError: The key that the lake was built with is missing.
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


def differences(lake: LakeRecord, settings: TableSettings) -> list[str]:
    """Name the table settings in which the lake differs."""
    differing = [name for name, value in settings.shaping.items() if lake.shaping[name] != value]
    if settings.table_version < lake.table_version:
        differing.append("table version (a newer chorus-calls wrote this lake)")
    return differing


def require_same_settings(storage: Storage, settings: TableSettings, *, accept: bool = False) -> None:
    """Admit a writer only with the lake's settings, so that two hosts do not rebuild each other's days.

    Args:
        storage: The lake's files.
        settings: The table settings of this program.
        accept: Make these settings the lake's from now on; its days turn stale.

    Raises:
        SettingsDifferError: They differ and were not accepted.
    """

    def admit(lake: LakeRecord | None) -> LakeRecord:
        if lake is None:
            return LakeRecord(shaping=settings.shaping, table_version=settings.table_version)
        differing = differences(lake, settings)
        if differing and not accept:
            message = (
                f"The lake was built with other settings than these: {', '.join(differing)}. Set them back, or run "
                "`chorus-calls build --accept-settings` once to rebuild its days with the new ones."
            )
            raise SettingsDifferError(message)
        if not differing and settings.table_version == lake.table_version:
            return lake
        return msgspec.structs.replace(
            lake,
            shaping=settings.shaping,
            table_version=settings.table_version,
            unmasked_versions=settings.pii == MASK and (lake.unmasked_versions or lake.settings.pii != MASK),
        )

    state.update(storage, layout.LAKE, LakeRecord, admit)


def require_own(known: Collection[str], organisations: Collection[str]) -> None:
    """Accept only calls of known organisations; a lake that knows none takes those that come first.

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


def require_lake(storage: Storage) -> LakeRecord:
    """Return the lake's identity.

    Raises:
        ChorusCallsError: No writer has been admitted yet.
    """
    return _require(storage, load_lake(storage))


def update_lake(storage: Storage, change: Callable[[LakeRecord], LakeRecord]) -> None:
    """Change the lake's identity as `state.update` does.

    Raises:
        ChorusCallsError: No writer has been admitted yet.
    """
    state.update(storage, layout.LAKE, LakeRecord, lambda lake: change(_require(storage, lake)))


def add_organisations(storage: Storage, organisations: Collection[str]) -> None:
    """Remember whose calls the lake holds; one lake is for one account.

    Raises:
        ChorusCallsError: The calls belong to an organisation that a lake with calls does not know.
    """

    def add(lake: LakeRecord) -> LakeRecord:
        require_own(lake.organisations, organisations)
        new = sorted(set(organisations).difference(lake.organisations))
        return msgspec.structs.replace(lake, organisations=[*lake.organisations, *new])

    update_lake(storage, add)


def _require(storage: Storage, lake: LakeRecord | None) -> LakeRecord:
    if lake is None:
        message = f"{storage.address(layout.LAKE)} is missing: the lake has no identity yet. Run `chorus-calls sync`."
        raise ChorusCallsError(message)
    return lake

"""How words for how a call or a transfer went become one of a few classes."""

from __future__ import annotations

from collections.abc import Mapping

Outcomes = Mapping[str, Mapping[str, str]]


def normal(word: str) -> str:
    """Case, `-`, `_`, space and white space around the word make no difference."""
    return word.lower().replace("-", " ").replace("_", " ").strip()


def _class_of(word: str | None, classes: Mapping[str, str]) -> str | None:
    if word is None:
        return None
    return {normal(known): class_ for known, class_ in classes.items()}.get(normal(word))


def status_class(status: str | None, outcomes: Outcomes) -> str | None:
    """Return the class of a status, None where it is in no map."""
    return _class_of(status, outcomes["status"])


def transfer_outcome(transfer_status: str | None, outcomes: Outcomes) -> str | None:
    """Return the class of a transfer status, None where it is in no map."""
    return _class_of(transfer_status, outcomes["transfer_status"])


def call_outcome(status: str | None, ended_reason: str | None, outcomes: Outcomes) -> str:
    """Decide by the status, unless it says nothing or only `completed`: then the reason of the end may know better."""
    of_status = status_class(status, outcomes)
    of_reason = _class_of(ended_reason, outcomes["ended_reason"])
    if of_status is None or of_status == "completed":
        return of_reason or of_status or "unknown"
    return of_status

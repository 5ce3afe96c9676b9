"""Expected failures: each carries a message for the person who must act, and an exit code.

The message says what happened, to what, and what to do next, in one or two lines. Any other exception is a bug, or a
problem of the machine.
"""

from __future__ import annotations

from collections.abc import Sequence


class ChorusCallsError(Exception):
    """An expected failure.

    Attributes:
        message: What happened, to what, and what to do next. Never contains a secret.
        exit_code: The exit code of the command line.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


class SettingsError(ChorusCallsError):
    """Settings that cannot be used (exit code 2).

    Attributes:
        problems: One line per wrong setting.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems), exit_code=2)


class KeyRefusedError(ChorusCallsError):
    """The API answered 401 or 403 (exit code 3)."""

    def __init__(self, message: str = "The API refused the key. Check CHORUS_API_KEY and CHORUS_API_URL.") -> None:
        super().__init__(message, exit_code=3)


def disk_trouble(error: OSError) -> str:
    """Return the reason why a file could not be read or written, in one sentence."""
    what = error.strerror or str(error)
    return f"{what}: {error.filename}." if error.filename else f"{what}."

"""What an examination found, by the areas that it looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: The name of what was checked, the same in every version.
        what: What is wrong, in one sentence.
        day: The day that it is about, if it is about one.
        remedy: The command or act that mends it. Findings that have one remedy together say the same words.
    """

    check: str
    what: str
    day: date | None
    remedy: str


@dataclass
class Area:
    """A part of what was looked at.

    Attributes:
        name: Its name.
        seen: What was there to look at, in a few words; may be empty.
        findings: What is wrong there.
        looked_at: Whether it could be looked at: a file of state can be missing for that.
    """

    name: str
    seen: str = ""
    findings: list[Finding] = field(default_factory=list)
    looked_at: bool = True


@dataclass
class Report:
    """What an examination found.

    Attributes:
        lake: The lake's address.
        areas: What was looked at.
        notes: What is worth knowing and not wrong.
    """

    lake: str
    areas: list[Area] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """Everything that is wrong."""
        return [finding for area in self.areas for finding in area.findings]


@dataclass(frozen=True)
class Group:
    """Findings of one check that one remedy mends."""

    remedy: str
    whats: list[str]


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """Put findings together that are alike, in the order in which the first of each was found."""
    groups: dict[tuple[str, str], Group] = {}
    for finding in findings:
        groups.setdefault((finding.check, finding.remedy), Group(finding.remedy, [])).whats.append(finding.what)
    return list(groups.values())

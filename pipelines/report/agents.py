"""What agents are called on the page: by their name where the catalog knows one, and by a short id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.errors import ChorusCallsError
from pipelines.report import queries
from pipelines.report.queries import Source
from pipelines.report.text import clean, word

_SHORTEST_ID: Final = 8
_LONGEST_ID: Final = 40
_LISTED: Final = 5
_NAMES: Final = "SELECT id, name FROM agents WHERE name IS NOT NULL"
_HAS_NAMES: Final = "SELECT 1 FROM _tables WHERE table_name = 'agents'"


@dataclass(frozen=True)
class Agents:
    """The agents of a lake.

    Attributes:
        ids: Those with calls, the one with the most first.
        names: Names by id, of those that have one.
    """

    ids: Sequence[str]
    names: Mapping[str, str]

    def require(self, agent: str) -> None:
        """Refuse an agent that has no calls.

        Raises:
            ChorusCallsError: It has none.
        """
        if agent in self.ids:
            return
        some = ", ".join(self.ids[:_LISTED])
        more = f" and {len(self.ids) - _LISTED:,} more" if len(self.ids) > _LISTED else ""
        known = f"Those with the most calls are {some}{more}." if some else "No call names an agent."
        message = f"No agent with calls has the id {word(agent)!r}. {known}"
        raise ChorusCallsError(message)

    def label(self, agent: str | None) -> str:
        """Return what an agent is called: name and short id, or the short id alone."""
        if agent is None:
            return "(no agent)"
        name = word(self.names.get(agent), absent="")
        short = clean(agent[: self._length()]) or "(blank id)"
        return f"{name} ({short})" if name else short

    def _length(self) -> int:
        """How many characters of an id tell all agents apart."""
        lengths = range(_SHORTEST_ID, _LONGEST_ID)
        return next((n for n in lengths if len({agent[:n] for agent in self.ids}) == len(self.ids)), _LONGEST_ID)


def read_agents(source: Source) -> Agents:
    """Read which agents have calls, and their names from a catalog that knows them."""
    ids = [row["agent_id"] for row in source.rows(queries.AGENTS)]
    named = source.rows(_NAMES) if source.rows(_HAS_NAMES) else []
    return Agents(ids, {row["id"]: row["name"] for row in named})

"""How long the questions of a dashboard and of a person take on a lake of a year: part of `make bench`.

    questions.py [--calls 1000000] [--days 365] [--rounds 9] [--lake FOLDER]

Each question is asked of the catalog in two ways: by a new connection, as BI tools and the command line do, and by one
that has answered the same before with other values. Both execute the question, as those tools do; `connection.sql` of
DuckDB's Python plans it twice, for its columns and for its rows. Look-ups ask for another call each round. The
bars are for the medians of the slower way, the new connection. A bar that is missed is said, and fails nothing.

Making the lake takes some minutes and 700 MB for a million calls; with --lake it stays there, and is used again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import MappingProxyType

import duckdb
from measuring import CommandFailedError, clean_environment, run
from report import heading, say, table

from pipelines.serve.catalog import open_catalog

HERE = Path(__file__).resolve().parent
MOST_OF_A_MART = 0.050
MOST_WITHOUT_DATE = 0.300
MOST_WITH_DATE = 0.050

MARTS: Mapping[str, str] = MappingProxyType(
    {
        "cost per minute by agent and month": """
            SELECT agent_id, date_trunc('month', call_date) AS month,
                cost_per_minute(sum(cost_rated), sum(seconds_rated)) AS cost_per_minute
            FROM call_metrics_daily GROUP BY ALL""",
        "rates by week": """
            SELECT date_trunc('week', call_date) AS week, sum(calls) AS calls,
                connect_rate(sum(connected_calls), sum(calls)) AS connect_rate,
                containment_rate(sum(contained_calls), sum(connected_terminal_calls)) AS containment_rate
            FROM call_metrics_daily GROUP BY ALL ORDER BY week""",
        "this month against the one before": """
            SELECT date_trunc('month', call_date) AS month, sum(calls) AS calls, sum(cost) AS cost
            FROM call_metrics_daily
            WHERE call_date >= (SELECT max(call_date) FROM call_metrics_daily) - 60 GROUP BY ALL""",
        "calls by weekday and hour": """
            SELECT local_weekday, local_hour, sum(calls) AS calls FROM call_volume_hourly GROUP BY ALL""",
        "transfers by type": """
            SELECT transfer_type, sum(legs) AS legs,
                transfer_success_rate(sum(successful_legs), sum(failed_legs)) AS transfer_success_rate
            FROM transfer_metrics_daily GROUP BY ALL""",
    }
)
LOOKUPS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "a call by id": ("SELECT * FROM calls WHERE call_id = '{id}'", MOST_WITHOUT_DATE),
        "its transcript by id": ("SELECT * FROM transcript('{id}')", MOST_WITHOUT_DATE),
        "a call by id and date": (
            "SELECT * FROM calls WHERE call_id = '{id}' AND call_date = DATE '{day}'",
            MOST_WITH_DATE,
        ),
        "its transcript by id and date": (
            "SELECT * FROM transcript('{id}', call_date := DATE '{day}')",
            MOST_WITH_DATE,
        ),
    }
)
SEARCHES: Mapping[str, str] = MappingProxyType(
    {
        "(a word in all transcripts)": "SELECT count(*) FROM search_transcripts('refund')",
        "(two words in those of 30 days)": """
            SELECT * FROM search_transcripts('refund card')
            WHERE call_date >= (SELECT max(call_date) FROM call_metrics_daily) - 30""",
    }
)
_SEARCH_ROUNDS = 3
"""A search through everything takes seconds: it is asked so often at most."""
_PICKED = """
SELECT call_id, call_date FROM calls WHERE is_transferred AND message_count > 5 ORDER BY hash(call_id) LIMIT $1
"""


@dataclass(frozen=True)
class Asked:
    """What a question took.

    Attributes:
        name: The question.
        new: Seconds by new connections, each opened for it.
        cpu: Seconds of processor time of these, which say more on a machine that has other work.
        held: Seconds by one connection that was open already.
        most: Seconds that it should take at most by a new connection, if any are named.
    """

    name: str
    new: list[float]
    cpu: list[float]
    held: list[float]
    most: float | None = None

    def row(self) -> list[str]:
        """Return it as a row of a table, in milliseconds."""
        bar = "" if self.most is None else f"{1000 * self.most:.0f}"
        verdict = "" if self.most is None else "met" if median(self.new) <= self.most else "MISSED"
        times = (f"{1000 * median(seconds):.1f}" for seconds in (self.new, self.cpu, self.held))
        return [self.name, *times, bar, verdict]


class Questions:
    """Asks a catalog.

    Args:
        catalog: The catalog's file.
        rounds: How often each question is asked.
    """

    def __init__(self, catalog: Path, rounds: int) -> None:
        self._catalog = catalog
        with open_catalog(catalog) as connection:
            picked = connection.execute(_PICKED, [rounds + 1]).fetchall()
        self._calls = [{"id": call_id, "day": day} for call_id, day in picked]

    def ask_all(self) -> Iterator[Asked]:
        """Ask everything."""
        for name, sql in MARTS.items():
            yield self._ask(name, sql, MOST_OF_A_MART)
        for name, (sql, most) in LOOKUPS.items():
            yield self._ask(name, sql, most)
        for name, sql in SEARCHES.items():
            yield self._ask(name, sql, rounds=_SEARCH_ROUNDS)

    def _ask(self, name: str, sql: str, most: float | None = None, rounds: int | None = None) -> Asked:
        say(f"Asking: {name}")
        first, *others = (sql.format(**call) for call in self._calls[: rounds and rounds + 1])
        new, cpu = [], []
        for question in others:
            worked, begun = time.process_time(), time.perf_counter()
            with closing(self._connect()) as connection:
                connection.execute(question).fetchall()
            new.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - worked)
        held = []
        with closing(self._connect()) as connection:
            connection.execute(first).fetchall()
            for question in others:
                begun = time.perf_counter()
                connection.execute(question).fetchall()
                held.append(time.perf_counter() - begun)
        return Asked(name, new, cpu, held, most)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self._catalog), read_only=True)


def make_lake(lake: Path, *, calls: int, days: int) -> None:
    """Make a lake in a process of its own, so that its memory is free when questions are asked."""
    environment = clean_environment(CHORUS_LAKE=str(lake), CHORUS_PII_KEY="a key for benchmarks only")
    command = [sys.executable, str(HERE / "year_lake.py"), "--calls", str(calls), "--days", str(days)]
    say(f"Making a lake of {calls:,} calls in {days:,} days, if it is not there")
    run(command, folder=lake.parent, environment=environment)


def main() -> None:
    """Make the lake, ask and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000, help="how many calls (1000000)")
    parser.add_argument("--days", type=int, default=365, help="how many days (365)")
    parser.add_argument("--rounds", type=int, default=9, help="how often each question is asked (9)")
    parser.add_argument("--lake", type=Path, help="where the lake stays, to be used again")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chorus-calls-questions-") as scratch:
        lake = (wanted.lake or Path(scratch) / "lake").absolute()
        try:
            make_lake(lake, calls=wanted.calls, days=wanted.days)
        except CommandFailedError as error:
            sys.exit(str(error))
        asked = [question.row() for question in Questions(lake / "chorus.duckdb", wanted.rounds).ask_all()]
    print(heading(f"questions to {wanted.calls:,} calls of {wanted.days:,} days, {wanted.rounds} rounds"))
    print(table(["medians, ms", "new connection", "its CPU", "held", "at most", ""], asked))


if __name__ == "__main__":
    main()

"""Containment and transfers."""

from __future__ import annotations

from pipelines.report import text
from pipelines.report.charts import lines_in_time, picture
from pipelines.report.figures import Figures
from pipelines.report.page_model import Cell, Figure, Section, Table, Text, Tile
from pipelines.report.sections.parts import series, stacked, table_in_time

_RESULTS = {"successful_legs": 1, "failed_legs": 2, "open_legs": 3}
_NO_CONNECTED = "No call of this period reached a person."
_NO_TRANSFERS = "There were no transfer attempts in this period."


def transfers(figures: Figures) -> Section:
    """Return containment, transfers by type, and the time to a transfer."""
    calls, legs = figures.calls.now, figures.legs.now
    lead = _NO_CONNECTED
    if calls.get("connected_calls"):
        alone = text.share(calls["containment_rate"])
        lead = (
            f"Of the calls that reached a person and are over, the agent handled {alone} without a transfer. "
            f"{text.plural(calls['transferred_calls'], 'call')} had a transfer attempt."
        )
        if legs and legs["transfer_success_rate"] is not None:
            lead += f" Of the attempts with a known result, {text.share(legs['transfer_success_rate'])} succeeded."
    figures_ = [_containment(figures), _by_type(figures)]
    return Section("transfers", "Containment and transfers", lead, figures_)


def _containment(figures: Figures) -> Figure:
    period = figures.period
    title = f"Containment and transfers by {period.unit}"
    subtitle = (
        "Contained: share of connected, finished calls handled without a transfer. Transferred: share of connected "
        "calls with a transfer attempt."
    )
    contained, transferred = series(figures, "containment_rate"), series(figures, "transfer_rate")
    if not any(rate is not None for rate in (*contained.values(), *transferred.values())):
        return Figure(title, subtitle, empty=_NO_CONNECTED)
    columns: list[tuple[str, list[Text]]] = [
        ("Contained", [text.share(contained.get(step)) for step in period.steps()]),
        ("Transferred", [text.share(transferred.get(step)) for step in period.steps()]),
    ]
    return Figure(
        title,
        subtitle,
        picture=picture(
            lambda narrow: lines_in_time(period, [contained, transferred], shares=True, narrow=narrow),
            f"Two lines, the share of calls contained and the share transferred of each {period.unit}. "
            "The table below has the figures.",
        ),
        legend=[("c1", "Contained"), ("c2", "Transferred")],
        table=table_in_time(figures, title, columns),
    )


def _by_type(figures: Figures) -> Figure:
    title, subtitle = "Attempts by type", "Transfer legs by result, according to the transfer's status."
    if not figures.by_transfer_type:
        return Figure(title, subtitle, empty=_NO_TRANSFERS)
    rows = [
        (
            text.word(row["transfer_type"], absent="(no type)"),
            [
                Cell(text.count(row["legs"]), bar),
                Cell(text.share(row["transfer_success_rate"])),
                Cell(text.count(row["failed_legs"])),
                Cell(text.count(row["open_legs"])),
                Cell(text.duration(row["seconds_to_transfer"])),
            ],
        )
        for row, bar in zip(figures.by_transfer_type, stacked(figures.by_transfer_type, _RESULTS), strict=True)
    ]
    columns = ["Type", "Attempts", "Success rate", "Failed", "No result", "Time to transfer"]
    legend = [("c1", "Succeeded"), ("c2", "Failed"), ("c3", "No known result")]
    times = figures.transfer_times
    return Figure(
        title,
        subtitle,
        tiles=[
            Tile("Attempts", text.count(figures.legs.now["legs"]), _attempts_before(figures)),
            Tile("Average time to transfer", text.duration(times["average"])),
            Tile("Half within", text.duration(times["p50"])),
            Tile("9 in 10 within", text.duration(times["p90"])),
        ],
        table=Table(title, columns, rows, legend),
        note="Success rate: succeeded over succeeded and failed. Time to transfer: from the start of the call to the "
        "start of the attempt, on average.",
    )


def _attempts_before(figures: Figures) -> str:
    return text.change(figures.legs.now.get("legs"), figures.legs.before.get("legs")) or ""

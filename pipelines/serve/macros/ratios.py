"""The macros of the ratios: each takes the sums that it is worked out from, over any group of rows."""

from __future__ import annotations

from pipelines.dictionary import RATIOS, Ratio
from pipelines.dictionary.metrics import RATIOS_OF_METRICS
from pipelines.serve.ddl import name
from pipelines.serve.macros.model import Macro


def quotient(ratio: Ratio) -> str:
    """Return a ratio as an expression over its sums: null without them, and where it is no finite number.

    All is cast to DOUBLE, since a client may have set `/` to divide without a remainder; what is then divided by zero
    is infinite or nothing, as the client has set.
    """
    above = f"CAST({name(ratio.numerator)} AS DOUBLE)"
    below = " + ".join(f"CAST({name(part)} AS DOUBLE)" for part in ratio.denominator)
    factor = "" if ratio.factor == 1 else f"{ratio.factor:g} * "
    result = f"{factor}{above} / ({below})"
    return f"CASE WHEN isfinite({result}) THEN {result} END"


def _macro(ratio: Ratio) -> Macro:
    sums = ", ".join(f"sum({component})" for component in ratio.components)
    return Macro(
        name=ratio.name,
        parameters=tuple(name(component) for component in ratio.components),
        body=quotient(ratio),
        description=f"{ratio.description} Takes sums over any rows of {' or '.join(ratio.tables)}.",
        example=f"SELECT {ratio.name}({sums}) FROM {ratio.tables[0]}",  # noqa: S608 - own names
        is_table=False,
    )


RATIO_MACROS = tuple(_macro(ratio) for ratio in (*RATIOS.values(), *RATIOS_OF_METRICS))

"""What a macro of the catalog is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.serve.ddl import literal, name


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro, scalar or of a table.

    Attributes:
        name: Its name in the catalog.
        parameters: Its parameters as SQL declares them, each with its default where it has one.
        body: What it stands for: an expression, or the query of a table macro.
        description: What it answers, for somebody who reads dashboards.
        example: A statement that uses it and runs on any catalog that has it.
        is_table: Whether it gives a table.
        reads_calls: Whether it reads the tables of single calls, which a catalog to hand out lacks.
    """

    name: str
    parameters: tuple[str, ...]
    body: str
    description: str
    example: str
    is_table: bool = True
    reads_calls: bool = False

    def statements(self) -> Iterator[str]:
        """Yield the statements that make the macro and say what it is for."""
        kind = "TABLE " if self.is_table else ""
        yield f"CREATE MACRO {name(self.name)}({', '.join(self.parameters)}) AS {kind}{self.body}"
        text = f"{self.description} Example: {self.example}"
        yield f"COMMENT ON MACRO {'TABLE ' if self.is_table else ''}{name(self.name)} IS {literal(text)}"

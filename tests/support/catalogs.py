"""A catalog that only remembers which manifest it was made from."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.lake.state import Manifest


@dataclass
class RememberingCatalog:
    """Stands for the readers' catalog where a test is about when it is made.

    Attributes:
        generations: Those of the manifests it was made from, the newest last.
        failing: Whether making it fails, as on a full disk.
    """

    generations: list[int] = field(default_factory=list)
    failing: bool = False

    def make(self, manifest: Manifest) -> None:
        if self.failing:
            message = "no space left"
            raise OSError(message)
        self.generations.append(manifest.generation)

    def generation(self) -> int | None:
        return self.generations[-1] if self.generations else None

    def shown(self) -> tuple[int | None, str]:
        return self.generation(), ""

    def is_unfinished(self) -> bool:
        return False

    def remove_unfinished(self) -> None:
        pass

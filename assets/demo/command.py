"""`chorus-calls demo`: the whole pipeline on simulated calls, in a folder of its own."""

from __future__ import annotations

import time

import click

from pipelines.errors import ChorusCallsError


@click.command("demo", epilog="Example: chorus-calls demo")
@click.option("--calls", type=click.IntRange(min=1), help="Calls that a new demo begins with.  [default: 2100]")
@click.option("--days", type=click.IntRange(1, 365), help="Days they are spread over.  [default: 30]")
def demo_command(*, calls: int | None, days: int | None) -> None:
    """Serve simulated calls, sync them through Dagster, let hours pass, sync again, and show what came of it.

    Needs no account. All of it stays in data/demo, where a second demo goes on from the first.
    """
    began = time.monotonic()
    from assets.demo.place import FOLDER, WORLD
    from assets.demo.serving import dev_command, served
    from assets.demo.story import Story
    from assets.demo.world import CALLS, DAYS, alone, found_world, is_founded, open_world

    story = Story()
    with alone(WORLD):
        again = is_founded(WORLD)
        if again and (calls or days):
            message = f"{FOLDER} holds a demo that is under way. To begin one with other calls, remove {FOLDER} first."
            raise ChorusCallsError(message)
        world = open_world(WORLD) if again else found_world(WORLD, calls=calls or CALLS, days=days or DAYS)
        dev = dev_command()
        with served(world) as url:
            story.company(world, url, again=again)
            with story.working("Starting Dagster"):
                import assets.definitions  # noqa: F401 - first, since it silences Dagster's warnings

                # isort: split
                from assets.demo.show import show
            show(story, world, again=again, dev=dev)
    story.text(f"\nDone in {time.monotonic() - began:.0f} s.")

"""A simulated Chorus API on loopback, for trying the pipeline without an account and for its tests."""

from __future__ import annotations

from pipelines.simulator.listing import Order
from pipelines.simulator.messages import Request, Respond, Response
from pipelines.simulator.server import DEFAULT_KEY, SimulatedApi
from pipelines.simulator.world import World

__all__ = ["DEFAULT_KEY", "Order", "Request", "Respond", "Response", "SimulatedApi", "World"]

"""Scans: the pure decisions of reading a list that changes while it is read."""

from pipelines.extract.scan.ordered import OrderedScan
from pipelines.extract.scan.unordered import UnorderedScan

Scan = OrderedScan | UnorderedScan
"""A scan of either kind: a sync runs both in the same way."""

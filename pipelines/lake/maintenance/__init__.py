"""Maintenance of the lake: reconcile after a crash, expire versions, compact raw, apply retention."""

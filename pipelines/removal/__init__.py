"""Takes people, calls and old days out of the lake for good: out of raw, every version, and the catalog."""

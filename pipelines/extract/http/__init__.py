"""HTTP: client, sessions, rate limit and prefetch for the calls API."""

"""The Dagster assets: thin shells around the functions of `pipelines`."""

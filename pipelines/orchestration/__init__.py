"""What stands behind Dagster's definitions: which days are due, what is told of them, where runs are kept."""

"""The report: one HTML file about the calls of a period, for people without access to a database or BI tool."""

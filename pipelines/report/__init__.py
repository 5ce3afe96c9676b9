"""The report: one HTML file that says what happened in a period, for people who open no database and no BI tool."""

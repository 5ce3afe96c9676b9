"""The demo: a company that does not exist, whose calls go through the whole pipeline in a folder of their own."""

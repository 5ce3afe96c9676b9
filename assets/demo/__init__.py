"""The demo: the simulated company's calls go through the whole pipeline, in a folder of their own."""

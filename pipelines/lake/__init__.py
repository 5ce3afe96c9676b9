"""The lake: where raw calls and the built days lie, and how writers keep it true.

Everything in here works on days, files and versions; what the files mean is the business of other rooms.
"""

"""The lake: storage, state, raw, versions and publishing, and how concurrent writers keep it consistent.

Everything here works on days, files and versions. What the files mean is known elsewhere.
"""

"""The tables computed once more, the obvious way.

The product reaches its rows by a fast road. This package reaches them by the plainest one, from the stated meanings
alone: dictionaries, loops and the standard library, nothing of the product. Tests compare the two, row by
row; where they differ, one of them has misread the meaning.
"""

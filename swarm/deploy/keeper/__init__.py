"""The release keeper of a board: one archive, run by the board's own Python with nothing but its standard library.

The board decides about its releases with this program alone, without an operator and without any file of a release.
"""

"""Searches that simulate what they find: in rounds with the search by formula, by single moves, of small problems."""

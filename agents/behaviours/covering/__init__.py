"""Parts of the coverage behaviours: what a field is known to be, what is believed of it, cells, flight and notes."""

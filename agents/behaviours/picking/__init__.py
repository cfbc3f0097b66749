"""Parts of the behaviours of robots that fetch goods in a warehouse."""

"""Files that a launch file names: traces of links, and maps."""

"""Large teams: a problem is split into shards by radio neighbourhood, which are solved side by side."""

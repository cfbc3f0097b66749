"""Radio between robots of a world: today a distance, beyond which they do not hear each other."""

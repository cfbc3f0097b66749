"""Cameras beside what is rendered: what is not drawn, late frames, what optics make of a picture, pixels as arrays."""

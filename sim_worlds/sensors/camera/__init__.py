"""Cameras beside what is rendered: what is not drawn, what optics make of a picture, and pixels as arrays."""

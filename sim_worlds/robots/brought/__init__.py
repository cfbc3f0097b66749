"""Robots that users bring as URDF files."""

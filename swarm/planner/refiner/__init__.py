"""The process that refines plans on Ray: both ends of its pipe are in `process.py`, the host file of this folder."""

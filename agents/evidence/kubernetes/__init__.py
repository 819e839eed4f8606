"""Faults of a Kubernetes cluster read from its usual outputs: what is broken, why, and the line that decides it.

`snapshot.py` parses what was read, `families/` holds one file of rules per kind of fault, `rank.py` orders what they
say, `plan.py` asks what to read next, `condense.py` shortens an output to what can matter. Pure functions: the reading
itself is done by a connector's tools.
"""

"""Adversaries of a verdict, one file each; `agents/review/refuter.py` is the contract."""

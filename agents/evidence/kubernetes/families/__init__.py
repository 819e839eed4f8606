"""One module for each family of faults; the contract stands in `family.py`."""

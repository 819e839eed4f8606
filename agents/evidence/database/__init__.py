"""Faults of a managed relational database read from its metrics, its events and what its sessions wait for."""

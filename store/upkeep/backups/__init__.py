"""Backups: made, listed, proved, put back, and forgotten after 30 days.

Content and keyring are two archives in two folders, so that no file holds both ciphertext and keys, and so that a
closed tenant stays unreadable: what was shredded is shredded again before a restored keyring opens. The master key, the
shred ledger and the signed audit heads are in no backup; keep copies of them elsewhere. The engine's queue is in none
either: its work belongs to the moment, and what was applied must not be applied again.
"""

from store.upkeep.backups.archive import KEEP_FOR, Backup, Backups, DeploymentData
from store.upkeep.backups.restoring import Restored, restore, restore_marker

__all__ = ["KEEP_FOR", "Backup", "Backups", "DeploymentData", "Restored", "restore", "restore_marker"]

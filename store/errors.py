"""What can go wrong in the store. A class says what happened and what to do; expected refusals are values."""


class StoreError(Exception):
    """Root of the store's errors."""


class UnknownTenant(StoreError):
    """No tenant, or no data key for it: it was never created, or it was closed and its keys shredded."""


class NotFound(StoreError):
    """The id names nothing in this tenant."""


class StoreBusy(StoreError):
    """A writer waited too long for its turn. Most often a session was opened inside another one of the same task."""


class RefusedStatement(StoreError):
    """A statement that the tenant wall cannot filter was refused before it reached the database: our bug."""


class CrossTenantWrite(StoreError):
    """A row of another tenant was about to be written: our bug."""


class CorruptEnvelope(StoreError):
    """Stored ciphertext is not an envelope, was changed, or belongs to another tenant, table, column or row.
    Restore the row from a backup.
    """


class UnknownKey(StoreError):
    """The envelope names a data key that the keyring does not hold: restore the keyring's own backup."""


class WrongMasterKey(StoreError):
    """The key file does not open the keyring's data keys: put the original key file back."""


class UnsafeKeyFile(StoreError):
    """The key file can be read by others, or is not a key file. `chmod 600` it, or restore it from its backup."""


class SchemaMismatch(StoreError):
    """The database is not at the schema that this version needs; the message says whether to migrate or to upgrade."""


class InstalledElsewhere(StoreError):
    """This Slack workspace is already connected to another tenant."""


class LastAdmin(StoreError):
    """The change would leave the tenant without an admin. Make somebody else admin first."""

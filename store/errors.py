"""What can go wrong in the store. A class says what happened and what to do; expected refusals are values."""


class StoreError(Exception):
    """Root of the store's errors."""


class UnknownTenant(StoreError):
    """No tenant, or no data key for it: it was never created, or it was closed and its keys shredded."""


class NotFound(StoreError):
    """The id names nothing in this tenant."""


class NameTaken(StoreError):
    """Something of the tenant has this name already. Choose another one."""


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


class UnreadableConnection(CorruptEnvelope):
    """The stored credentials of a connection cannot be opened, so it is not used: disconnect it and connect it again,
    or restore the row from a backup. Everything else works on.
    """


class UnknownKey(StoreError):
    """The envelope names a data key that the keyring does not hold: restore the keyring's own backup."""


class WrongMasterKey(StoreError):
    """The key file does not open the keyring's data keys: put the original key file back."""


class KeyAccessDenied(StoreError):
    """The key service knows us, but does not let us use the key: the message names the right that is missing."""


class KeyServiceUnreachable(StoreError):
    """The key service does not answer. Nothing was lost; what is sealed opens again when it does."""


class NoShredLedger(StoreError):
    """The keyring's shred ledger is missing, cut off, or another's. Without it, shredded keys could come back from a
    backup, so nothing is loaded: put the newest copy of the ledger in its place.
    """


class BrokenShredLedger(StoreError):
    """A line of the shred ledger was changed. Restore the ledger from its own copy."""


class TenantFrozen(StoreError):
    """Slack was uninstalled, or the tenant is being closed: nothing is done for it any more. Installing the app again
    within seven days brings it back, unless the closing has begun.
    """


class UnsafeKeyFile(StoreError):
    """The key file can be read by others, or is not a key file. `chmod 600` it, or restore it from its backup."""


class SchemaMismatch(StoreError):
    """The database is not at the schema that this version needs; the message says whether to migrate or to upgrade."""


class InstalledElsewhere(StoreError):
    """This Slack workspace is already connected to another tenant."""


class LastAdmin(StoreError):
    """The change would leave the tenant without an admin. Make somebody else admin first."""


class AddressTaken(StoreError):
    """The e-mail address, or the person, has an account in this organisation already."""


class CorruptCheckpoints(StoreError):
    """The file of signed audit heads, or the key to check it with, was changed. Compare it with a copy of it."""


class BadBackup(StoreError):
    """A backup is damaged, cut off, changed, another deployment's, or of a newer version. Nothing was changed."""


class RestoreRefused(StoreError):
    """The place is not empty, is in use, or lacks what a restore needs. Nothing was changed."""


class HalfRestored(RestoreRefused):
    """One of two databases was restored and the other one was not. Nothing starts there until it is restored again."""


class MissingProgram(StoreError):
    """`pg_dump`, `pg_restore` or `psql` of the server's version is not installed here."""

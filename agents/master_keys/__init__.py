"""Key services that hold the master key: one file each, behind `store.key_provider.KeyProvider`."""

"""Key services that hold the master key: one file each, behind `store.keys.key_provider.KeyProvider`."""

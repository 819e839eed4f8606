"""Who sends webhooks, one file each."""

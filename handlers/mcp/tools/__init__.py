"""The tools that programs may call, one file each."""

"""The door for what other systems send by themselves."""

"""The door for coding agents and other programs that speak the Model Context Protocol."""

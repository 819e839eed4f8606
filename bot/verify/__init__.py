"""`autoheal verify`: proves the promises of the privacy policy on this deployment, and signs what it found."""

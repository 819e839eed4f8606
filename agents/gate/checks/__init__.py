"""What a claim must pass, by what is looked at: each check is a function over the claim and its proofs."""

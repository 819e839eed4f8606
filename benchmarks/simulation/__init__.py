"""Systems that nobody has seen, simulated: their calls, their metrics, their faults."""

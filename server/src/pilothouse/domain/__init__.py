"""What exists and what may happen. Pure: no event loop, no clock, no I/O; time and ids are arguments."""

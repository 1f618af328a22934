"""Who may do what. Pure: decisions from values, no I/O."""

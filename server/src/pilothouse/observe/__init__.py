"""Our own logs, figures and health."""

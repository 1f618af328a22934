"""An example integration: take orders, check stock, settle them on a schedule."""

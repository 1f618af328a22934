"""Who somebody is: passwords and sessions."""

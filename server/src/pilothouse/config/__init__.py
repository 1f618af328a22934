"""What an operator may set: one table of names, defaults and meanings, read once.

The command line, the reference page in docs/ and the running server all read this table; a test keeps the page whole.
"""

from pilothouse.config.reading import InvalidSetting, default_home, load, unknown_variables
from pilothouse.config.settings import Settings
from pilothouse.config.table import TABLE, Setting

__all__ = ["TABLE", "InvalidSetting", "Setting", "Settings", "default_home", "load", "unknown_variables"]

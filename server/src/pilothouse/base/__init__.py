"""What everything else stands on: errors, time, ids. Standard library only."""

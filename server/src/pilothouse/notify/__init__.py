"""Telling people: one notice through one channel. Who is told what, when, and how often is decided elsewhere."""

"""The store that comes with the control plane: a journal written here, DuckDB in a process of its own behind it.

    append ─journal (here, fdatasync)→ acknowledged
                └─read by→ process: rows in memory, asked at once ─flush→ one DuckDB file per environment and day
    question ─socket→ process ─DuckDB, one cursor a question→ answer

The process may die at any moment: what was acknowledged is in the journal until a file has it, and every file says up
to which record it has it. Reasons and measurements: ADR 0019.
"""

"""Several processes of one control plane on one machine: a parent that keeps them, and workers that serve.

    parent ─ holds the home, the ports and the telemetry store; starts workers, starts them again, ends them
      ├─ line ─ worker 1 ─ both ports, database
      ├─ line ─ worker 2 ─ both ports, database
      └─ the telemetry store's process

Each worker is what a control plane on a machine of its own would be: workers meet in the database. The line carries what belongs
to the machine: telemetry for its one store, figures and health for whoever asks the machine, and the word to stop.
"""

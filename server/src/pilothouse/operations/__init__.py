"""The verbs: authorise, load, decide, save. One operation is one transaction."""

"""An organization kept as code: files, what they want, what is there, and the way from one to the other."""

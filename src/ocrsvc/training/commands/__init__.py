"""The steps of ``ocrsvc train``: their arguments, and the modules that they call when they run."""

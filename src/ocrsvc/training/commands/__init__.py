"""Command line of ``ocrsvc train``: the arguments of each step and the call that runs it."""

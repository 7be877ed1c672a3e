"""Subcommands of ``ocrsvc``, one module each.

A command module has ``add_parser(subparsers)`` and ``run(options) -> exit status``. Heavy imports are inside ``run``,
so that ``ocrsvc --help`` and ``--version`` load neither OpenCV nor ONNX Runtime.
"""

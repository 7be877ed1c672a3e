"""Contracts of other OCR services: how their clients ask, and the answers that they understand.

One module a contract. It turns the fields of a request into options, and a document into an answer; nothing here knows
about HTTP connections, limits or keys, which ``ocrsvc.service`` applies as to its own requests.
"""

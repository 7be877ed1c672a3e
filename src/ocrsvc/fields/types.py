"""All types of fields by their names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ocrsvc.fields import identifiers
from ocrsvc.fields.amounts import AMOUNT
from ocrsvc.fields.dates import DATE
from ocrsvc.fields.field_type import FieldType

TYPES: Mapping[str, FieldType] = MappingProxyType(
    {
        each.name: each
        for each in (
            DATE,
            AMOUNT,
            identifiers.ID_CARD,
            identifiers.CREDIT_CODE,
            identifiers.BANK_CARD,
            identifiers.PLATE,
            identifiers.PHONE,
            identifiers.INVOICE_NUMBER,
        )
    }
)

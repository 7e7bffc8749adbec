"""Persons and a CRM kept in step: what differs is decided field by field, and what both changed by a person."""

"""Playbooks that come with the product, as data: what every new workspace starts with."""

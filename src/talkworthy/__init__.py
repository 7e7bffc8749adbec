"""Talkworthy: listen, analyse, route, respond, and measure what people say about an organisation."""

__version__ = "0.1.0"

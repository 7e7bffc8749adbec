"""Addresses of the room that listens, beneath `/<workspace>/`."""

from django.urls import URLPattern

app_name = "listening"

urlpatterns: list[URLPattern] = []

"""Addresses of a workspace's settings, beneath `/<workspace>/`."""

from django.urls import URLPattern

app_name = "workspaces"

urlpatterns: list[URLPattern] = []

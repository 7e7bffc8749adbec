"""Addresses of touchpoints and promises, beneath `/<workspace>/touchpoints/`."""

from django.urls import URLPattern, path

from talkworthy.ecosystem import views

app_name = "ecosystem"

urlpatterns: list[URLPattern] = [
    path("", views.touchpoints, name="touchpoints"),
    path("new/", views.new, name="new_touchpoint"),
    path("<int:touchpoint_id>/", views.touchpoint, name="touchpoint"),
    path("<int:touchpoint_id>/edit/", views.edit, name="edit_touchpoint"),
    path("<int:touchpoint_id>/delete/", views.delete, name="delete_touchpoint"),
    path("<int:touchpoint_id>/restore/", views.restore, name="restore_touchpoint"),
    path("<int:touchpoint_id>/promises/new/", views.new_promise, name="new_promise"),
    path("promises/<int:promise_id>/", views.edit_promise, name="edit_promise"),
    path("promises/<int:promise_id>/delete/", views.delete_promise, name="delete_promise"),
    path("promises/<int:promise_id>/restore/", views.restore_promise, name="restore_promise"),
]

"""Addresses of the room that learns, beneath `/<workspace>/`."""

from django.urls import URLPattern, path

from talkworthy.learning import views

app_name = "learning"

urlpatterns: list[URLPattern] = [
    path("settings/models/", views.models, name="models"),
    path("settings/models/<slug:task>/train/", views.train, name="train"),
    path("settings/models/<slug:task>/activate/<int:number>/", views.activate, name="activate"),
    path("settings/models/<slug:task>/sure/", views.sure, name="sure"),
    path("settings/models/labels.csv", views.labels_csv, name="labels_csv"),
    path("listen/post/<int:post_id>/confirm/", views.confirm, name="confirm"),
]

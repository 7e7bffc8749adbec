"""Addresses of what members and programs are told, beneath `/<workspace>/`."""

from django.urls import path

from talkworthy.notifying import views

app_name = "notifying"

urlpatterns = [
    path("notifications/", views.notifications, name="notifications"),
    path("notifications/bell/", views.bell, name="bell"),
    path("notifications/seen/", views.see, name="see"),
    path("notifications/choices/", views.choices, name="choices"),
    path("notifications/<int:number>/", views.follow, name="follow"),
    path("settings/webhooks/", views.endpoints, name="endpoints"),
    path("settings/webhooks/<int:number>/", views.endpoint, name="endpoint"),
    path("settings/webhooks/<int:number>/secret/", views.rotate, name="rotate"),
    path("settings/webhooks/<int:number>/test/", views.test, name="test"),
    path("settings/webhooks/<int:number>/remove/", views.remove, name="remove"),
    path("settings/webhooks/deliveries/<int:number>/again/", views.again, name="again"),
]

"""Addresses of a workspace's settings, beneath `/<workspace>/`."""

from django.urls import path

from talkworthy.workspaces import views

app_name = "workspaces"

urlpatterns = [
    path("settings/", views.general, name="general"),
    path("settings/members/", views.members, name="members"),
    path("settings/members/<int:member_id>/role/", views.change_role, name="change_role"),
    path("settings/members/<int:member_id>/password/", views.give_password, name="give_password"),
    path("settings/members/<int:member_id>/remove/", views.remove_member, name="remove_member"),
    path("settings/tokens/", views.tokens, name="tokens"),
    path("settings/tokens/<int:token_id>/revoke/", views.revoke_token, name="revoke_token"),
    path("settings/sample/", views.sample, name="sample"),
    path("settings/audit/", views.audit, name="audit"),
    path("settings/audit.csv", views.audit_file, name="audit_file"),
]

"""Addresses of the room that routes, beneath `/<workspace>/`."""

from django.urls import URLPattern, path

from talkworthy.routing.views import opening, playbooks, reports

app_name = "routing"

triage: list[URLPattern] = [
    path("routing/playbook/", playbooks.playbook, name="playbook"),
    path("routing/playbook/<int:number>/", playbooks.version, name="playbook_version"),
    path("routing/playbook/<int:number>/edit/", playbooks.edit, name="edit_playbook"),
    path("routing/playbook/<int:number>/activate/", playbooks.activate, name="activate_playbook"),
]

figures: list[URLPattern] = [
    path("reports/", reports.reports, name="reports"),
    path("reports/cases.csv", reports.reports_csv, name="reports_csv"),
]

by_hand: list[URLPattern] = [
    path("routing/open/<int:post_id>/", opening.open_post, name="open_case"),
    path("routing/decisions/<int:decision_id>/override/", opening.override, name="override"),
    path("routing/overrides/<int:override_id>/undo/", opening.undo, name="undo_override"),
]

urlpatterns: list[URLPattern] = [*by_hand, *triage, *figures]

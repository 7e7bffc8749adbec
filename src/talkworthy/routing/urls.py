"""Addresses of the room that routes, beneath `/<workspace>/`."""

from django.urls import URLPattern, path

from talkworthy.routing.views import playbooks, reports

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

urlpatterns: list[URLPattern] = [*triage, *figures]

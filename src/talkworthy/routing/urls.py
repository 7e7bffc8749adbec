"""Addresses of the room that routes, beneath `/<workspace>/`."""

from django.urls import URLPattern, path

from talkworthy.routing.views import opening, playbooks, replays, reports
from talkworthy.routing.views import rules as pages
from talkworthy.routing.views import settings as desk

app_name = "routing"

triage: list[URLPattern] = [
    path("routing/playbook/", playbooks.playbook, name="playbook"),
    path("routing/playbook/<int:number>/", playbooks.version, name="playbook_version"),
    path("routing/playbook/<int:number>/edit/", playbooks.edit, name="edit_playbook"),
    path("routing/playbook/<int:number>/activate/", playbooks.activate, name="activate_playbook"),
]

rules: list[URLPattern] = [
    path("routing/rules/", pages.rules, name="rules"),
    path("routing/rules/new/", pages.new, name="new_rule"),
    path("routing/rules/start/", pages.start, name="start_rules"),
    path("routing/rules/check/", pages.check_condition, name="check_condition"),
    path("routing/rules/again/", pages.again, name="look_again"),
    path("routing/rules/replay/", replays.try_draft, name="replay_draft"),
    path("routing/rules/<int:rule_id>/replay/", replays.try_rule, name="replay_rule"),
    path("routing/playbook/<int:number>/replay/", replays.try_version, name="replay_playbook"),
    path("routing/replays/<int:job_id>/", replays.replay, name="replay"),
    path("routing/replays/<int:job_id>/stop/", replays.stop, name="stop_replay"),
    path("routing/rules/<int:rule_id>/", pages.rule, name="rule"),
    path("routing/rules/<int:rule_id>/edit/", pages.edit, name="edit_rule"),
    path("routing/rules/<int:rule_id>/switch/", pages.switch, name="switch_rule"),
    path("routing/rules/<int:rule_id>/move/", pages.move, name="move_rule"),
    path("routing/rules/<int:rule_id>/delete/", pages.delete, name="delete_rule"),
    path("routing/rules/<int:rule_id>/restore/", pages.restore, name="restore_rule"),
]

figures: list[URLPattern] = [
    path("reports/", reports.reports, name="reports"),
    path("reports/cases.csv", reports.reports_csv, name="reports_csv"),
]

by_hand: list[URLPattern] = [
    path("routing/open/<int:post_id>/", opening.open_post, name="open_case"),
    path("routing/decisions/<int:decision_id>/override/", opening.override, name="override"),
    path("routing/overrides/<int:override_id>/undo/", opening.undo, name="undo_override"),
    path("routing/escalations/<int:number>/undo/", opening.undo_step, name="undo_escalation"),
]

settings: list[URLPattern] = [
    path("settings/teams/", desk.teams, name="teams"),
    path("settings/teams/<int:number>/", desk.team, name="team"),
    path("settings/teams/<int:number>/delete/", desk.delete_team, name="delete_team"),
    path("settings/teams/<int:number>/restore/", desk.restore_team, name="restore_team"),
    path("settings/hours/", desk.all_hours, name="all_hours"),
    path("settings/hours/<int:number>/", desk.hours, name="hours"),
    path("settings/hours/<int:number>/delete/", desk.delete_hours, name="delete_hours"),
    path("settings/targets/", desk.targets, name="targets"),
    path("settings/targets/usual/", desk.begin_targets, name="begin_targets"),
    path("settings/targets/restore/<str:numbers>/", desk.restore_targets, name="restore_targets"),
    path("settings/targets/steps/", desk.add_step, name="add_step"),
    path("settings/targets/steps/<int:number>/delete/", desk.delete_step, name="delete_step"),
    path("settings/targets/steps/<int:number>/restore/", desk.restore_step, name="restore_step"),
    path("settings/availability/", desk.availability, name="availability"),
]

urlpatterns: list[URLPattern] = [*by_hand, *triage, *rules, *figures, *settings]

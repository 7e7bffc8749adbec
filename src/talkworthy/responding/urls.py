"""Addresses of the room that answers, beneath `/<workspace>/`."""

from django.urls import path

from talkworthy.responding.views import composer, queue, settings

app_name = "responding"

urlpatterns = [
    path("replies/", queue.approvals, name="approvals"),
    path("replies/deliveries/", queue.deliveries, name="deliveries"),
    path("replies/deliveries/<int:delivery_id>/retry/", queue.retry, name="retry"),
    path("replies/deliveries/<int:delivery_id>/settle/", queue.settle, name="settle"),
    path("replies/stop/", queue.stops, name="stops"),
    path("replies/stop/<int:stop_id>/lift/", queue.lift, name="lift"),
    path("replies/case/<int:number>/", composer.composer, name="composer"),
    path("replies/case/<int:number>/start/", composer.start, name="start_draft"),
    path("replies/case/<int:number>/presence/", composer.presence, name="presence"),
    path("replies/drafts/<int:draft_id>/", composer.change, name="change_draft"),
    path("replies/drafts/<int:draft_id>/look/", composer.look, name="look"),
    path("replies/drafts/<int:draft_id>/recall/", composer.recall, name="recall"),
    path("replies/drafts/<int:draft_id>/restore/", composer.restore, name="restore_draft"),
    path("replies/drafts/<int:draft_id>/approve/", queue.approve, name="approve"),
    path("replies/drafts/<int:draft_id>/refuse/", queue.refuse, name="refuse"),
    path("replies/files/<int:attachment_id>/remove/", composer.detach, name="remove_attachment"),
    path("replies/snippets/", settings.snippets, name="snippets"),
    path("replies/snippets/new/", settings.snippet, name="new_snippet"),
    path("replies/snippets/<int:snippet_id>/", settings.snippet, name="snippet"),
    path("replies/snippets/<int:snippet_id>/delete/", settings.delete_snippet, name="delete_snippet"),
    path("replies/snippets/<int:snippet_id>/restore/", settings.restore_snippet, name="restore_snippet"),
    path("settings/replies/", settings.autonomy, name="autonomy"),
    path("settings/replies/approval/", settings.rules, name="approval_rules"),
    path("settings/replies/approval/new/", settings.rule, name="new_approval_rule"),
    path("settings/replies/approval/<int:rule_id>/", settings.rule, name="approval_rule"),
    path("settings/replies/approval/<int:rule_id>/delete/", settings.delete_rule, name="delete_approval_rule"),
    path("settings/replies/accounts/", settings.accounts, name="accounts"),
    path("settings/replies/accounts/<int:source_id>/", settings.turn_account, name="turn_account"),
    path("settings/replies/drafter/", settings.drafter, name="drafter"),
    path("settings/replies/manner/", settings.manner, name="manner"),
]

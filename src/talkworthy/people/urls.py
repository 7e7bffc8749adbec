"""Addresses of people, below the workspace."""

from django.urls import URLPattern, path

from talkworthy.people.views import crm, exchange, groups, links, persons

app_name = "people"

urlpatterns: list[URLPattern] = [
    path("people/", persons.persons, name="persons"),
    path("people/new/", persons.new, name="new"),
    path("people/<int:person_id>/", persons.person, name="person"),
    path("people/<int:person_id>/change/", persons.change, name="change"),
    path("people/<int:person_id>/remove/", persons.remove, name="remove_person"),
    path("people/<int:person_id>/restore/", persons.restore, name="restore_person"),
    path("people/<int:person_id>/learn/", persons.learn, name="learn"),
    path("people/<int:person_id>/unlearn/", persons.unlearn, name="unlearn"),
    path("people/<int:person_id>/roles/", persons.give_role, name="give_role"),
    path("people/<int:person_id>/roles/<int:role_id>/end/", persons.end_role, name="end_role"),
    path("people/<int:person_id>/consent/", persons.consent, name="consent"),
    path("people/<int:person_id>/told/", persons.told, name="told"),
    path("people/<int:person_id>/merge/", persons.merge, name="merge"),
    path("people/<int:person_id>/split/", persons.split, name="split"),
    path("people/accounts/", persons.accounts, name="accounts"),
    path("people/accounts/<int:identity_id>/", persons.identity, name="identity"),
    path("people/accounts/<int:identity_id>/unlink/", persons.unlink, name="unlink"),
    path("people/accounts/<int:identity_id>/link/<int:person_id>/", persons.link, name="link"),
    path("people/organisations/", groups.organisations, name="organisations"),
    path("people/organisations/<int:organisation_id>/", groups.organisation, name="organisation"),
    path("people/segments/", groups.segments, name="segments"),
    path("people/segments/new/", groups.new_segment, name="new_segment"),
    path("people/segments/<int:segment_id>/", groups.change_segment, name="change_segment"),
    path("people/segments/<int:segment_id>/delete/", groups.delete_segment, name="delete_segment"),
    path("people/segments/<int:segment_id>/restore/", groups.restore_segment, name="restore_segment"),
    path("people/links/", links.links, name="links"),
    path("people/links/<int:suggestion_id>/confirm/", links.confirm, name="confirm_link"),
    path("people/links/<int:suggestion_id>/deny/", links.deny, name="deny_link"),
    path("people/links/<int:suggestion_id>/reopen/", links.reopen, name="reopen_link"),
    path("people/links/apart/<int:never_id>/allow/", links.allow, name="allow_merging"),
    path("people/exchange/", exchange.exchange, name="exchange"),
    path("people/exchange/upload/", exchange.upload, name="upload"),
    path("people/exchange/<str:token>/", exchange.preview, name="preview"),
    path("people/export/<slug:form>/", exchange.export, name="export_contacts"),
    path("people/crm/", crm.accounts, name="crm"),
    path("people/crm/new/", crm.new, name="new_crm"),
    path("people/crm/<int:account_id>/", crm.account, name="crm_account"),
    path("people/crm/<int:account_id>/change/", crm.change, name="change_crm"),
    path("people/crm/<int:account_id>/sync/", crm.sync, name="sync_crm"),
    path("people/crm/<int:account_id>/remove/", crm.remove, name="remove_crm"),
    path("people/crm/conflicts/<int:conflict_id>/", crm.decide, name="decide_conflict"),
]

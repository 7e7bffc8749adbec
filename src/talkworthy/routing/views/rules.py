"""Pages of rules: their list in order, the editor with its live check, versions, and what was set aside."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.listening.views.monitors import previewed
from talkworthy.query import QueryError
from talkworthy.routing.actions import rules as actions
from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.arriving import try_again
from talkworthy.routing.forms.rules import (
    CHOICES,
    LONGEST_CONDITION,
    Draft,
    Named,
    draft_of,
    named_in,
    read_draft,
    rows_of,
)
from talkworthy.routing.models import EscalationStep, Rule, RuleVersion
from talkworthy.routing.selectors import rules as selectors
from talkworthy.workspaces.once import once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required

SHOWN_ASIDE = 50
SPANS = (("7d", gettext_lazy("7 days")), ("30d", gettext_lazy("30 days")), ("90d", gettext_lazy("90 days")))
"""How far back a rule can be tried."""


@require_safe
@permission_required(Permission.READ)
def rules(request: MemberRequest) -> HttpResponse:
    """The rules in their order, with what they did lately, and the mentions that were set aside."""
    named = named_in(request.workspace)
    listed = selectors.listed_rules(viewer=request.member, now=timezone.now())
    aside = selectors.set_aside(viewer=request.member)
    context = {
        "listed": [(item, [named.words(effect) for effect in item.rule.effects]) for item in listed],
        "aside": list(aside[:SHOWN_ASIDE]),
        "aside_count": aside.count(),
        "starter": actions.STARTER,
    }
    return render(request, "routing/rules/rules.html", context)


@require_safe
@permission_required(Permission.READ)
def rule(request: MemberRequest, rule_id: int) -> HttpResponse:
    """One rule with all its versions."""
    found = selectors.rule_or_404(rule_id, viewer=request.member)
    named = named_in(request.workspace)
    versions = found.versions.select_related("by")
    context = {
        "rule": found,
        "does": [named.words(effect) for effect in found.effects],
        "versions": [(held, [named.words(effect) for effect in held.effects]) for held in versions],
    }
    return render(request, "routing/rules/rule.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
@once
def new(request: MemberRequest) -> HttpResponse:
    """Write a rule; it is kept switched off."""
    named = named_in(request.workspace)
    if request.method != "POST":
        return editor(request, Draft(condition=request.GET.get("condition", "")[:LONGEST_CONDITION]), None, named)
    return _saved(request, None, named)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
def edit(request: MemberRequest, rule_id: int) -> HttpResponse:
    """Change a rule, from what it is or from an older version."""
    changed = selectors.rule_or_404(rule_id, viewer=request.member)
    named = named_in(request.workspace)
    if request.method == "POST":
        return _saved(request, changed, named)
    draft = draft_of(changed)
    number = request.GET.get("version", "")
    if number.isdecimal() and len(number) < 9:
        old = get_object_or_404(RuleVersion, rule=changed, version=int(number))
        draft = Draft(changed.name, old.condition, old.stops, rows_of(old.effects), changed.version)
    return editor(request, draft, changed, named)


@require_POST
@permission_required(Permission.READ)
def check_condition(request: MemberRequest) -> HttpResponse:
    """What is wrong with a condition as it is typed, and what it finds among the newest posts."""
    words = request.POST.get("condition", "").strip()[:LONGEST_CONDITION]
    return render(request, "listening/monitors/preview.html", previewed(request.member, words, stage="search"))


@require_POST
@permission_required(Permission.EDIT_ROUTING)
@once
def start(request: MemberRequest) -> HttpResponse:
    """Add the rule that an empty page offers, switched off."""
    starter: dict[str, Any] = dict(actions.STARTER)
    made = actions.create_rule(request.workspace, by=request.user, now=timezone.now(), **starter)
    messages.success(request, _("“%(name)s” is there, switched off. Look at it, then switch it on.") % {"name": made})
    return redirect("routing:rule", request.workspace.slug, made.pk)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def switch(request: MemberRequest, rule_id: int) -> HttpResponse:
    """Switch it on or off."""
    found = selectors.rule_or_404(rule_id, viewer=request.member)
    on = request.POST.get("on") == "1"
    actions.switch_rule(found, on=on, by=request.user, now=timezone.now())
    said = _("“%(name)s” holds of what arrives from now on.") if on else _("“%(name)s” is off.")
    messages.success(request, said % {"name": found})
    return redirect("routing:rules", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def move(request: MemberRequest, rule_id: int) -> HttpResponse:
    """One place up or down."""
    found = selectors.rule_or_404(rule_id, viewer=request.member)
    actions.move_rule(found, up=request.POST.get("way") == "up", by=request.user, now=timezone.now())
    return redirect("routing:rules", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def delete(request: MemberRequest, rule_id: int) -> HttpResponse:
    """Take a rule away; the answer offers to undo it."""
    found = selectors.rule_or_404(rule_id, viewer=request.member)
    actions.delete_rule(found, by=request.user, now=timezone.now())
    address = reverse("routing:restore_rule", args=(request.workspace.slug, found.pk))
    offer_undo(request, _("“%(name)s” is deleted.") % {"name": found}, address)
    return redirect("routing:rules", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def restore(request: MemberRequest, rule_id: int) -> HttpResponse:
    """Bring a deleted rule back, switched off."""
    found = selectors.rule_or_404(rule_id, viewer=request.member, deleted=True)
    actions.restore_rule(found, by=request.user, now=timezone.now())
    messages.success(request, _("“%(name)s” is back, switched off.") % {"name": found})
    return redirect("routing:rules", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def again(request: MemberRequest) -> HttpResponse:
    """Let what was set aside be looked at again: one mention, or all."""
    n = try_again(request.workspace, uid=request.POST.get("uid", ""), now=timezone.now())
    messages.success(
        request, ngettext("%(n)s mention is looked at again.", "%(n)s mentions are looked at again.", n) % {"n": n}
    )
    return redirect("routing:rules", request.workspace.slug)


def _saved(request: MemberRequest, changed: Rule | None, named: Named) -> HttpResponse:
    draft = read_draft(request.POST, named)
    if "more" in request.POST:
        return editor(request, draft, changed, named, is_checked=False)
    if not draft.is_good:
        return editor(request, draft, changed, named)
    values: dict[str, Any] = {
        "name": draft.name,
        "condition": draft.condition,
        "effects": draft.effects,
        "stops": draft.stops,
    }
    now = timezone.now()
    try:
        if changed is None:
            kept = actions.create_rule(request.workspace, by=request.user, now=now, **values)
            said = _("“%(name)s” is saved, switched off.")
        else:
            kept = actions.change_rule(changed, seen=draft.seen, by=request.user, now=now, **values)
            said = _("“%(name)s” is saved.")
    except (Refused, QueryError) as error:
        messages.error(request, str(error))
        return editor(request, draft, changed, named, status=422)
    messages.success(request, said % {"name": kept})
    return redirect("routing:rule", request.workspace.slug, kept.pk)


def editor(
    request: MemberRequest,
    draft: Draft,
    changed: Rule | None,
    named: Named,
    *,
    is_checked: bool = True,
    status: int = 200,
) -> HttpResponse:
    """The editor of a draft, with what is wrong in it."""
    is_wrong = request.method == "POST" and is_checked and not draft.is_good
    context = {
        "draft": draft,
        "rule": changed,
        "does": CHOICES.items(),
        "afters": EscalationStep.After.choices,
        "groups": named.groups,
        "is_wrong": is_wrong,
        "spans": SPANS,
        **previewed(request.member, draft.condition, stage="search"),
    }
    return render(request, "routing/rules/edit.html", context, status=422 if is_wrong else status)

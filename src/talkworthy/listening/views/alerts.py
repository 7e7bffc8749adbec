"""Pages of alerts and their rules."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.listening import actions
from talkworthy.listening.alerts import detail, headline
from talkworthy.listening.forms.alerts import RuleForm
from talkworthy.listening.models import Alert, AlertRule
from talkworthy.listening.selectors import alerts as selectors
from talkworthy.workspaces.once import once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required


@require_safe
@permission_required(Permission.READ)
def alerts(request: MemberRequest) -> HttpResponse:
    """What was unusual, newest first, each with the figures that say so."""
    only_unseen = request.GET.get("show") == "new"
    before = request.GET.get("before", "")
    page = selectors.alert_page(
        viewer=request.member, only_unseen=only_unseen, before=int(before) if before.isdecimal() else None
    )
    here = reverse("listening:alerts", args=[request.workspace.slug])
    kept = {"show": "new"} if only_unseen else {}
    found = {
        "alerts": [_shown(alert, request) for alert in page.alerts],
        "unseen": page.unseen,
        "only_unseen": only_unseen,
        "older": f"{here}?{urlencode({**kept, 'before': page.older})}" if page.older else "",
        "newest": f"{here}?{urlencode(kept)}" if before else "",
    }
    return render(request, "listening/alerts/alerts.html", found)


@require_POST
@permission_required(Permission.MARK)
def see(request: MemberRequest, alert_id: int) -> HttpResponse:
    """Somebody has looked at it."""
    alert = selectors.alert_or_404(alert_id, viewer=request.member)
    actions.see_alert(alert, by=request.user, now=timezone.now())
    return redirect(_back(request))


@require_POST
@permission_required(Permission.MARK)
def see_all(request: MemberRequest) -> HttpResponse:
    """Somebody has looked at every one."""
    actions.see_all_alerts(request.workspace, by=request.user, now=timezone.now())
    return redirect(_back(request))


@require_safe
@permission_required(Permission.READ)
def rules(request: MemberRequest) -> HttpResponse:
    """When somebody is told."""
    found = selectors.rules(viewer=request.member)
    return render(request, "listening/alerts/rules.html", {"rules": found, "kinds": AlertRule.Kind.choices})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_MONITORS)
@once
def new_rule(request: MemberRequest) -> HttpResponse:
    """A rule of one kind."""
    kind = request.GET.get("kind", "")
    if kind not in AlertRule.Kind.values:
        raise Http404(_("There is no such kind of rule."))
    form = RuleForm(request.POST if request.method == "POST" else None, kind=kind, viewer=request.member)
    if not form.is_valid():
        return _form(request, form)
    enabled = form.cleaned_data.pop("enabled")
    rule = actions.create_alert_rule(
        request.workspace, kind=kind, owner=request.member, **form.cleaned_data, by=request.user, now=timezone.now()
    )
    if not enabled:
        actions.change_alert_rule(rule, by=request.user, now=timezone.now(), enabled=False)
    messages.success(request, _("The rule is kept."))
    return redirect("listening:alert_rules", request.workspace.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_MONITORS)
def change_rule(request: MemberRequest, rule_id: int) -> HttpResponse:
    """Another threshold, another owner's mail, on or off."""
    rule = selectors.rule_or_404(rule_id, viewer=request.member)
    asked = request.POST if request.method == "POST" else None
    form = RuleForm(asked, kind=rule.kind, viewer=request.member, rule=rule)
    if not form.is_valid():
        return _form(request, form, rule=rule)
    actions.change_alert_rule(rule, by=request.user, now=timezone.now(), **form.cleaned_data)
    messages.success(request, _("Saved."))
    return redirect("listening:alert_rules", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_MONITORS)
def delete_rule(request: MemberRequest, rule_id: int) -> HttpResponse:
    """Away with a rule and its alerts."""
    rule = selectors.rule_or_404(rule_id, viewer=request.member)
    actions.delete_alert_rule(rule, by=request.user, now=timezone.now())
    messages.success(request, _("The rule is deleted."))
    return redirect("listening:alert_rules", request.workspace.slug)


def _form(request: MemberRequest, form: RuleForm, *, rule: AlertRule | None = None) -> HttpResponse:
    found = {"form": form, "rule": rule, "kind": AlertRule.Kind(form.kind).label}
    return render(request, "listening/alerts/rule.html", found, status=422 if form.is_bound else 200)


def _shown(alert: Alert, request: MemberRequest) -> dict[str, Any]:
    """An alert in words, with the way to its rows."""
    slug = request.workspace.slug
    if alert.rule.kind == AlertRule.Kind.DRIFT:
        rows = reverse("learning:drift", args=[slug, alert.evidence["task"]])
    elif alert.source_id is not None:
        rows = reverse("listening:source", args=[slug, alert.source_id])
    else:
        asked: dict[str, Any] = {"monitor": alert.monitor_id}
        if "since" in alert.evidence:
            asked |= {"since": alert.evidence["since"], "until": alert.evidence["until"]}
        rows = f"{reverse('listening:river', args=[slug])}?{urlencode(asked)}"
    return {
        "alert": alert,
        "headline": headline(alert),
        "detail": detail(alert),
        "rows": rows,
        "share": _share(alert),
        "last": _moment(alert.evidence.get("last")),
        "since": None if alert.rule.kind == AlertRule.Kind.DRIFT else _moment(alert.evidence.get("since")),
    }


def _share(alert: Alert) -> dict[str, float] | None:
    """Count and expectation for the little bar: the longer one is the whole."""
    if "count" not in alert.evidence:
        return None
    count, expected = alert.evidence["count"], alert.evidence["expected"]
    most = max(count, expected, 1)
    return {"count": count, "expected": expected, "most": most}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _back(request: MemberRequest) -> str:
    """To the page that asked, where it is one of ours."""
    asked = request.POST.get("back", "")
    if asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None):
        return asked
    return reverse("listening:alerts", args=[request.workspace.slug])

"""Every address: the account, the workspace's rooms, and what machines call."""

from django.urls import include, path

from talkworthy.web import views
from talkworthy.web.accounts import to_provider
from talkworthy.web.health import health
from talkworthy.web.receiving import receive

urlpatterns = [
    path("", views.home, name="home"),
    path("account/profile/", views.profile, name="profile"),
    path("account/timezone/", views.set_timezone, name="set_timezone"),
    path("account/oidc/<str:provider_id>/login/", to_provider),
    path("account/", include("allauth.urls")),
    path("workspaces/new/", views.new_workspace, name="new_workspace"),
    path("favicon.ico", views.favicon),
    path("robots.txt", views.robots),
    path("receive/<str:key>/", receive, name="receive"),
    path("health", health, name="health"),
    path("api/", include("talkworthy.api.urls")),
    path("<slug:workspace>/", views.workspace, name="workspace"),
    path("<slug:workspace>/jump/", views.jump, name="jump"),
    path("<slug:workspace>/", include("talkworthy.responding.inbox_urls")),
    path("<slug:workspace>/", include("talkworthy.workspaces.urls")),
    path("<slug:workspace>/", include("talkworthy.notifying.urls")),
    path("<slug:workspace>/", include("talkworthy.people.urls")),
    path("<slug:workspace>/touchpoints/", include("talkworthy.ecosystem.urls")),
    path("<slug:workspace>/", include("talkworthy.listening.urls")),
    path("<slug:workspace>/", include("talkworthy.learning.urls")),
    path("<slug:workspace>/", include("talkworthy.responding.urls")),
    path("<slug:workspace>/", include("talkworthy.routing.urls")),
]

handler400 = "talkworthy.web.views.bad_request"
handler403 = "talkworthy.web.views.refused"
handler404 = "talkworthy.web.views.not_found"
handler500 = "talkworthy.web.views.failed"

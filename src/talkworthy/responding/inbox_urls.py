"""Addresses of the inbox and of cases, beneath `/<workspace>/`."""

from django.urls import path

from talkworthy.responding.views import acting, case, inbox, many

app_name = "inbox"

urlpatterns = [
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/rows/", inbox.rows, name="rows"),
    path("inbox/next/", inbox.take_next, name="next"),
    path("inbox/unread/", inbox.unread, name="unread"),
    path("inbox/read/<str:numbers>/", inbox.read, name="read"),
    path("inbox/check/", inbox.check_words, name="check_words"),
    path("inbox/views/", inbox.keep_view, name="keep_view"),
    path("inbox/views/<int:view_id>/forget/", inbox.forget_view, name="forget_view"),
    path("inbox/act/", acting.bulk, name="bulk"),
    path("inbox/undo/<str:token>/", acting.undo, name="undo"),
    path("inbox/many/", many.many, name="many"),
    path("inbox/many/<int:job_id>/undo/", many.undo, name="undo_many"),
    path("cases/<int:number>/", case.case, name="case"),
    path("cases/<int:number>/alike/", case.alike, name="alike"),
    path("cases/<int:number>/story/", case.story, name="story"),
    path("cases/<int:number>/act/", acting.act, name="act"),
    path("cases/<int:number>/notes/", acting.note, name="note"),
    path("cases/links/<int:link_id>/undo/", acting.unlink, name="unlink"),
]

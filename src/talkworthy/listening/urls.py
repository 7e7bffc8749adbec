"""Addresses of the room that listens, beneath `/<workspace>/`."""

from django.urls import URLPattern, path

from talkworthy.listening.views import alerts, follow, jobs, monitors, posts, river, sources, trends

app_name = "listening"

reading: list[URLPattern] = [
    path("listen/", river.river, name="river"),
    path("listen/newer/", river.newer, name="newer"),
    path("listen/count/", river.count, name="count"),
    path("listen/post/<int:post_id>/copies/", river.copies, name="copies"),
    path("listen/check/", river.check_words, name="check_words"),
    path("listen/export/", river.export, name="export"),
    path("listen/views/", river.save_view, name="save_view"),
    path("listen/views/<int:view_id>/delete/", river.delete_view, name="delete_view"),
    path("listen/corrections/<int:correction_id>/undo/", river.undo_correction, name="undo_correction"),
    path("listen/post/", posts.find_post, name="find_post"),
    path("listen/post/<int:post_id>/", posts.post, name="post"),
    path("listen/post/<int:post_id>/correct/", river.correct, name="correct"),
    path("listen/post/<int:post_id>/why/<slug:task>/", posts.reason, name="reason"),
    path("monitors/", monitors.monitors, name="monitors"),
    path("monitors/new/", monitors.new, name="new_monitor"),
    path("monitors/preview/", monitors.preview, name="preview_monitor"),
    path("monitors/backtest/", monitors.backtest, name="start_backtest"),
    path("monitors/backtest/<int:job_id>/", monitors.backtested, name="backtest"),
    path("monitors/backtest/<int:job_id>/mark/", monitors.mark_found, name="mark_found"),
    path("monitors/<int:monitor_id>/", monitors.monitor, name="monitor"),
    path("monitors/<int:monitor_id>/edit/", monitors.edit, name="edit_monitor"),
    path("monitors/<int:monitor_id>/pause/", monitors.pause, name="pause_monitor"),
    path("monitors/<int:monitor_id>/resume/", monitors.resume, name="resume_monitor"),
    path("monitors/<int:monitor_id>/delete/", monitors.delete, name="delete_monitor"),
    path("monitors/<int:monitor_id>/restore/", monitors.restore, name="restore_monitor"),
    path("monitors/<int:monitor_id>/versions/<int:version>/restore/", monitors.restore_version, name="restore_version"),
    path("monitors/<int:monitor_id>/mark/", monitors.mark, name="mark"),
    path("trends/", trends.trends, name="trends"),
    path("trends/memes/", trends.memes, name="memes"),
    path("trends/vega.js", trends.vega, name="vega"),
    path("trends/<slug:key>.<slug:form>", trends.chart, name="chart"),
]

collecting: list[URLPattern] = [
    path("follow/", follow.follow, name="follow"),
    path("follow/check/<int:number>/", follow.check_proposal, name="check_proposal"),
    path("follow/undo/<int:monitor_id>/<slug:sources>/", follow.unfollow, name="unfollow"),
    path("sources/", sources.sources, name="sources"),
    path("sources/new/", sources.connectors, name="connectors"),
    path("sources/new/<slug:connector>/", sources.new_source, name="new_source"),
    path("sources/new/<slug:connector>/check/", sources.check_new, name="check_new_source"),
    path("sources/<int:source_id>/", sources.source, name="source"),
    path("sources/<int:source_id>/change/", sources.change, name="change_source"),
    path("sources/<int:source_id>/check/", sources.check, name="check_source"),
    path("sources/<int:source_id>/fetch/", sources.fetch, name="fetch_source"),
    path("sources/<int:source_id>/pause/", sources.pause, name="pause_source"),
    path("sources/<int:source_id>/resume/", sources.resume, name="resume_source"),
    path("sources/<int:source_id>/delete/", sources.delete, name="delete_source"),
    path("sources/<int:source_id>/restore/", sources.restore, name="restore_source"),
    path("sources/<int:source_id>/replay/", sources.replay, name="replay_aside"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/seen/", alerts.see_all, name="see_all_alerts"),
    path("alerts/<int:alert_id>/seen/", alerts.see, name="see_alert"),
    path("alerts/rules/", alerts.rules, name="alert_rules"),
    path("alerts/rules/new/", alerts.new_rule, name="new_alert_rule"),
    path("alerts/rules/<int:rule_id>/", alerts.change_rule, name="change_alert_rule"),
    path("alerts/rules/<int:rule_id>/delete/", alerts.delete_rule, name="delete_alert_rule"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/<int:job_id>/", jobs.job, name="job"),
    path("jobs/<int:job_id>/stop/", jobs.stop, name="stop_job"),
    path("jobs/<int:job_id>/file/", jobs.download, name="download"),
    path("settings/data/", jobs.data, name="data"),
    path("settings/data/import/", jobs.start_import, name="start_import"),
    path("settings/data/import/<str:token>/", jobs.mapping, name="mapping"),
    path("settings/data/export/", jobs.start_export, name="start_export"),
    path("settings/erasure/", jobs.erasure, name="erasure"),
    path("settings/erasure/count/", jobs.erasure_count, name="erasure_count"),
]

urlpatterns: list[URLPattern] = [*reading, *collecting]

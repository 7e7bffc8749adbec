"""Addresses of the room that learns, beneath `/<workspace>/`."""

from django.urls import URLPattern, path

from talkworthy.learning import (
    drift_views,
    example_views,
    import_views,
    recompute_views,
    sample_views,
    similar_views,
    views,
)

app_name = "learning"

urlpatterns: list[URLPattern] = [
    path("settings/models/", views.models, name="models"),
    path("settings/models/languages/switch/", views.switch_habits, name="switch_habits"),
    path("settings/models/<slug:task>/train/", views.train, name="train"),
    path("settings/models/<slug:task>/activate/<int:number>/", views.activate, name="activate"),
    path("settings/models/<slug:task>/sure/", views.sure, name="sure"),
    path("settings/models/<slug:task>/undecided/", views.sure_preview, name="sure_preview"),
    path("settings/models/<slug:task>/label/", sample_views.sample, name="sample"),
    path("settings/models/<slug:task>/label/draw/", sample_views.draw, name="draw"),
    path("settings/models/<slug:task>/label/step/", sample_views.step, name="step"),
    path("settings/models/<slug:task>/label/undo/", sample_views.undo, name="undo_step"),
    path("settings/models/<slug:task>/quality/", sample_views.quality_page, name="quality"),
    path("settings/models/<slug:task>/drift/", drift_views.drift, name="drift"),
    path("settings/models/<slug:task>/labels/", sample_views.labels_page, name="labels"),
    path("settings/models/recompute/", recompute_views.recompute, name="recompute"),
    path("settings/models/recompute/<int:job_id>/", recompute_views.recomputed, name="recomputed"),
    path("settings/models/recompute/<int:job_id>/apply/", recompute_views.apply, name="apply_recompute"),
    path("settings/models/recompute/<int:job_id>/undo/", recompute_views.undo, name="undo_recompute"),
    path("settings/models/recompute/<int:job_id>/stop/", recompute_views.stop, name="stop_recompute"),
    path("settings/models/labels/import/", import_views.import_labels, name="import_labels"),
    path("settings/models/labels/import/<str:token>/", import_views.label_columns, name="label_columns"),
    path("settings/models/labels/imported/<int:job_id>/", import_views.imported, name="imported"),
    path("settings/models/labels/imported/<int:job_id>/undo/", import_views.undo_import, name="undo_import"),
    path("settings/models/quality.csv", views.quality_csv, name="quality_csv"),
    path("settings/models/<slug:task>/drift/<slug:key>.<slug:form>", drift_views.drift_file, name="drift_file"),
    path("settings/models/labels.csv", views.labels_csv, name="labels_csv"),
    path("touchpoints/<int:touchpoint_id>/examples/", example_views.examples, name="examples"),
    path("touchpoints/<int:touchpoint_id>/examples/switch/", example_views.switch, name="switch_examples"),
    path(
        "touchpoints/<int:touchpoint_id>/examples/<int:label_id>/undo/",
        example_views.take_back,
        name="take_example_back",
    ),
    path("settings/models/same-matter/", similar_views.matter, name="matter"),
    path("settings/models/same-matter/limit/", similar_views.set_limit, name="set_limit"),
    path("settings/models/similar.csv", similar_views.pairs_csv, name="pairs_csv"),
    path("listen/post/<int:post_id>/similar/", similar_views.similar, name="similar"),
    path("listen/post/<int:post_id>/pair/", similar_views.mark_pair, name="mark_pair"),
    path("listen/pairs/<int:pair_id>/undo/", similar_views.take_back, name="take_pair_back"),
    path("listen/post/<int:post_id>/example/", example_views.mark, name="mark_example"),
    path("listen/post/<int:post_id>/confirm/", views.confirm, name="confirm"),
]

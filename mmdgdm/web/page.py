"""The page of the web demo, made of gradio's parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, Optional

from markupsafe import Markup

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.scoremaps import DEFAULT_INTERVAL
from mmdgdm.web.views import (
    Model,
    Visit,
    check_same_classes,
    choose,
    class_titles,
    draw,
    look,
)

TITLE = "What the network sees, and where"
#: What the list of classes offers first.
BEST = "Best class of each model"
#: Files of visitors, and what is known of them, are forgotten after so many seconds;
#: how often files are looked at for that.
FORGET_AFTER = 3600
_LOOK_EVERY = 600
#: Networks run one after the other; drawings need not wait for them.
_NETWORK: dict[str, Any] = dict(concurrency_id="network", concurrency_limit=1)
#: Of events: nothing of the page is an interface for programs.
_EVENT: dict[str, Any] = dict(api_visibility="private", show_progress="hidden")
CSS = """
.said { overflow-wrap: anywhere; }
.said b { font-variant-numeric: tabular-nums; }
.failed { border-left: 4px solid #d55e00; padding-left: 0.6em; }
h1 { font-size: 1.4rem; font-weight: 600; margin: 0; }
h2 { font-size: 1rem; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
"""


def build_page(models: Sequence[Model]) -> Any:
    """Build the page.

    Args:
        models: One, or several to be shown side by side.

    Returns:
        The ``gradio.Blocks``.

    Raises:
        ConfigError: If the models name different classes.
    """
    # Here, since gradio is an extra and takes seconds to load.
    import gradio as gr

    check_same_classes(models)
    page = gr.Blocks(
        title=TITLE,
        analytics_enabled=False,
        delete_cache=(_LOOK_EVERY, FORGET_AFTER),
        fill_width=True,
    )
    with page:
        gr.HTML(f"<h1>{TITLE}</h1>")
        visit = gr.State(None, time_to_live=FORGET_AFTER)
        with gr.Row():
            with gr.Column(scale=1, min_width=260):
                file = gr.File(label="Image", file_types=["image"], height=170)
                names = class_titles(models[0].localizer.classes)
                choices = [(BEST, -1), *((name, i) for i, name in enumerate(names))]
                label = gr.Dropdown(choices, value=-1, label="Class to map")
                said = gr.HTML(_say("Drop an image, or click to take one."))
            with gr.Column(scale=3, min_width=300), gr.Row():
                columns = [_add_column(gr, model) for model in models]
        _connect(models, visit, file=file, label=label, said=said, columns=columns)
    return page


def _add_column(gr: Any, model: Model) -> list[Any]:
    """What is shown of a model: its drawing, the box in words, scores, a slider."""
    threshold = model.localizer.threshold
    source = model.localizer.threshold_source
    with gr.Column(min_width=280):
        gr.HTML(str(Markup("<h2>{}</h2>").format(model.title)))
        drawing = gr.Image(
            label="Map and box",
            show_label=False,
            format="jpeg",
            interactive=False,
            buttons=["fullscreen"],
        )
        slider = gr.Slider(
            minimum=0,
            maximum=1 - DEFAULT_INTERVAL,
            step=DEFAULT_INTERVAL,
            value=threshold,
            label="Threshold",
            info=f"Share of the map's range. At first {threshold:g}: {source}.",
        )
        words = gr.HTML()
        scores = gr.Label(label="Classes", show_heading=False)
    return [drawing, words, scores, slider]


def _connect(
    models: Sequence[Model],
    visit: Any,
    *,
    file: Any,
    label: Any,
    said: Any,
    columns: Sequence[Sequence[Any]],
) -> None:
    """Say what happens when."""
    names = class_titles(models[0].localizer.classes)
    sliders = [column[-1] for column in columns]
    shown = [part for column in columns for part in column[:-1]]

    def see(path: Optional[str], chosen: int, *thresholds: float) -> list[Any]:
        if path is None:
            return [None, _say("Drop an image."), *[None, "", None] * len(models)]
        try:
            found = look(path, models)
        except DataError as error:
            return [None, _say(error, failed=True), *[None, "", None] * len(models)]
        found = choose(found, _label_of(chosen), models=models)
        return [found, _describe(found), *_show(found, thresholds, names)]

    def change_class(
        found: Optional[Visit], chosen: int, *thresholds: float
    ) -> list[Any]:
        if found is None:
            return [None, *[None, "", None] * len(models)]
        found = choose(found, _label_of(chosen), models=models)
        return [found, *_show(found, thresholds, names)]

    file.change(
        see, [file, label, *sliders], [visit, said, *shown], **_EVENT, **_NETWORK
    )
    label.input(
        change_class, [visit, label, *sliders], [visit, *shown], **_EVENT, **_NETWORK
    )
    for place, (drawing, words, _, slider) in enumerate(columns):
        slider.change(
            _cutter(place),
            [visit, slider],
            [drawing, words],
            trigger_mode="always_last",
            **_EVENT,
        )


def _cutter(place: int) -> Callable[[Optional[Visit], float], Any]:
    """What draws a model's view anew at another threshold."""

    def cut(visit: Optional[Visit], threshold: float) -> Any:
        return _draw(visit, place, threshold=threshold) if visit else (None, "")

    return cut


def _label_of(chosen: Optional[int]) -> Optional[int]:
    return None if chosen in (None, -1) else chosen


def _show(visit: Visit, thresholds: Sequence[float], names: Sequence[str]) -> list[Any]:
    """What is shown of each model: drawing, words, scores."""
    shown: list[Any] = []
    for place, (sight, threshold) in enumerate(zip(visit.sights, thresholds)):
        scores = {names[found.label]: found.score for found in sight.best}
        shown += [*_draw(visit, place, threshold=threshold), scores]
    return shown


def _draw(visit: Visit, place: int, *, threshold: float) -> tuple[Any, str]:
    view = draw(visit, place, threshold=threshold)
    x0, y0, x1, y1 = view.shown.box.round().astype(int).tolist()
    words = Markup(
        '<p class="said"><strong>{}</strong>, probability {:.3f}.<br>'
        "Box from <b>{}, {}</b> to <b>{}, {}</b>, in pixels of the image.</p>"
    ).format(view.shown.name, view.shown.score, x0, y0, x1, y1)
    return view.drawing, str(words)


def _describe(visit: Visit) -> str:
    height, width = visit.pixels.shape[:2]
    return _say(f"{visit.name}: {width} x {height} pixels.")


def _say(text: object, *, failed: bool = False) -> str:
    """A line that is read aloud; nothing in it is read as HTML."""
    attributes = 'role="alert" class="said failed"' if failed else 'class="said"'
    return str(Markup("<p {}>{}</p>").format(Markup(attributes), text))

"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { runs, kinds, images } = data;
  if (!images.length) return;
  const SVG = "http://www.w3.org/2000/svg";
  const ROW = 7; // bytes of a level: x0, y0, x1, y1, kind, IoU in two
  const STEP = 0.001;
  const BATCH = 48;
  const SIGNS = { "right": "✓", "wrong class": "≠", "too small": "▫", "too large": "▣", "wrong place": "↗" };
  const $ = (id) => document.getElementById(id);

  const state = { thresholds: runs.map((run) => run.threshold), mix: 0.55, shown: BATCH };
  const sliders = []; // functions that show the state
  let cards = []; // those on the page: { image, update }
  let order = images;

  // An element; text is set as text, never read as HTML.
  function make(tag, attributes = {}, ...children) {
    const drawn = ["svg", "rect"].includes(tag);
    const element = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  // What the evaluation found for a run of an image at the run's threshold.
  function found(image, r) {
    const run = image.runs[r];
    run.bytes ??= Uint8Array.from(atob(run.levels), (letter) => letter.charCodeAt(0));
    const maximum = run.bytes.length / ROW;
    const row = run.bytes.subarray(Math.floor(state.thresholds[r] * maximum) * ROW);
    const known = row[4] < kinds.length;
    return {
      box: row.subarray(0, 4),
      kind: known ? kinds[row[4]] : null,
      iou: known ? (row[5] * 256 + row[6]) / 10000 : null,
    };
  }

  function say(image, r) {
    const { kind, iou } = found(image, r);
    const run = image.runs[r];
    const parts = [kind === null ? "no true box" : `IoU ${iou.toFixed(2)}, ${SIGNS[kind] ?? ""} ${kind}`];
    if (run.predicted !== null) {
      const sure = run.confidence === null ? "" : ` (${run.confidence.toFixed(2)})`;
      parts.push(`says ${run.predicted}${sure}`);
    }
    return parts.join("; ");
  }

  function rectangle(box, name) {
    const rect = make("rect", { class: name });
    place(rect, box);
    return rect;
  }

  function place(rect, [x0, y0, x1, y1]) {
    const values = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
    for (const [name, value] of Object.entries(values)) rect.setAttribute(name, value);
  }

  // Image, map and boxes of one run; `update` follows the threshold.
  function panel(image, r) {
    const run = image.runs[r];
    const rim = make("rect", { class: "rim" });
    const line = make("rect", { class: "predicted" });
    const boxes = make("svg", { viewBox: "0 0 224 224", preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const box of image.truth) boxes.append(rectangle(box, "rim"), rectangle(box, "truth"));
    boxes.append(rim, line);
    const frame = make("span", { class: "frame", style: `aspect-ratio: ${image.width} / ${image.height}` },
      make("img", { class: "photo", src: image.image, alt: "" }),
      make("img", { class: "map", src: run.map, alt: "" }),
      boxes);
    const said = make("span", { class: "said" });
    const update = () => {
      const { box } = found(image, r);
      place(rim, box);
      place(line, box);
      said.replaceChildren(make("b", {}, runs[r].name), ` ${say(image, r)}`);
    };
    update();
    return { element: make("span", {}, frame, said), update };
  }

  function card(image) {
    const panels = runs.map((_, r) => panel(image, r));
    const button = make("button", { type: "button", class: "open", onclick: () => openLarge(image) },
      make("span", { class: "panels" }, ...panels.map((one) => one.element)));
    const update = () => {
      panels.forEach((one) => one.update());
      const words = runs.map((run, r) => `${run.name}: ${say(image, r)}`);
      button.setAttribute("aria-label", `Open ${image.id}, ${image.name ?? "class not known"}. ${words.join(". ")}`);
    };
    update();
    const title = make("h3", {}, image.name ?? "class not known", " · ", image.id);
    return { image, update, element: make("li", { class: "card" }, title, button) };
  }

  function judged() { return Number($("judge").value); }

  function wanted() {
    return new Set([...document.querySelectorAll("#kinds input:checked")].map((input) => input.value));
  }

  function sorted(list) {
    const [what, way] = $("sort").value.split("-");
    const r = judged();
    const values = {
      iou: (image) => found(image, r).iou,
      confidence: (image) => image.runs[r].confidence,
      gain: (image) => {
        const ious = [found(image, r === 0 ? runs.length - 1 : r).iou, found(image, 0).iou];
        return ious.includes(null) ? null : ious[0] - ious[1];
      },
    };
    if (what === "name") return list.sort((a, b) => a.id.localeCompare(b.id));
    if (what === "class") {
      return list.sort((a, b) => (a.label ?? Infinity) - (b.label ?? Infinity) || a.id.localeCompare(b.id));
    }
    const sign = way === "up" ? 1 : -1;
    const keys = new Map(list.map((image) => [image, values[what](image)]));
    return list.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null); // not known: last
      return sign * (x - y);
    });
  }

  function count() {
    const counts = Object.fromEntries(kinds.map((kind) => [kind, 0]));
    const label = $("class").value;
    for (const image of images) {
      const kind = found(image, judged()).kind;
      if (kind !== null && (label === "" || String(image.label) === label)) counts[kind] += 1;
    }
    for (const element of document.querySelectorAll("#kinds [data-kind]")) {
      element.textContent = counts[element.dataset.kind];
    }
  }

  // Choose, sort and show the cards anew.
  function arrange() {
    const open = wanted();
    const label = $("class").value;
    order = sorted(images.filter((image) => {
      const kind = found(image, judged()).kind;
      return (kind === null || open.has(kind)) && (label === "" || String(image.label) === label);
    }));
    cards = order.slice(0, state.shown).map(card);
    $("cards").replaceChildren(...cards.map((one) => one.element));
    $("more").hidden = order.length <= state.shown;
    $("count").textContent = `${order.length} of ${images.length} images`;
    count();
  }

  // Follow a slider: boxes at once, the order when it is let go.
  function follow() {
    cards.forEach((one) => one.update());
    large?.update();
    sliders.forEach((show) => show());
    document.body.style.setProperty("--mix", state.mix);
    document.body.style.setProperty("--grey", Math.min(1, 2 * state.mix));
    count();
  }

  function slider(what, { max, read, write, settle, tell }) {
    const output = make("output", {});
    const input = make("input", { type: "range", min: 0, max, step: 1, "aria-label": what });
    input.addEventListener("input", () => { write(Number(input.value)); follow(); });
    if (settle) input.addEventListener("change", arrange);
    const show = () => {
      input.value = read();
      output.textContent = tell();
      input.setAttribute("aria-valuetext", tell());
    };
    sliders.push(show);
    show();
    return make("label", { class: "slider" }, make("span", { class: "what" }, what), input, output);
  }

  function controls() {
    const own = make("button", { type: "button", onclick: () => {
      state.thresholds = runs.map((run) => run.threshold);
      follow();
      arrange();
    } }, "Thresholds of the evaluation");
    return [
      ...runs.map((run, r) => slider(runs.length > 1 ? `Threshold, ${run.name}` : "Threshold", {
        max: 1 / STEP - 1,
        read: () => Math.round(state.thresholds[r] / STEP),
        write: (value) => { state.thresholds[r] = value * STEP; },
        settle: true,
        tell: () => state.thresholds[r].toFixed(3),
      })),
      slider("Image to map", {
        max: 100,
        read: () => Math.round(100 * state.mix),
        write: (value) => { state.mix = value / 100; },
        settle: false,
        tell: () => `${Math.round(100 * state.mix)} %`,
      }),
      own,
    ];
  }

  let large = null;
  const dialog = $("large");

  // `way`: from which image it was reached, -1 or 1, so that its button keeps the focus.
  function openLarge(image, way = 1) {
    const panels = runs.map((_, r) => panel(image, r));
    const step = (by) => {
      const next = order[order.indexOf(image) + by];
      if (next) openLarge(next, by);
    };
    large?.drop();
    const kept = sliders.length;
    const shown = runs.map((run, r) => `${run.name}: map of ${image.runs[r].shown ?? "a class that is not known"}`);
    const tools = make("div", { class: "sliders" }, ...controls());
    large = {
      update: () => panels.forEach((one) => one.update()),
      drop: () => sliders.splice(kept),
      step,
    };
    dialog.replaceChildren(
      make("header", {},
        make("h2", { id: "large-title" }, image.name ?? "class not known", " · ", image.id),
        make("button", { type: "button", "data-way": -1, onclick: () => step(-1) }, "‹ Before"),
        make("button", { type: "button", "data-way": 1, onclick: () => step(1) }, "Next ›"),
        make("button", { type: "button", onclick: () => dialog.close() }, "Close")),
      tools,
      make("div", { class: "panels" }, ...panels.map((one) => one.element)),
      make("p", { class: "note" }, `${shown.join("; ")}. Arrow keys lead to the image before and to the next.`));
    if (!dialog.open) dialog.showModal();
    dialog.querySelector(`[data-way="${way}"]`).focus();
  }

  dialog.addEventListener("close", () => { large?.drop(); large = null; });
  dialog.addEventListener("keydown", (event) => {
    if (event.target.matches("input")) return; // a slider takes arrows itself
    if (event.key === "ArrowLeft") large.step(-1);
    if (event.key === "ArrowRight") large.step(1);
  });

  const labels = new Map(images.filter((image) => image.label !== null).map((image) => [image.label, image.name]));
  for (const [label, name] of [...labels].sort((a, b) => a[0] - b[0])) {
    $("class").append(make("option", { value: label }, name ?? `class ${label}`));
  }
  for (const kind of kinds) {
    const box = make("input", { type: "checkbox", value: kind, checked: "" });
    const number = make("span", { "data-kind": kind });
    $("kinds").append(make("label", {}, box, ` ${SIGNS[kind] ?? ""} ${kind} (`, number, ")"));
  }
  $("view").append(...controls());
  document.body.style.setProperty("--card", `${Math.max(200, 150 * runs.length)}px`);
  $("filters").addEventListener("change", () => { state.shown = BATCH; arrange(); });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("more").addEventListener("click", () => { state.shown += BATCH; arrange(); });
  follow();
  arrange();
})();

"use strict";
// The page is complete without this script, which sorts, filters and enlarges its pictures.
(() => {
  const { runs, cards } = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const list = at("units");
  if (!list) return;

  // A unit is what is sorted: a card of the grid, or a whole row of a comparison.
  const units = [...list.children].map((node, order) => {
    const parts = [...node.querySelectorAll("[data-card]")].map((part) => {
      const card = cards[part.dataset.card];
      const run = runs[card.run];
      const mark = card.success === null ? "" : card.success ? "success" : "failed";
      const { title, predicted, search, encoding, contender, niche } = card;
      const text = [title, predicted, search, encoding, contender, niche, run.network, run.recipe];
      const words = { success: mark, search: card.contender || card.search, recipe: run.recipe };
      return { node: part, card, words, text: text.join("\n").toLowerCase(), visible: true };
    });
    return { node, order, parts };
  });

  // ---- sort and filter ----
  const toolbar = at("toolbar");
  const selected = { success: new Set(), search: new Set(), recipe: new Set() };

  const filter = () => {
    const terms = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const kinds = Object.entries(selected).filter(([, words]) => words.size);
    let count = 0;
    for (const unit of units) {
      let any = false;
      for (const part of unit.parts) {
        part.visible = terms.every((word) => part.text.includes(word))
          && kinds.every(([kind, words]) => words.has(part.words[kind]));
        part.node.hidden = !part.visible;
        any ||= part.visible;
        count += part.visible;
      }
      unit.node.hidden = !any;
    }
    const total = cards.length.toLocaleString("en");
    at("count").textContent = `${count.toLocaleString("en")} of ${total}`;
    at("nothing").hidden = count > 0;
  };

  const smallestFirst = { run: true, target: true, passes: true, seconds: true, confidence: false };
  let reversed = false;

  const sort = () => {
    const key = at("sort").value;
    const up = smallestFirst[key] !== reversed;
    const keyed = units.map((unit) => {
      if (key === "run") return [unit.order, unit];
      const values = unit.parts.map((part) => (key === "target" ? part.card.title : part.card[key]))
        .filter((value) => value !== null);
      if (key === "target") return [values[0], unit];
      return [values.length ? (up ? Math.min(...values) : Math.max(...values)) : null, unit];
    });
    const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
    const compare = key === "target" ? collator.compare : (a, b) => a - b;
    keyed.sort(([a, x], [b, y]) => {
      // unknown values last
      if (a === null || b === null) return (a === null) - (b === null) || x.order - y.order;
      return (up ? compare(a, b) : compare(b, a)) || x.order - y.order;
    });
    list.append(...keyed.map(([, unit]) => unit.node));
    units.splice(0, units.length, ...keyed.map(([, unit]) => unit));
    at("direction").textContent = up ? "↑" : "↓";
  };

  if (toolbar) {
    toolbar.hidden = false;
    toolbar.addEventListener("submit", (event) => event.preventDefault());
    at("filter").addEventListener("input", filter);
    at("sort").addEventListener("change", () => { reversed = false; sort(); });
    at("direction").addEventListener("click", () => { reversed = !reversed; sort(); });
    toolbar.addEventListener("click", (event) => {
      const chip = event.target.closest(".chip");
      if (!chip) return;
      const words = selected[chip.dataset.kind];
      const on = !words.delete(chip.dataset.word);
      if (on) words.add(chip.dataset.word);
      chip.setAttribute("aria-pressed", on);
      filter();
    });
    at("clear").addEventListener("click", () => {
      at("filter").value = "";
      Object.values(selected).forEach((words) => words.clear());
      toolbar.querySelectorAll(".chip").forEach((chip) => chip.setAttribute("aria-pressed", false));
      filter();
      at("filter").focus();
    });
    // A browser that goes back to a page fills its fields in again.
    sort();
    filter();
  }

  // ---- enlarge ----
  const view = at("view");
  const percent = (part) => part.node.querySelector(".sure b").textContent;
  let current = null;

  const picture = (image, url, [width, height]) => {
    image.hidden = !url;
    if (!url) return image.removeAttribute("src");
    image.src = url;
    image.style.setProperty("--ratio", width && height ? width / height : 1);
    image.classList.toggle("small", Math.max(width, height) <= 128);
  };

  const difference = (on) => {
    view.classList.toggle("difference", on);
    at("view-difference").setAttribute("aria-pressed", on);
    at("view-result").textContent = on ? "difference × 8" : "result";
  };

  const curve = (values) => {
    const svg = at("view-curve");
    const enough = values && values.length > 1;
    svg.style.display = enough ? "" : "none";
    if (!enough) return;
    const low = Math.min(0, ...values);
    const high = Math.max(low < 0 ? 0 : 1e-9, ...values, Math.max(...values) <= 1 ? 1 : 0);
    const points = values.map((value, step) => {
      const x = 1000 * step / (values.length - 1);
      const y = 1000 * (high - value) / (high - low);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    svg.firstElementChild.setAttribute("d", `M${points.join("L")}`);
  };

  const element = (name, text = "", className = "") => {
    const node = document.createElement(name);
    node.textContent = text;
    node.className = className;
    return node;
  };

  // All frames of a lineage lie side by side in one picture; each list item shows its own part.
  const lineage = (record) => {
    at("view-lineage").hidden = !record;
    view.classList.toggle("lined", Boolean(record));
    at("view-generations").textContent = record ? record.about : "";
    const frames = (record ? record.frames : []).map(([step, confidence, name], place, all) => {
      const frame = element("li");
      const window = element("div", record.problem, record.problem ? "broken" : "");
      frame.title = name;
      frame.append(window, element("span", step), element("b", confidence));
      if (record.problem) return frame;
      const image = element("img");
      image.alt = [step, confidence].filter(Boolean).join(", ") || `Frame ${place + 1}`;
      image.style.width = `${100 * all.length}%`;
      image.style.left = `${-100 * place}%`;
      image.src = record.src;
      window.append(image);
      return frame;
    });
    at("view-frames").style.setProperty("--ratio", record ? record.ratio : 1);
    at("view-frames").replaceChildren(...frames);
    at("view-frames").parentElement.scrollLeft = 0;
  };

  const show = (part) => {
    const { card } = part;
    current = part;
    difference(false);
    view.classList.toggle("pairs", Boolean(card.original && card.src));
    const [amplified, times] = card.original && card.src ? card.difference : [];
    view.classList.toggle("triples", Boolean(amplified));
    picture(at("view-amplified"), amplified, card.size);
    at("view-times").textContent = times;
    at("view-between").hidden = !amplified;
    picture(at("view-picture"), card.src, card.size);
    picture(at("view-original"), card.original, card.size);
    picture(at("view-under"), card.original, card.size);
    at("view-was").hidden = !card.original;
    at("view-picture").alt = card.title;
    at("view-problem").hidden = Boolean(card.src);
    at("view-problem").textContent = card.src ? "" : part.node.querySelector(".plate").textContent;
    at("view-plate").textContent = card.plate;
    at("view-title").textContent = card.title;
    at("view-confidence").textContent = percent(part);
    curve(card.curve);
    lineage(card.lineage);
    at("view-large").hidden = !card.large;
    if (card.large) {
      const [url, size] = card.large;
      at("view-large").firstElementChild.href = url;
      at("view-large").firstElementChild.textContent = `Open at ${size}`;
    }
    const details = [...card.details, ...runs[card.run].details];
    at("view-details").replaceChildren(...details.map(([name, value]) => {
      const line = element("div");
      line.append(element("dt", name), element("dd", value));
      return line;
    }));
    if (!view.open) view.showModal();
    view.querySelector(".record").scrollTop = 0;
  };

  const move = (by) => {
    const parts = units.flatMap((unit) => unit.parts).filter((part) => part.visible);
    const place = parts.indexOf(current);
    if (parts.length) show(parts[(place + by + parts.length) % parts.length]);
  };

  list.addEventListener("click", (event) => {
    const plate = event.target.closest(".plate");
    const node = plate && plate.closest("[data-card]");
    // With a modifier the link keeps its own meaning: the picture in a new tab.
    if (!node || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    show(units.flatMap((unit) => unit.parts).find((part) => part.node === node));
  });
  at("view-back").addEventListener("click", () => move(-1));
  at("view-next").addEventListener("click", () => move(1));
  at("view-close").addEventListener("click", () => view.close());
  at("view-difference").addEventListener("click", () => {
    difference(!view.classList.contains("difference"));
  });
  view.addEventListener("keydown", (event) => {
    if (event.target.closest(".film")) return; // there the arrows scroll
    if (event.key === "ArrowLeft") move(-1);
    else if (event.key === "ArrowRight") move(1);
    else return;
    event.preventDefault();
  });
  view.addEventListener("click", (event) => { if (event.target === view) view.close(); });
  view.addEventListener("close", () => current.node.querySelector(".plate").focus());
})();

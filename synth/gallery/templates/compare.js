"use strict";
// The pictures of many runs: only those in sight are in the document. Nothing is loaded from
// elsewhere.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const { columns, strings, runs, count } = data;
const grid = byId("grid"), view = byId("view");
const CAPTION = 112, GAP = 24, ROWS_AHEAD = 3, TILES_AHEAD = 2, SETTLED = 80;

const value = (name, item) => {
  const column = columns[name];
  return Array.isArray(column) ? column[item] : column ?? null;
};
const text = (name, item) => strings[value(name, item)] ?? "";
const element = (name, className = "", content = "") => {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (content) node.textContent = content;
  return node;
};

// ---- numbers as words, as on the other pages ----------------------------------------------------
const percent = (share) => {
  if (share < 0 || share > 1) return String(share);
  if (share > 0 && share < 0.001) return "< 0.1 %";
  if (share >= 0.9995 && share < 1) return `${(Math.floor(share * 1e4) / 100).toFixed(2)} %`;
  return share < 1 ? `${(share * 100).toFixed(1)} %` : "100 %";
};
const sureOf = (item) => {
  const confidence = value("confidence", item), score = value("score", item);
  return confidence !== null ? percent(confidence) : score !== null ? `score ${score}` : "–";
};
const effortOf = (item) => {
  const passes = value("passes", item), seed = text("seed", item);
  return [passes === null ? "" : `${passes.toLocaleString("en")} passes`, seed && `seed ${seed}`]
    .filter(Boolean).join(" · ");
};

// ---- where pictures are -------------------------------------------------------------------------
const inlined = [...document.querySelectorAll(".inlined")];
const holders = new Map();
runs.forEach((run, place) => { if (run.inlined) holders.set(place, inlined[holders.size]); });
const lines = new Map();
const held = (item) => {  // a picture that the page holds itself
  const run = value("run", item);
  if (!lines.has(run)) lines.set(run, holders.get(run).textContent.split("\n"));
  return lines.get(run)[value("place", item)];
};
const urlOf = (item) => {
  const file = value("file", item), run = runs[value("run", item)];
  if (!file) return "";
  return run.inlined ? held(item) : `${run.url}/${file}`;
};
const smallOf = (item) => value("small", item) || urlOf(item);
const isTiny = (item) => Math.max(value("width", item), value("height", item)) <= 128;
const keyOf = (item) => `${runs[value("run", item)].name}/${value("place", item)}`;

// ---- filters ------------------------------------------------------------------------------------
const KINDS = [["method", "All methods"], ["target", "All classes"], ["criterion", "All criteria"],
  ["network", "All networks"], ["seed", "All seeds"], ["run", "All runs"]];
const chosen = {};  // by kind, the place of what is shown alone
const VERDICTS = [["", "Any verdict"], ["1", "success"], ["0", "failed"]];
let verdict = "", words = [], sides = false;
let shown = [];  // items, or pairs of them
const haystacks = [];
const haystack = (item) => haystacks[item] ??= ["target", "niche", "predicted", "method", "network"]
  .map((name) => text(name, item)).concat(runs[value("run", item)].name, runs[value("run", item)]
    .recipe).join("\n").toLowerCase();
const passes = (item, without = "") => (!verdict || value("success", item) === Number(verdict))
  && Object.entries(chosen).every(([kind, place]) => kind === without
    || value(kind, item) === place)
  && words.every((word) => haystack(item).includes(word));
const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const smallestFirst = { run: true, target: true, passes: true, seconds: true, distance: true,
  confidence: false };
let reversed = false;

function select(kind, choices, title) {
  const node = element("select");
  node.ariaLabel = title;
  node.id = `by-${kind}`;
  node.append(...choices.map(([word, label]) => {
    const option = element("option", "", label);
    option.value = word;
    return option;
  }));
  byId("choices").append(node);
  return node;
}

function makeFilters() {
  for (const [kind, title] of KINDS) {
    const places = new Set();
    for (let item = 0; item < count; item++) places.add(value(kind, item));
    if (places.size < 2) continue;
    const name = (place) => (kind === "run" ? runs[place].name : strings[place]) || "none";
    const sorted = kind === "method" || kind === "run" ? [...places]
      : [...places].sort((a, b) => collator.compare(name(a), name(b)));
    const node = select(kind, [["", title], ...sorted.map((place) => [place, name(place)])], title);
    node.addEventListener("change", () => {
      if (node.value) chosen[kind] = Number(node.value);
      else delete chosen[kind];
      refresh();
    });
  }
  const verdicts = new Set();
  for (let item = 0; item < count; item++) verdicts.add(value("success", item));
  if (verdicts.has(0) && verdicts.has(1)) {
    const node = select("verdict", VERDICTS, "Verdict");
    node.addEventListener("change", () => { verdict = node.value; refresh(); });
  }
  const methods = data.methods.map((place) => [place, strings[place]]);
  byId("side").hidden = methods.length < 2;
  for (const [id, start] of Object.entries(nearest(data.methods))) {
    byId(id).append(...methods.map(([place, name]) => {
      const option = element("option", "", name);
      option.value = place;
      return option;
    }));
    byId(id).selectedIndex = start;
    byId(id).addEventListener("change", refresh);
  }
}

// The two methods that have most classes in common.
function nearest(methods) {
  const classes = new Map(methods.map((method) => [method, new Set()]));
  for (let item = 0; item < count; item++) {
    if (value("file", item)) classes.get(value("method", item))?.add(value("target", item));
  }
  const sets = [...classes.values()].slice(0, 24);
  const best = { left: 0, right: sets.length > 1 ? 1 : 0 };
  let most = 0;
  for (let left = 0; left < sets.length; left++) {
    for (let right = left + 1; right < sets.length; right++) {
      const shared = [...sets[left]].filter((target) => sets[right].has(target)).length;
      if (shared > most) [most, best.left, best.right] = [shared, left, right];
    }
  }
  return best;
}

// Pictures of two methods for the same class, of the same seed where there is one.
function pairs() {
  const waiting = new Map(), rest = new Map(), result = [], open = [];
  const push = (map, key, item) => {
    if (!map.has(key)) map.set(key, []);
    map.get(key).push(item);
  };
  const keyed = (item) => ["target", "network", "seed"].map((name) => value(name, item)).join(" ");
  const of = (method) => {
    const items = [];
    for (let item = 0; item < count; item++) {
      const own = value("method", item) === method && value("file", item);
      if (own && passes(item, "method")) items.push(item);
    }
    return items;
  };
  for (const item of of(Number(byId("right").value))) push(waiting, keyed(item), item);
  for (const item of of(Number(byId("left").value))) {
    const same = waiting.get(keyed(item));
    if (same?.length) result.push([item, same.shift()]);
    else open.push(item);
  }
  for (const same of waiting.values()) {
    for (const item of same) push(rest, value("target", item), item);
  }
  for (const item of open) {
    const other = rest.get(value("target", item))?.shift();
    if (other !== undefined) result.push([item, other]);
  }
  return result;
}

function sorted(list) {
  const key = byId("sort").value, up = smallestFirst[key] !== reversed;
  byId("direction").textContent = up ? "↑" : "↓";
  const first = (entry) => (Array.isArray(entry) ? entry[0] : entry);
  if (key === "run") return up ? list : list.reverse();
  const keyed = list.map((entry, order) => {
    const item = first(entry);
    return [key === "target" ? text("target", item) : value(key, item), order, entry];
  });
  const compare = key === "target" ? collator.compare : (a, b) => a - b;
  keyed.sort(([a, x], [b, y]) => {
    if (a === null || b === null) return (a === null) - (b === null) || x - y;  // unknown ones last
    return (up ? compare(a, b) : compare(b, a)) || x - y;
  });
  return keyed.map(([, , entry]) => entry);
}

function refresh() {
  words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let list = [];
  if (sides) list = pairs();
  else for (let item = 0; item < count; item++) if (passes(item)) list.push(item);
  shown = sorted(list);
  const number = (amount) => amount.toLocaleString("en");
  byId("count").textContent = sides ? `${number(shown.length)} pairs`
    : `${number(shown.length)} of ${number(count)}`;
  byId("nothing").hidden = shown.length > 0;
  byId("nothing").firstChild.textContent = sides ? "No class that both methods have matches. "
    : "No picture matches. ";
  measure();
}

// ---- the grid: rows in sight, at places that follow from their number ---------------------------
const live = new Map();  // rows in the document, by their number
let across = 1, tile = 176, gap = GAP, rowHeight = 300, waiting = [], timer = 0, before = 0;

function measure() {
  const width = grid.clientWidth;
  if (!width) return;
  const narrow = width < 700, wanted = sides ? (narrow ? width : 304) : narrow ? 150 : 184;
  const ratio = Number(getComputedStyle(grid).getPropertyValue("--ratio")) || 1;
  gap = narrow ? 16 : GAP;
  const columns = Math.max(1, Math.floor((width + gap) / (wanted + gap)));
  tile = (width - gap * (columns - 1)) / columns;
  const plate = Math.round(tile / ratio);
  rowHeight = plate + CAPTION + 8 + gap;
  grid.style.setProperty("--tile", `${tile}px`);
  grid.style.setProperty("--gap", `${gap}px`);
  grid.style.setProperty("--across", columns);
  grid.style.setProperty("--plate-height", `${plate}px`);
  grid.style.height = `${Math.max(Math.ceil(shown.length / columns) * rowHeight - gap, 0)}px`;
  across = columns;
  for (const node of live.values()) node.remove();
  live.clear();
  render();
}
function render() {
  const top = -grid.getBoundingClientRect().top, focused = document.activeElement;
  const rows = Math.ceil(shown.length / across), row = (height) => Math.floor(height / rowHeight);
  const [first, last] = [Math.max(row(top), 0), Math.min(row(top + innerHeight), rows - 1)];
  for (const [number, node] of live) {
    const far = number < first - ROWS_AHEAD - 1 || number > last + ROWS_AHEAD + 1;
    if (far && !node.contains(focused)) {
      node.remove();
      live.delete(number);
    }
  }
  let made = 0;
  const add = (number, most = Infinity) => {
    if (number < 0 || number >= rows) return;
    if (!live.has(number)) live.set(number, grid.appendChild(rowOf(number)));
    const node = live.get(number), start = number * across + node.childElementCount;
    const end = Math.min((number + 1) * across, shown.length), stop = Math.min(end, start + most);
    for (let place = start; place < stop; place++) node.append(tileOf(place));
    if (start < stop) made++;
    if (start < stop && stop === end) waiting.push(node);
  };
  for (let number = first; number <= last; number++) add(number);
  // those ahead come in parts, so that no frame has much to make
  for (let ahead = 1; ahead <= ROWS_AHEAD && !made; ahead++) {
    add(last + ahead, TILES_AHEAD);
    if (!made) add(first - ahead, TILES_AHEAD);
  }
  if (made) again();
  // what flies past is not loaded
  const flies = Math.abs(top - before) > innerHeight;
  before = top;
  clearTimeout(timer);
  if (flies) timer = setTimeout(load, SETTLED);
  else load();
}
function rowOf(number) {
  const node = element("div", "tiles-row");
  node.style.transform = `translateY(${number * rowHeight}px)`;
  node.style.height = `${rowHeight - gap}px`;
  return node;
}
let asked = false;
function again() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; render(); });
}
// The pictures of a row come together, decoded: the row is painted again once, not for each.
function load() {
  for (const row of waiting) if (row.isConnected) fill(row);
  waiting = [];
}
async function fill(row) {
  const images = [...row.querySelectorAll(".plate")].flatMap((plate) => (pictures.get(plate) ?? [])
    .map((item) => [plate, imageOf(item)]));
  await Promise.allSettled(images.map(([, image]) => image.decode()));
  for (const [plate, image] of images.reverse()) plate.prepend(image);
}
const pictures = new WeakMap();  // by plate, the items that it shows
function imageOf(item) {
  const image = element("img", isTiny(item) ? "small" : "");
  image.alt = altOf(item);
  image.decoding = "async";
  image.draggable = false;
  image.addEventListener("error", () => { image.alt = "picture missing"; });
  image.src = smallOf(item);
  return image;
}
function verdictOf(item, width = 400) {
  const success = value("success", item), criterion = text("criterion", item);
  const words = (text) => element("span", "", cut(text, tile - width));
  if (success < 0) return criterion ? [words("met by the original, not counted")] : [];
  const mark = element("span", `mark ${success ? "ok" : "no"}`);
  mark.append(element("span", "unseen", success ? "success: " : "failed: "));
  return [mark, words(criterion)];
}
// Letters beyond the tile are left out here: the style sheet's ellipsis takes longer to draw than
// the rest of a tile.
const LETTER = 6.3;  // pixels of a letter of the small text
const cut = (words, spare = 0) => {
  const most = Math.max(Math.floor((tile - spare) / LETTER), 8);
  return words.length > most ? `${words.slice(0, most - 1).trimEnd()}…` : words;
};
const cutStart = (words) => {
  const most = Math.max(Math.floor(tile / (LETTER + 0.5)), 8);
  return words.length > most ? `…${words.slice(1 - most)}` : words;
};
const altOf = (item) => [text("target", item), text("niche", item), text("method", item)]
  .filter(Boolean).join(", ");

function tileOf(number) {
  const entry = shown[number], node = element("article", "tile card");
  node.role = "listitem";
  node.ariaPosInSet = number + 1;
  node.ariaSetSize = shown.length;
  node.dataset.number = number;
  node.append(...(Array.isArray(entry) ? duoOf(entry) : singleOf(entry)));
  return node;
}
function singleOf(item) {
  const problem = text("problem", item), url = urlOf(item);
  const plateNode = url ? element("a", "plate") : element("button", "plate broken", problem);
  if (url) {
    plateNode.href = `#picture=${encodeURIComponent(keyOf(item))}`;
    plateNode.ariaLabel = altOf(item);
    pictures.set(plateNode, [item]);
  } else plateNode.type = "button";
  const caption = element("div", "caption"), sure = element("p", "sure");
  const effort = effortOf(item), fits = effort.length * LETTER < tile - 76;
  sure.append(element("b", "", sureOf(item)),
    element("span", "", fits ? effort : effort.split(" · ")[0]));
  const judged = element("p", "sure");
  judged.append(...verdictOf(item, tile - 24));
  const name = [text("target", item), text("niche", item)].filter(Boolean).join(" · ");
  const title = element("h3", "", cut(name, 0.25 * tile));
  title.title = name;
  judged.title = text("criterion", item);
  const method = swatch(item, [text("method", item)]);
  const run = element("p", "quiet", cutStart(runs[value("run", item)].name));
  run.title = runs[value("run", item)].name;
  caption.append(title, sure, judged, method, run);
  return [plateNode, caption];
}
function swatch(item, parts) {
  const words = parts.filter(Boolean).join(" · ");
  const node = element("p", "quiet swatch", cut(words, 18));
  node.style.setProperty("--c", colourOf(item));
  node.title = `${words} · ${runs[value("run", item)].name}`;
  return node;
}
const colourOf = (item) => `var(--s${data.methods.indexOf(value("method", item)) % 16})`;
function duoOf([left, right]) {
  const duo = element("div", "plate duo"), slider = element("input");
  slider.type = "range";
  [slider.min, slider.max, slider.value] = [0, 100, 50];
  slider.ariaLabel = `${text("target", left)}: share of ${text("method", left)}`;
  slider.addEventListener("input", () => duo.style.setProperty("--at", `${slider.value}%`));
  pictures.set(duo, [right, left]);
  duo.append(element("span", "line"), slider);
  const open = element("button", "open"), caption = element("div", "caption");
  open.type = "button";
  const names = [...new Set([left, right].map((item) => runs[value("run", item)].name))];
  const run = element("p", "quiet", cutStart(names.join(" | ")));
  run.title = names.join(" | ");
  caption.append(element("h3", "", cut(text("target", left), 0.25 * tile)),
    ...[left, right].map((item) => swatch(item, [sureOf(item), text("method", item),
      effortOf(item)])), run);
  open.append(caption);
  return [duo, open];
}

// ---- the enlarged view --------------------------------------------------------------------------
let current = 0, other = -1, number = 0;
const detailNodes = document.querySelectorAll(".details");
const details = new Map();
const detailOf = (item) => {
  const run = value("run", item);
  if (!details.has(run)) details.set(run, JSON.parse(detailNodes[run].textContent));
  return details.get(run)[value("place", item)];
};
function paint(image, url, item) {
  image.hidden = !url;
  if (!url) return image.removeAttribute("src");
  image.src = url;
  image.style.setProperty("--ratio", value("width", item) / value("height", item) || 1);
  image.classList.toggle("small", isTiny(item));
}
// What may stand beside a picture: its original, and the other methods for the same class.
function companions(item) {
  const choices = [], { original, difference } = detailOf(item), methods = new Map();
  if (original) choices.push(["original", "the original"]);
  if (difference?.length) choices.push(["difference", difference[1]]);
  for (let each = 0; each < count; each++) {
    if (each === item || value("target", each) !== value("target", item) || !value("file", each)) {
      continue;
    }
    const same = value("seed", each) === value("seed", item);
    const method = `${value("method", each)} ${value("network", each)}`;
    const best = methods.get(method);
    if (!best || (same && !best[1])) methods.set(method, [each, same]);
  }
  for (const [each] of methods.values()) {
    choices.push([String(each), [text("method", each), text("seed", each)
      && `seed ${text("seed", each)}`, runs[value("run", each)].name].filter(Boolean).join(" · ")]);
  }
  return choices;
}
function show(item, beside = null) {
  current = item;
  const run = runs[value("run", item)], detail = detailOf(item);
  paint(byId("view-picture"), urlOf(item), item);
  byId("view-picture").alt = altOf(item);
  byId("view-problem").hidden = Boolean(urlOf(item));
  byId("view-problem").textContent = text("problem", item);
  byId("split").hidden = !urlOf(item);
  byId("view-run").replaceChildren();
  const name = element(run.page ? "a" : "span", "", run.name);
  if (run.page) name.href = run.page;
  byId("view-run").append(name);
  byId("view-title").textContent = text("target", item);
  byId("view-confidence").textContent = sureOf(item);
  byId("view-verdict").replaceChildren(...verdictOf(item));
  const choices = companions(item);
  if (Number.isInteger(beside) && !choices.some(([word]) => word === String(beside))) {
    choices.push([String(beside), altOf(beside)]);
  }
  byId("with-label").hidden = !choices.length || !urlOf(item);
  byId("with").replaceChildren(...[["", "nothing"], ...choices].map(([word, label]) => {
    const option = element("option", "", label);
    option.value = word;
    return option;
  }));
  byId("with").value = beside === null ? "" : String(beside);
  stand();
  byId("copy-command").hidden = !run.command;
  byId("download").hidden = !urlOf(item);
  byId("download").href = urlOf(item);
  const suffix = /^data:image\/(\w+)/.exec(urlOf(item))?.[1]
    ?? value("file", item).split(".").pop();
  byId("download").download = `${keyOf(item)} ${text("target", item)}`
    .replace(/[^\p{L}\p{N}._-]+/gu, "_") + `.${suffix}`;
  byId("view-large").hidden = !detail.large;
  if (detail.large) {
    const [url, size] = detail.large;
    byId("view-large").firstElementChild.href = url;
    byId("view-large").firstElementChild.textContent = `Open at ${size}`;
  }
  const rows = [["Method", text("method", item)], ["Network", text("network", item)],
    ...detail.lines.filter(([label]) => label !== "Contender"), ["Recipe", run.recipe],
    ["Run", run.name]];
  byId("view-details").replaceChildren(...rows.filter(([, word]) => word).map(([label, word]) => {
    const line = element("div");
    line.append(element("dt", "", label), element("dd", "", word));
    return line;
  }), ...(run.command ? [commandOf(run.command)] : []));
  lineage(detail.lineage);
  if (!view.open) view.showModal();
  document.documentElement.classList.add("viewing");
  view.querySelector(".record").scrollTop = 0;
}
function commandOf(command) {
  const line = element("div"), text = element("dd");
  text.append(element("code", "", command));
  line.append(element("dt", "", "Command"), text);
  return line;
}
// The picture on the left of the slider, what stands beside it on the right.
function stand() {
  const word = byId("with").value, { original, difference } = detailOf(current);
  other = /^\d+$/.test(word) ? Number(word) : -1;
  const url = word === "original" ? original : word === "difference" ? difference[0]
    : other >= 0 ? urlOf(other) : "";
  byId("split").classList.toggle("two", Boolean(url));
  byId("slider").hidden = !url;
  paint(byId("view-under"), url, current);
  byId("view-under").alt = byId("with").selectedOptions[0]?.textContent ?? "";
  byId("tag-left").textContent = text("method", current);
  byId("tag-right").textContent = other >= 0 ? text("method", other)
    : byId("with").selectedOptions[0]?.textContent ?? "";
  slide(50);
  const link = `#picture=${encodeURIComponent(keyOf(current))}`
    + (other >= 0 ? `&with=${encodeURIComponent(keyOf(other))}` : "");
  history.replaceState(null, "", link);
}
function slide(at) {
  byId("slider").value = at;
  byId("split").style.setProperty("--at", `${at}%`);
}
function lineage(record) {
  byId("view-lineage").hidden = !record;
  view.classList.toggle("lined", Boolean(record));
  byId("view-generations").textContent = record ? record.about : "";
  const frames = (record ? record.frames : []).map(([step, confidence, name], at, all) => {
    const frame = element("li"), problem = record.problem;
    const window = element("div", problem ? "broken" : "", problem);
    frame.title = name;
    frame.append(window, element("span", "", step), element("b", "", confidence));
    if (problem) return frame;
    const image = element("img");
    image.alt = [step, confidence].filter(Boolean).join(", ") || `Frame ${at + 1}`;
    image.style.width = `${100 * all.length}%`;
    image.style.left = `${-100 * at}%`;
    image.src = record.src;
    window.append(image);
    return frame;
  });
  byId("view-frames").style.setProperty("--ratio", record ? record.ratio : 1);
  byId("view-frames").replaceChildren(...frames);
  byId("view-frames").parentElement.scrollLeft = 0;
}
function openNumber(at) {
  number = at;
  const entry = shown[at];
  if (Array.isArray(entry)) show(...entry);
  else show(entry);
}
function move(by) {
  if (!shown.length) return;
  const before = byId("with").value;
  openNumber((number + by + shown.length) % shown.length);
  if (before && other < 0 && !Array.isArray(shown[number])) {  // the same comparison goes on
    const same = [...byId("with").options].find(({ value: word, textContent }) => word === before
      || textContent.startsWith(`${wanted} · `));
    if (same) { byId("with").value = same.value; stand(); }
  }
}
let wanted = "";  // the method that stands beside

// ---- a link to one picture ----------------------------------------------------------------------
function itemOf(key) {
  const cut = key.lastIndexOf("/"), name = key.slice(0, cut), at = Number(key.slice(cut + 1));
  const run = runs.findIndex((each) => each.name === name);
  if (run < 0) return -1;
  for (let item = 0; item < count; item++) {
    if (value("run", item) === run && value("place", item) === at) return item;
  }
  return -1;
}
function follow() {
  const link = new URLSearchParams(location.hash.slice(1));
  if (!link.has("picture")) return;
  const item = itemOf(link.get("picture")), beside = itemOf(link.get("with") ?? "");
  if (item < 0) return;
  number = Math.max(0, shown.findIndex((entry) => entry === item
    || (Array.isArray(entry) && entry[0] === item)));
  show(item, beside >= 0 ? beside : null);
}

// ---- copies -------------------------------------------------------------------------------------
async function copy(button, content) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(content);
    button.textContent = "Copied";
  } catch {  // no permission, or an old browser
    const area = element("textarea");
    area.value = content;
    view.append(area);
    area.select();
    button.textContent = document.execCommand("copy") ? "Copied" : "Not allowed here";
    area.remove();
  }
  setTimeout(() => { button.textContent = before; }, 1500);
}

// ---- events -------------------------------------------------------------------------------------
if (grid) {
  makeFilters();
  byId("toolbar").hidden = false;
  byId("toolbar").addEventListener("submit", (event) => event.preventDefault());
  byId("filter").addEventListener("input", refresh);
  byId("sort").addEventListener("change", () => { reversed = false; refresh(); });
  byId("direction").addEventListener("click", () => { reversed = !reversed; refresh(); });
  byId("side").addEventListener("click", () => {
    sides = !sides;
    byId("side").ariaPressed = String(sides);
    byId("two").hidden = !sides;
    const method = byId("by-method");
    if (method) method.hidden = sides;
    refresh();
  });
  byId("clear").addEventListener("click", () => {
    byId("filter").value = verdict = "";
    for (const kind of Object.keys(chosen)) delete chosen[kind];
    for (const node of byId("choices").children) node.selectedIndex = 0;
    refresh();
    byId("filter").focus();
  });
  grid.addEventListener("click", (event) => {
    const target = event.target.closest("a.plate, button.plate, .open");
    // with a modifier a link keeps its own meaning
    if (!target || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    openNumber(Number(target.closest(".tile").dataset.number));
  });
  grid.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across,
      Home: -shown.length, End: shown.length };
    const node = event.target.closest(".tile");
    if (!node || !(event.key in steps) || event.target.matches("input")) return;
    event.preventDefault();
    focus(Math.min(Math.max(Number(node.dataset.number) + steps[event.key], 0), shown.length - 1));
  });
  addEventListener("scroll", again, { passive: true });
  new ResizeObserver(measure).observe(grid.parentElement);
  addEventListener("resize", again);  // of the height alone, as when a phone hides its bar
  refresh();
  follow();
  addEventListener("hashchange", follow);
}
function focus(at) {
  const top = grid.getBoundingClientRect().top + scrollY + Math.floor(at / across) * rowHeight;
  const bar = getComputedStyle(byId("toolbar")).position === "sticky"
    ? byId("toolbar").offsetHeight : 0;
  if (top - bar < scrollY) scrollTo(0, top - bar - 8);
  else if (top + rowHeight > scrollY + innerHeight) scrollTo(0, top + rowHeight - innerHeight);
  render();
  const node = grid.querySelector(`[data-number="${at}"]`);
  node?.querySelector("a, button, input").focus({ preventScroll: true });
}
byId("with").addEventListener("change", () => {
  stand();
  wanted = other >= 0 ? text("method", other) : "";
});
byId("slider").addEventListener("input", () => slide(byId("slider").value));
byId("split").addEventListener("pointerdown", (event) => {
  if (!byId("split").classList.contains("two")) return;
  byId("split").setPointerCapture(event.pointerId);
  drag(event);
});
byId("split").addEventListener("pointermove", (event) => {
  if (byId("split").hasPointerCapture(event.pointerId)) drag(event);
});
function drag(event) {
  const { left, width } = byId("split").getBoundingClientRect();
  slide(Math.round(Math.min(Math.max((100 * (event.clientX - left)) / width, 0), 100)));
}
byId("view-back").addEventListener("click", () => move(-1));
byId("view-next").addEventListener("click", () => move(1));
byId("view-close").addEventListener("click", () => view.close());
byId("copy-command").addEventListener("click", ({ target }) => {
  copy(target, runs[value("run", current)].command);
});
byId("copy-link").addEventListener("click", ({ target }) => copy(target, location.href));
view.addEventListener("keydown", (event) => {
  if (event.target.closest(".film, select, input")) return;  // there the arrows have a meaning
  if (event.key === "ArrowLeft") move(-1);
  else if (event.key === "ArrowRight") move(1);
  else return;
  event.preventDefault();
});
view.addEventListener("click", (event) => { if (event.target === view) view.close(); });
view.addEventListener("close", () => {
  document.documentElement.classList.remove("viewing");
  history.replaceState(null, "", location.pathname + location.search);
  if (shown.length) focus(number);
});
document.documentElement.dataset.ready = "true";

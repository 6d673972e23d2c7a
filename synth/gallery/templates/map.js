"use strict";
// The confidence map is complete without this script, which names the cell under the pointer and
// opens its picture.
(() => {
  const { map } = JSON.parse(document.getElementById("data").textContent);
  if (!map) return;
  const { moments, rows, across } = map;
  const frame = document.getElementById("map-frame");
  const names = document.querySelectorAll("#map .y li");
  const label = document.getElementById("map-here");
  const mark = document.getElementById("map-row");
  const count = (value) => value.toLocaleString("en", { maximumFractionDigits: 2 });
  const hint = label.textContent;
  let marked = null;

  const nearest = (at) => {
    let low = 0;
    let high = moments.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (moments[middle] > at) high = middle; else low = middle;
    }
    return at - moments[low] < moments[high] - at ? low : high;
  };

  // Changes stand one after the other: column, per cent, column, per cent.
  const valueAt = (changes, column) => {
    let value = null;
    for (let place = 0; place < changes.length && changes[place] <= column; place += 2) {
      value = changes[place + 1];
    }
    return value;
  };

  const below = (event) => {
    const box = frame.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const row = Math.min(Math.max(Math.floor(y * rows.length), 0), rows.length - 1);
    return [Math.min(Math.max(x, 0), 1), row];
  };

  const leave = () => {
    if (marked !== null && names[marked]) names[marked].classList.remove("here");
    marked = null;
    mark.hidden = true;
    label.textContent = hint;
  };

  const point = (event) => {
    const [x, row] = below(event);
    const column = nearest(moments[0] + x * (moments[moments.length - 1] - moments[0]));
    leave();
    const [name, card, changes] = rows[row];
    const value = valueAt(changes, column);
    const text = value === null ? "empty" : value < 1 ? "< 1 %" : `${value} %`;
    const moment = count(moments[column]);
    const when = across === "evaluations" ? `${moment} evaluations` : `${across} ${moment}`;
    label.textContent = `${name} · ${when} · ${text}`;
    marked = row;
    mark.hidden = false;
    mark.style.top = `${(100 * row) / rows.length}%`;
    if (names[row]) names[row].classList.add("here");
    frame.style.cursor = card === null ? "" : "zoom-in";
  };

  const open = (row) => {
    const plate = document.querySelector(`[data-card="${rows[row][1]}"] .plate`);
    if (plate) plate.click();
  };

  frame.addEventListener("pointermove", point);
  frame.addEventListener("pointerdown", point);
  // On a touch screen a tap reads the map and its label stays; only a name opens a picture.
  frame.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") leave();
  });
  frame.addEventListener("click", (event) => {
    if (event.pointerType !== "touch") open(below(event)[1]);
  });
  names.forEach((name, row) => name.addEventListener("click", () => open(row)));
})();

"use strict";
// A scatter plot of thumbnails: WebGL where there is one, else a canvas. Nothing is loaded.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const plane = byId("plane"), stage = byId("stage"), tip = byId("tip");
const count = data.names.length;
const { side, across, sheets } = data.thumbnails;
const perSheet = Math.max(across * across, 1);
const dark = matchMedia("(prefers-color-scheme: dark)");
const GREY = "#8a857c", SAME_PLACE = 14, FASTEST = 1.25, DEEPEST = 400;

// ---- the state ----------------------------------------------------------------------------------
const view = { map: 0, zoom: 1, x: 0, y: 0, turn: [0.6, 0.4], pictures: side > 0 };
let group = 0, only = new Set(), chosen = -1, hovered = -1, dirty = true;
const images = [];  // the sheets of thumbnails that are decoded
const points = data.maps.map(({ axes, points: flat }) => {
  const places = new Float32Array(3 * count);
  for (let row = 0; row < count; row++) {
    for (let axis = 0; axis < axes; axis++) {
      places[3 * row + axis] = flat[axes * row + axis] / 32767.5 - 1;
    }
  }
  return places;
});
const is3D = () => data.maps[view.map].axes === 3;
const colourOf = (row) => {
  const each = data.groups[group];
  const of = each ? each.of[row] : -1;
  return of < 0 ? GREY : each.colours[of];
};
const isShown = (row) => !only.size || only.has(data.groups[group].of[row]);
const labelOf = (row, number = 0) => {
  const each = data.groups[number];
  return each && each.of[row] >= 0 ? each.names[each.of[row]] : "";
};

// ---- geometry: the map's unit square, or cube, to pixels ----------------------------------------
let width = 1, height = 1, ratio = 1;
function matrix() {
  if (!is3D()) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const [a, b] = view.turn, [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
  return [ca, 0, sa, sa * sb, cb, -ca * sb, -sa * cb, sb, ca * cb];  // row by row
}
const unit = () => 0.46 * Math.min(width, height) * view.zoom * (is3D() ? 0.8 : 1);
function pictureSize() {
  // pictures grow more slowly than the distances between them, so that zooming takes them apart
  const most = Math.min(Math.max(2 * side, 48), 128);
  const whole = Math.sqrt((0.5 * width * height) / Math.max(count, 1));
  return Math.min(Math.min(Math.max(whole, 8), most / 2) * view.zoom ** 0.7, most);
}
function project(row, out) {
  const p = points[view.map], m = out.m, at = 3 * row;
  const x = p[at], y = p[at + 1], z = p[at + 2];
  out.x = width / 2 + (m[0] * x + m[1] * y + m[2] * z - view.x) * out.unit;
  out.y = height / 2 - (m[3] * x + m[4] * y + m[5] * z - view.y) * out.unit;
  out.z = m[6] * x + m[7] * y + m[8] * z;
}

// ---- drawing with WebGL -------------------------------------------------------------------------
const VERTEX = `#version 300 es
in vec2 corner; in vec3 place; in vec2 cell; in vec3 shade; in float shown; in float order;
uniform mat3 turn; uniform vec2 centre, scale, window; uniform float size, dot, pictures, deep, cut;
out vec2 at; out vec2 uv; flat out vec3 colour; flat out float picture; out float faint;
void main() {
  vec3 p = place * turn;
  picture = pictures * shown;
  faint = shown;
  float wide = picture > 0.5 ? size : dot;
  vec2 middle = (p.xy - centre) * scale;
  at = corner; colour = shade;
  uv = (cell + clamp(corner * 1.16 - 0.08, 0.02, 0.98)) * cut;
  float z = deep > 0.5 ? -0.4 * p.z : order;
  if (shown < 0.5) z = 0.95;
  gl_Position = vec4(middle + (corner - 0.5) * vec2(2.0, -2.0) * wide / window, z, 1.0);
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in vec2 at; in vec2 uv; flat in vec3 colour; flat in float picture; in float faint;
uniform sampler2D sheet; uniform vec3 ground;
out vec4 pixel;
void main() {
  if (picture > 0.5) {
    vec2 edge = abs(at - 0.5);
    pixel = max(edge.x, edge.y) > 0.43 ? vec4(colour, 1.0) : vec4(texture(sheet, uv).rgb, 1.0);
    return;
  }
  if (distance(at, vec2(0.5)) > 0.5) discard;
  pixel = vec4(faint > 0.5 ? colour : mix(ground, vec3(0.55), 0.35), 1.0);
}`;
const rgb = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16) / 255);

function withWebGL() {
  const gl = plane.getContext("webgl2", { antialias: false, alpha: false });
  if (!gl) return null;
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  gl.useProgram(program);
  const uniform = (name) => gl.getUniformLocation(program, name);
  const at = Object.fromEntries(["turn", "centre", "scale", "window", "size", "dot", "pictures",
    "deep", "cut", "ground", "sheet"].map((name) => [name, uniform(name)]));
  const cells = new Float32Array(2 * count), orders = new Float32Array(count);
  for (let row = 0; row < count; row++) {
    const inner = row % perSheet;
    cells[2 * row] = inner % Math.max(across, 1);
    cells[2 * row + 1] = Math.floor(inner / Math.max(across, 1));
    orders[row] = 0.9 - (1.8 * row) / count;
  }
  const buffers = {};
  function fill(name, values) {
    buffers[name] ??= gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  }
  fill("corner", new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]));
  fill("cell", cells);
  fill("order", orders);
  const textures = [];
  const attributes = { corner: 2, place: 3, cell: 2, shade: 3, shown: 1, order: 1 };
  gl.enable(gl.DEPTH_TEST);
  gl.uniform1i(at.sheet, 0);
  let placed = -1;
  return {
    kind: "webgl",
    colours() {
      const shades = new Float32Array(3 * count), shown = new Float32Array(count);
      const parts = new Map();
      for (let row = 0; row < count; row++) {
        const colour = colourOf(row);
        if (!parts.has(colour)) parts.set(colour, rgb(colour));
        shades.set(parts.get(colour), 3 * row);
        shown[row] = isShown(row) ? 1 : 0;
      }
      fill("shade", shades);
      fill("shown", shown);
    },
    sheet(number, image) {
      const texture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, image);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAX_LEVEL, 2);
      gl.generateMipmap(gl.TEXTURE_2D);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_NEAREST);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
      textures[number] = [texture, image.naturalWidth, image.naturalHeight];
    },
    draw() {
      if (placed !== view.map) fill("place", points[placed = view.map]);
      const ground = rgb(dark.matches ? "#151412" : "#faf9f6");
      gl.viewport(0, 0, plane.width, plane.height);
      gl.clearColor(...ground, 1);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      gl.uniformMatrix3fv(at.turn, false, matrix());
      gl.uniform2f(at.centre, view.x, view.y);
      gl.uniform2f(at.scale, (2 * unit()) / width, (2 * unit()) / height);
      gl.uniform2f(at.window, width, height);
      gl.uniform1f(at.size, pictureSize());
      gl.uniform1f(at.dot, dotSize());
      gl.uniform1f(at.deep, is3D() ? 1 : 0);
      gl.uniform3f(at.ground, ...ground);
      const step = side ? perSheet : count;
      for (let start = 0; start < count; start += step) {
        const texture = textures[start / step];
        gl.uniform1f(at.pictures, view.pictures && texture ? 1 : 0);
        if (texture) {
          gl.bindTexture(gl.TEXTURE_2D, texture[0]);
          gl.uniform1f(at.cut, side / texture[1]);
        }
        for (const [name, length] of Object.entries(attributes)) {
          const place = gl.getAttribLocation(program, name);
          gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
          gl.enableVertexAttribArray(place);
          const each = name === "corner" ? 0 : 1;
          gl.vertexAttribPointer(place, length, gl.FLOAT, false, 0, each * 4 * length * start);
          gl.vertexAttribDivisor(place, each);
        }
        gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, Math.min(step, count - start));
      }
    },
  };
}

// ---- drawing pixel by pixel, where there is no fast WebGL ---------------------------------------
const FEWEST = 100;  // pictures in a frame while it moves; the others are dots
const MOVING = 20000;  // pictures and dots in such a frame
const QUICK = 20, SLOW = 32;  // milliseconds of a frame, between which their number stays
const LEVELS = 3;  // of thumbnails, each half as large as the one before
const FINE = 300;  // pictures that are drawn smoothly when nothing moves
function withCanvas() {
  const pen = plane.getContext("2d", { alpha: false });
  // which are drawn as pictures first: any, but the same in every frame
  const order = Int32Array.from({ length: count }, (_, row) => row);
  for (let row = count - 1, state = 1; row > 0; row--) {
    state = (state * 48271) % 2147483647;
    const other = state % (row + 1);
    [order[row], order[other]] = [order[other], order[row]];
  }
  const inks = new Uint32Array(count), faint = new Uint8Array(count);
  const levels = [];  // of each sheet of thumbnails: width and pixels
  let board = null, pixels = null, most = 1500, last = 0;
  const ink = (hex) => {
    const [red, green, blue] = rgb(hex).map((part) => Math.round(255 * part));
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  };
  function block(left, top, size, colour) {
    const right = Math.min(left + size, plane.width), bottom = Math.min(top + size, plane.height);
    const start = Math.max(left, 0);
    for (let y = Math.max(top, 0); y < bottom; y++) {
      const line = y * plane.width;
      for (let x = start; x < right; x++) pixels[line + x] = colour;
    }
  }
  function tile(row, left, top, size) {
    block(left, top, size, inks[row]);
    const sheet = levels[Math.floor(row / perSheet)];
    const edge = Math.max(1, Math.round(0.07 * size)), inner = size - 2 * edge;
    if (!sheet || inner < 1) return;
    let level = 0;
    while (level < LEVELS - 1 && side >> (level + 1) >= inner) level++;
    const own = side >> level, step = own / inner, [wide, source] = sheet[level];
    const corner = Math.floor((row % perSheet) / across) * own * wide
      + ((row % perSheet) % across) * own;
    const x0 = Math.max(left + edge, 0), x1 = Math.min(left + edge + inner, plane.width);
    const y0 = Math.max(top + edge, 0), y1 = Math.min(top + edge + inner, plane.height);
    for (let y = y0; y < y1; y++) {
      const from = corner + Math.floor((y - top - edge) * step) * wide;
      const to = y * plane.width;
      let at = (x0 - left - edge) * step;
      for (let x = x0; x < x1; x++, at += step) pixels[to + x] = source[from + (at | 0)];
    }
  }
  return {
    kind: "canvas",
    colours() {
      const parts = new Map();
      for (let row = 0; row < count; row++) {
        const colour = colourOf(row);
        if (!parts.has(colour)) parts.set(colour, ink(colour));
        inks[row] = parts.get(colour);
        faint[row] = isShown(row) ? 0 : 1;
      }
    },
    sheet(number, image) {
      levels[number] = Array.from({ length: LEVELS }, (_, level) => {
        const copy = document.createElement("canvas"), brush = copy.getContext("2d");
        copy.width = Math.max(image.naturalWidth >> level, 1);
        copy.height = Math.max(image.naturalHeight >> level, 1);
        brush.drawImage(image, 0, 0, copy.width, copy.height);
        const { data: bytes } = brush.getImageData(0, 0, copy.width, copy.height);
        return [copy.width, new Uint32Array(bytes.buffer)];
      });
    },
    draw(still) {
      const start = performance.now(), took = start - last;
      last = start;
      if (!still && took < 500) {  // while it moves, so many as the device draws in time
        const factor = took > SLOW ? 0.5 : took < QUICK ? 1.2 : 1;
        most = Math.round(Math.min(Math.max(factor * most, FEWEST), Math.max(count, FEWEST)));
      }
      if (board?.width !== plane.width || board?.height !== plane.height) {
        board = new ImageData(plane.width, plane.height);
        pixels = new Uint32Array(board.data.buffer);
      }
      pixels.fill(ink(dark.matches ? "#151412" : "#faf9f6"));
      const pale = ink(dark.matches ? "#3d3a35" : "#dcd8cf");
      const place = { m: matrix(), unit: unit() }, size = pictureSize();
      const wide = Math.round(dotSize() * ratio);
      const limit = still ? count : Math.min(count, MOVING);
      const budget = view.pictures ? (still ? count : most) : 0, tiles = [];
      for (const isFaint of only.size ? [1, 0] : [0]) {
        for (let number = 0; number < limit; number++) {
          const row = order[number];
          if (faint[row] !== isFaint) continue;
          project(row, place);
          const { x, y } = place;
          if (x < -size || y < -size || x > width + size || y > height + size) continue;
          if (!isFaint && tiles.length < budget) tiles.push([row, x, y, place.z]);
          else {
            const left = Math.round(x * ratio - wide / 2), top = Math.round(y * ratio - wide / 2);
            block(left, top, wide, isFaint ? pale : inks[row]);
          }
        }
      }
      if (is3D()) tiles.sort((a, b) => a[3] - b[3]);
      const fine = still && tiles.length <= FINE, large = Math.round(size * ratio);
      if (!fine) {
        for (const [row, x, y] of tiles) {
          tile(row, Math.round(x * ratio - large / 2), Math.round(y * ratio - large / 2), large);
        }
      }
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.putImageData(board, 0, 0);
      if (!fine) return;
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      for (const [row, x, y] of tiles) {
        pen.fillStyle = colourOf(row);
        pen.fillRect(x - size / 2, y - size / 2, size, size);
        thumbnail(pen, row, x - 0.43 * size, y - 0.43 * size, 0.86 * size);
      }
    },
  };
}
const dotSize = () => Math.min(Math.max(5, 3.5 * view.zoom ** 0.5), 12);

function thumbnail(pen, row, x, y, size) {
  const image = images[Math.floor(row / perSheet)], inner = row % perSheet;
  if (!image) return;
  const left = (inner % across) * side, top = Math.floor(inner / across) * side;
  pen.drawImage(image, left, top, side, side, x, y, size, size);
}

// a WebGL of software is slower than a canvas; #canvas or #webgl behind the address decides
function isFast() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const about = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = gl?.getParameter(about ? about.UNMASKED_RENDERER_WEBGL : gl.RENDERER) ?? "software";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|software|basic render/i.test(name);
}
const asked = location.hash.slice(1);
const painter = ((asked === "webgl" || (asked !== "canvas" && isFast())) && withWebGL())
  || withCanvas();
document.documentElement.dataset.painter = painter.kind;
plane.addEventListener("webglcontextlost", () => location.reload());

const REST = 150;  // milliseconds without a change, after which all is drawn
let moved = 0, complete = true;
function frame(time) {
  const still = time - moved > REST;
  if (dirty || (still && !complete)) {
    complete = !dirty && still;
    if (dirty) moved = time;
    dirty = false;
    painter.draw(complete);
    mark();
    if (!performance.getEntriesByName("first picture").length) performance.mark("first picture");
  }
  requestAnimationFrame(frame);
}
function mark() {
  const ring = byId("ring");
  ring.hidden = chosen < 0;
  if (chosen < 0) return;
  const place = { m: matrix(), unit: unit() };
  project(chosen, place);
  const size = (view.pictures ? pictureSize() : dotSize()) + 8;
  ring.style.width = ring.style.height = `${size}px`;
  ring.style.transform = `translate(${place.x - size / 2}px, ${place.y - size / 2}px)`;
}
const redraw = () => { dirty = true; };
function fit() {
  const box = stage.getBoundingClientRect();
  ratio = Math.min(devicePixelRatio || 1, 2);
  [width, height] = [Math.max(box.width, 1), Math.max(box.height, 1)];
  [plane.width, plane.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  redraw();
}

// ---- moving -------------------------------------------------------------------------------------
function zoom(factor, x = width / 2, y = height / 2) {
  const before = unit();
  view.zoom = Math.min(Math.max(view.zoom * factor, 0.5), DEEPEST);
  const after = unit();
  view.x += (x - width / 2) * (1 / before - 1 / after);
  view.y -= (y - height / 2) * (1 / before - 1 / after);
  redraw();
}
function move(x, y) {
  view.x -= x / unit();
  view.y += y / unit();
  redraw();
}
function turn(x, y) {
  view.turn[0] += x / 200;
  view.turn[1] = Math.min(Math.max(view.turn[1] + y / 200, -1.57), 1.57);
  redraw();
}
function whole() {
  Object.assign(view, { zoom: 1, x: 0, y: 0 });
  redraw();
}
function nearestTo(x, y) {
  const place = { m: matrix(), unit: unit() };
  const size = view.pictures ? pictureSize() : dotSize();
  let best = -1, least = (size / 2 + SAME_PLACE) ** 2;
  for (let row = 0; row < count; row++) {
    if (!isShown(row)) continue;
    project(row, place);
    const distance = (place.x - x) ** 2 + (place.y - y) ** 2;
    if (distance < least) [best, least] = [row, distance];
  }
  return best;
}

const held = new Map();
let travelled = 0, spread = 0;
const at = (event) => {
  const box = plane.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};
plane.addEventListener("pointerdown", (event) => {
  plane.setPointerCapture(event.pointerId);
  held.set(event.pointerId, at(event));
  if (held.size === 1) travelled = 0;
  spread = 0;
  hover(-1);
});
plane.addEventListener("pointermove", (event) => {
  const [x, y] = at(event), before = held.get(event.pointerId);
  if (!before) {
    if (event.pointerType === "mouse") hover(nearestTo(x, y), x, y);
    return;
  }
  held.set(event.pointerId, [x, y]);
  const [dx, dy] = [x - before[0], y - before[1]];
  travelled += Math.abs(dx) + Math.abs(dy);
  if (held.size > 1) {
    const [a, b] = [...held.values()];
    const wide = Math.hypot(a[0] - b[0], a[1] - b[1]);
    if (spread) zoom(wide / spread, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    spread = wide;
    move(dx / 2, dy / 2);
  } else if (is3D() && !event.shiftKey) turn(dx, dy);
  else move(dx, dy);
});
for (const name of ["pointerup", "pointercancel"]) {
  plane.addEventListener(name, (event) => {
    const alone = held.size === 1 && held.delete(event.pointerId);
    held.delete(event.pointerId);
    spread = 0;
    if (alone && name === "pointerup" && travelled < 8) choose(nearestTo(...at(event)));
  });
}
plane.addEventListener("pointerleave", () => hover(-1));
plane.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 30 : 1;
  zoom(Math.exp(-0.002 * lines * event.deltaY), ...at(event));
}, { passive: false });
plane.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const go = is3D() && !event.shiftKey ? turn : (x, y) => move(-x, -y);
  const actions = {
    "+": () => zoom(FASTEST), "=": () => zoom(FASTEST), "-": () => zoom(1 / FASTEST), 0: whole,
    ArrowLeft: () => go(-40, 0), ArrowRight: () => go(40, 0),
    ArrowUp: () => go(0, -40), ArrowDown: () => go(0, 40),
    p: toggle, n: () => step(1), b: () => step(-1), Escape: () => choose(-1),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});
function step(by) {
  for (let tried = 0, row = chosen; tried < count; tried++) {
    row = (row + by + count) % count;
    if (isShown(row)) return choose(row, true);
  }
}

// ---- the picture pointed at, and the one that is chosen -----------------------------------------
function hover(row, x = 0, y = 0) {
  if (row < 0) {
    tip.hidden = true;
    hovered = -1;
    return;
  }
  tip.hidden = false;
  if (row !== hovered) {
    hovered = row;
    show(tip.querySelector("canvas"), row);
    tip.querySelector("span").textContent = [labelOf(row), data.names[row]].filter(Boolean)
      .join(" · ");
  }
  const left = x + 168 > width ? x - 160 : x + 16, top = Math.min(y + 16, height - 210);
  tip.style.transform = `translate(${left}px, ${Math.max(top, 4)}px)`;
}
function show(canvas, row) {
  canvas.hidden = !side;
  if (!side) return;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.clearRect(0, 0, canvas.width, canvas.height);
  thumbnail(pen, row, 0, 0, canvas.width);
}
function choose(row, centred = false) {
  chosen = row;
  byId("chosen").hidden = row < 0;
  redraw();
  if (row < 0) return;
  const place = { m: matrix(), unit: unit() };
  if (centred) {
    project(row, place);
    move(width / 2 - place.x, height / 2 - place.y);
  }
  byId("chosen").querySelector("h2").textContent = labelOf(row) || data.names[row];
  const lines = [data.names[row], labelOf(row, 1)];
  byId("chosen").querySelector("p").textContent = lines.filter(Boolean).join(" · ");
  show(byId("chosen").querySelector("canvas"), row);
  byId("near").replaceChildren(...data.neighbours.flatMap((each) => neighbours(each, row)));
}
function neighbours({ name, k, rows }, row) {
  const own = rows.slice(k * row, k * row + k);
  if (!own.length) return [];
  const heading = document.createElement("h3"), list = document.createElement("ol");
  heading.textContent = name;
  list.append(...own.map((other) => {
    const item = document.createElement("li"), button = document.createElement("button");
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 80;
    show(canvas, other);
    button.type = "button";
    button.title = [labelOf(other), data.names[other]].filter(Boolean).join(" · ");
    button.ariaLabel = button.title;
    button.className = labelOf(row) && labelOf(row) === labelOf(other) ? "same" : "";
    button.append(side ? canvas : button.title);
    button.addEventListener("click", () => choose(other, true));
    item.append(button);
    return item;
  }));
  return [heading, list];
}

// ---- buttons and the legend ---------------------------------------------------------------------
function buttons(holder, names, act) {
  holder.replaceChildren(...names.map((name, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => { act(number); press(holder, number); });
    return button;
  }));
  press(holder, 0);
}
function press(holder, number) {
  [...holder.children].forEach((button, place) => {
    button.ariaPressed = String(place === number);
  });
}
function toggle() {
  view.pictures = !view.pictures && side > 0;
  byId("pictures").ariaPressed = String(view.pictures);
  redraw();
}
function recolour() {
  painter.colours();
  redraw();
}
function legend() {
  const each = data.groups[group];
  only = new Set();
  byId("find").value = "";
  const counts = new Array(each.names.length).fill(0);
  for (const of of each.of) if (of >= 0) counts[of]++;
  byId("legend").replaceChildren(...each.names.map((name, number) => {
    const item = document.createElement("li"), button = document.createElement("button");
    const parts = ["i", "span", "span"].map((tag) => document.createElement(tag));
    parts[0].style.setProperty("--c", each.colours[number]);
    parts[1].textContent = name;
    parts[2].textContent = counts[number].toLocaleString("en");
    button.type = "button";
    button.ariaPressed = "false";
    button.append(...parts);
    button.addEventListener("click", () => {
      if (!only.delete(number)) only.add(number);
      button.ariaPressed = String(only.has(number));
      recolour();
    });
    item.append(button);
    return item;
  }));
  recolour();
}
buttons(byId("maps"), data.maps.map(({ name }) => name), (number) => {
  view.map = number;
  whole();
});
byId("nearer").addEventListener("click", () => zoom(1.5));
byId("farther").addEventListener("click", () => zoom(1 / 1.5));
byId("whole").addEventListener("click", whole);
byId("pictures").addEventListener("click", toggle);
byId("pictures").hidden = !side;
byId("groups").hidden = !data.groups.length;
if (data.groups.length) {
  const titles = data.groups.map(({ name }) => name[0].toUpperCase() + name.slice(1));
  group = titles.length - 1;  // where pictures come from, where there are several answers
  if (titles.length > 1) {
    buttons(byId("by"), titles, (number) => { group = number; legend(); });
    press(byId("by"), group);
  } else byId("by").textContent = titles[0];
  legend();
} else painter.colours();
byId("all").addEventListener("click", legend);
byId("find").addEventListener("input", ({ target }) => {
  const word = target.value.trim().toLowerCase();
  for (const item of byId("legend").children) {
    item.hidden = !item.children[0].children[1].textContent.toLowerCase().includes(word);
  }
});
dark.addEventListener("change", redraw);
new ResizeObserver(fit).observe(stage);
fit();
requestAnimationFrame(frame);

// ---- the thumbnails, a sheet after the other, so that the page stands before them ---------------
(async () => {
  await new Promise((done) => { requestAnimationFrame(() => setTimeout(done)); });
  for (const [number, node] of [...document.querySelectorAll(".sheet")].entries()) {
    const image = new Image();
    image.src = `data:image/webp;base64,${node.textContent}`;
    try {
      await image.decode();
    } catch {
      continue;  // its pictures stay dots
    }
    images[number] = image;
    node.remove();
    painter.sheet(number, image);
    redraw();
    await new Promise((done) => { requestAnimationFrame(done); });
  }
  document.documentElement.dataset.ready = "true";
})();

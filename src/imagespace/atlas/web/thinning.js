// Which pictures stand for their surroundings at which zoom: a nested choice in which the pictures
// of level k keep a distance d_k = d_0 2^(-k/2) (the larger of the two axes), so that thumbnails
// of that size never overlap and zooming in only ever adds pictures.

const MAX_LEVEL = 26;

class CellTable { // map cell -> the one chosen point in it
  constructor(num) {
    this.size = 1 << Math.ceil(Math.log2(Math.max(16, num * 2)));
    this.keysX = new Int32Array(this.size);
    this.keysY = new Int32Array(this.size);
    this.values = new Int32Array(this.size).fill(-1);
  }

  slot(cx, cy) {
    const mask = this.size - 1;
    let at = (Math.imul(cx, 73856093) ^ Math.imul(cy, 19349663)) & mask;
    while (this.values[at] >= 0 && (this.keysX[at] !== cx || this.keysY[at] !== cy)) {
      at = (at + 1) & mask;
    }
    return at;
  }

  get(cx, cy) { return this.values[this.slot(cx, cy)]; }

  put(cx, cy, value) {
    const at = this.slot(cx, cy);
    this.keysX[at] = cx;
    this.keysY[at] = cy;
    this.values[at] = value;
  }
}

function thinned(points, rows, extent) {
  const distanceAt = (level) => (extent / 6) * 2 ** (-level / 2);
  const levels = new Uint8Array(points.num).fill(255);
  // An order that looks random and is the same on every visit.
  let waiting = Int32Array.from(rows).sort(
    (a, b) => (Math.imul(a + 1, 2654435761) >>> 0) - (Math.imul(b + 1, 2654435761) >>> 0),
  );
  const num = waiting.length;
  const chosen = [];
  let deepest = 0;
  for (let level = 0; level <= MAX_LEVEL && waiting.length; level++) {
    const distance = distanceAt(level);
    const table = new CellTable(num);
    const cell = (i) => [Math.floor(points.x[i] / distance), Math.floor(points.y[i] / distance)];
    for (const i of chosen) table.put(...cell(i), i);
    waiting = waiting.filter((i) => {
      const cx = Math.floor(points.x[i] / distance);
      const cy = Math.floor(points.y[i] / distance);
      for (let oy = -1; oy <= 1; oy++) {
        for (let ox = -1; ox <= 1; ox++) {
          const j = table.get(cx + ox, cy + oy);
          if (j >= 0 && Math.abs(points.x[i] - points.x[j]) < distance
            && Math.abs(points.y[i] - points.y[j]) < distance) return true;
        }
      }
      table.put(cx, cy, i);
      levels[i] = level;
      chosen.push(i);
      return false;
    });
    deepest = level;
  }
  // What is left lies on top of another picture at every zoom.
  for (const i of waiting) levels[i] = MAX_LEVEL;
  return { levels, deepest, distanceAt };
}

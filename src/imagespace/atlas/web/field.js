// The field as arrows: asked of the model on a grid for each time, read between its points here.

const ARROW_PX = 34; // about this far apart on screen, CSS pixels, at any zoom
const ARROW_SHARE = 0.66; // of that, the longest

class Field {
  constructor(shares, { fieldExtent, fieldShape, greatest }) {
    Object.assign(this, { shares, greatest, extent: fieldExtent, shape: fieldShape });
  }

  // The vector at a place, between the four points of the grid around it; null outside of it.
  at(x, y) {
    const [xMin, xMax, yMin, yMax] = this.extent;
    const [lines, columns] = this.shape;
    const column = ((x - xMin) / (xMax - xMin)) * (columns - 1);
    const line = ((y - yMin) / (yMax - yMin)) * (lines - 1);
    if (!(column >= 0 && line >= 0 && column <= columns - 1 && line <= lines - 1)) return null;
    const left = Math.min(columns - 2, Math.floor(column));
    const low = Math.min(lines - 2, Math.floor(line));
    const [across, up] = [column - left, line - low];
    const read = (l, c, k) => this.shares[2 * (l * columns + c) + k];
    const mean = (k) => (this.greatest / 32767) * (
      (1 - up) * ((1 - across) * read(low, left, k) + across * read(low, left + 1, k))
      + up * ((1 - across) * read(low + 1, left, k) + across * read(low + 1, left + 1, k))
    );
    return [mean(0), mean(1)];
  }
}

// Arrows of the blend of two fields, `share` of the second, on a grid that stays with the map.
function drawArrows(context, camera, first, second, share, long, isLine) {
  const { dpr, scale, width, height } = camera;
  const step = 2 ** Math.round(Math.log2((ARROW_PX * dpr) / scale));
  const reach = (ARROW_SHARE * step * scale) / long;
  const path = new Path2D();
  for (let j = Math.ceil(camera.toMapY(height) / step); j * step <= camera.toMapY(0); j++) {
    for (let i = Math.ceil(camera.toMapX(0) / step); i * step <= camera.toMapX(width); i++) {
      const [x, y] = [i * step, j * step];
      const [a, b] = [first.at(x, y), second.at(x, y)];
      if (!a || !b) continue;
      const [vx, vy] = [0, 1].map((k) => a[k] * (1 - share) + b[k] * share);
      const length = Math.hypot(vx, vy);
      if (!length) continue;
      const drawn = Math.min(length, long) * reach;
      arrow(
        path, camera.toScreenX(x), camera.toScreenY(y), vx / length, -vy / length, drawn, dpr,
      );
    }
  }
  context.lineWidth = 1.2 * dpr;
  context.lineCap = 'butt';
  context.strokeStyle = arrowInk(context, camera, first.extent, isLine);
  context.stroke(path);
}

// In the plane the arrows fade out towards the edge of what was asked, which is no edge of theirs.
function arrowInk(context, camera, [xMin, xMax, yMin, yMax], isLine) {
  const ink = (alpha) => `rgb(206 220 238 / ${alpha})`;
  if (isLine) return ink(0.34);
  const x = camera.toScreenX((xMin + xMax) / 2);
  const y = camera.toScreenY((yMin + yMax) / 2);
  const radius = ((xMax - xMin) / 2) * camera.scale;
  const fading = context.createRadialGradient(x, y, 0.3 * radius, x, y, radius);
  fading.addColorStop(0, ink(0.4));
  fading.addColorStop(1, ink(0));
  return fading;
}

// Centred on its place, so that a row of arrows stays even however long they are.
function arrow(path, x, y, ux, uy, length, dpr) {
  const head = Math.min(0.38 * length, 5 * dpr);
  const [endX, endY] = [x + (ux * length) / 2, y + (uy * length) / 2];
  path.moveTo(x - (ux * length) / 2, y - (uy * length) / 2);
  path.lineTo(endX, endY);
  if (length < 3 * dpr) return;
  path.moveTo(endX - head * (ux - 0.55 * uy), endY - head * (uy + 0.55 * ux));
  path.lineTo(endX, endY);
  path.lineTo(endX - head * (ux + 0.55 * uy), endY - head * (uy - 0.55 * ux));
}

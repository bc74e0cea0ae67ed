// The still part of the map: density, a dot for each picture, thumbnails where there is room.

const THUMB_PX = 30; // the least side of a thumbnail, CSS pixels
const LARGEST_THUMB_PX = 112;
const FILTERED_FROM = 1; // zooms, as multiples of the whole map, from which thumbnails show
const ALL_FROM = 2.6;
const DIM = 0.16; // what is left of a dot that is not looked for

class Scene {
  constructor(data, styles, density, extent) {
    Object.assign(this, { data, styles, density, extent });
    this.isLit = null; // Uint8Array once a search or a cluster leaves only some pictures lit
    this.isQuiet = false; // walks are shown: the dots step back
    this.shown = []; // thumbnails of the last painting: {row, x, y, half}, map units
    this.homeScale = 1;
    this.everything = thinned(data.points, data.points.x.keys(), extent);
    this.thinning = this.everything;
  }

  light(isLit) {
    this.isLit = isLit;
    const rows = isLit ? [...isLit.keys()].filter((row) => isLit[row]) : null;
    this.thinning = rows ? thinned(this.data.points, rows, this.extent) : this.everything;
  }

  radiusPx(camera) {
    // Fewer pictures, or a larger screen, leave room for larger dots.
    const sidePx = (this.extent * this.homeScale) / camera.dpr;
    const room = (0.19 * sidePx) / Math.sqrt(this.data.points.num);
    const base = Math.max(0.8, Math.min(3.4, room));
    const grown = base * (camera.scale / this.homeScale) ** 0.4;
    return Math.min(Math.max(base * 0.8, grown), 5) * camera.dpr;
  }

  // The greatest scale worth a visit: every picture has its thumbnail, twice as large as needed.
  maxScale(dpr) {
    return (3 * THUMB_PX * dpr) / this.everything.distanceAt(this.everything.deepest);
  }

  // The scale from which on a picture surely has its thumbnail.
  scaleShowing(row, dpr) {
    const distance = this.thinning.distanceAt(this.thinning.levels[row]);
    return Math.max((1.2 * THUMB_PX * dpr) / distance, 1.2 * ALL_FROM * this.homeScale);
  }

  paint(context, camera) {
    const { width, height } = camera;
    const zoom = camera.scale / this.homeScale;
    context.fillStyle = css(GROUND);
    context.fillRect(0, 0, width, height);
    this.density.draw(context, camera, 0.2 * Math.max(0, Math.min(1, 2 - zoom / 8)));
    const image = context.getImageData(0, 0, width, height);
    this.stampAll(image, camera);
    context.putImageData(image, 0, 0);
    this.drawThumbnails(context, camera, zoom);
  }

  stampAll(image, camera) {
    const radius = this.radiusPx(camera);
    const strength = this.isQuiet ? 0.42 : 0.86;
    if (!this.isLit) {
      this.stamp(image, camera, radius, strength, null, 0);
    } else {
      this.stamp(image, camera, radius, DIM, this.isLit, 0);
      this.stamp(image, camera, radius * 1.25 + 0.6 * camera.dpr, 1, this.isLit, 1);
    }
  }

  stamp(image, camera, radius, strength, isLit, wanted) {
    const { points, clusterOf } = this.data;
    const { width, height, data: pixels } = image;
    const stamps = {};
    for (const shape of SHAPES) stamps[shape] = stampOf(shape, radius);
    const kinds = this.styles.map(({ colour, shape }) => {
      const { dx, dy, cover, reach } = stamps[shape];
      return {
        colour,
        reach,
        offsets: Int32Array.from(dx, (x, k) => 4 * (dy[k] * width + x)),
        cover: Int32Array.from(cover, (c) => Math.round(c * strength)),
      };
    });
    const left = camera.toScreenX(0);
    const top = camera.toScreenY(0);
    for (let i = 0; i < points.num; i++) {
      if (isLit && isLit[i] !== wanted) continue;
      const x = Math.round(left + points.x[i] * camera.scale - 0.5);
      const y = Math.round(top - points.y[i] * camera.scale - 0.5);
      const cluster = clusterOf[i];
      const { colour, reach, offsets, cover } = kinds[cluster < 0 ? kinds.length - 1 : cluster];
      if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue;
      const middle = 4 * (y * width + x);
      const [red, green, blue] = colour;
      for (let k = 0; k < offsets.length; k++) {
        const at = middle + offsets[k];
        const share = cover[k];
        pixels[at] += ((red - pixels[at]) * share) >> 8;
        pixels[at + 1] += ((green - pixels[at + 1]) * share) >> 8;
        pixels[at + 2] += ((blue - pixels[at + 2]) * share) >> 8;
      }
    }
  }

  drawThumbnails(context, camera, zoom) {
    const { points, clusterOf, sprites, columns, spritePx } = this.data;
    const { levels, deepest, distanceAt } = this.thinning;
    this.shown = [];
    if (zoom < (this.isLit ? FILTERED_FROM : ALL_FROM) * 0.999) return;
    const least = THUMB_PX * camera.dpr;
    const room = distanceAt(0) * camera.scale;
    const level = Math.min(deepest, Math.floor(2 * Math.log2(room / least)));
    if (level < 0) return;
    const size = Math.round(
      Math.min(distanceAt(level) * camera.scale * 0.92, LARGEST_THUMB_PX * camera.dpr),
    );
    const border = Math.max(1, Math.round(size / 22));
    context.globalAlpha = this.isQuiet ? 0.35 : 1;
    // Pictures that lie on top of each other have the last level: they show once all others do.
    const reachable = level === deepest ? MAX_LEVEL : level;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = 'medium';
    for (let i = 0; i < points.num; i++) {
      if (levels[i] > reachable) continue;
      const left = Math.round(camera.toScreenX(points.x[i]) - size / 2);
      const top = Math.round(camera.toScreenY(points.y[i]) - size / 2);
      if (left < -size || top < -size || left > camera.width || top > camera.height) continue;
      const cluster = clusterOf[i];
      const style = this.styles[cluster < 0 ? this.styles.length - 1 : cluster];
      context.fillStyle = css(style.colour);
      context.fillRect(left - border, top - border, size + 2 * border, size + 2 * border);
      drawSprite(context, sprites, columns, spritePx, i, left, top, size);
      const half = size / 2 / camera.scale;
      this.shown.push({ row: i, x: points.x[i], y: points.y[i], half });
    }
    context.globalAlpha = 1;
  }

  // The picture under the pointer: a thumbnail that holds it, else the nearest dot within reach.
  pick(camera, screenX, screenY, reachPx) {
    const { points } = this.data;
    const x = camera.toMapX(screenX);
    const y = camera.toMapY(screenY);
    for (let k = this.shown.length - 1; k >= 0; k--) {
      const thumb = this.shown[k];
      if (Math.abs(thumb.x - x) < thumb.half && Math.abs(thumb.y - y) < thumb.half) {
        return thumb.row;
      }
    }
    let best = -1;
    let least = (reachPx / camera.scale) ** 2;
    for (let i = 0; i < points.num; i++) {
      if (this.isLit && !this.isLit[i]) continue;
      const square = (points.x[i] - x) ** 2 + (points.y[i] - y) ** 2;
      if (square < least) {
        least = square;
        best = i;
      }
    }
    return best;
  }
}

// The clusters' names: the larger cluster's name wins where two would overlap, whatever part of
// the map is on the screen, so that panning never makes a name come or go.

const LABEL_FONT_PX = 13;
const LONGEST_LABEL = 28;

function median(values) {
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1];
}

class Labels {
  constructor(data, bySize, sizes, styles) {
    this.places = [];
    this.dpr = 0;
    this.scale = 0;
    const members = data.clusterNames.map(() => []);
    data.clusterOf.forEach((cluster, row) => { if (cluster >= 0) members[cluster].push(row); });
    for (const cluster of bySize) {
      if (!sizes[cluster]) continue;
      const rows = members[cluster];
      const name = data.clusterNames[cluster];
      this.places.push({
        cluster,
        x: median(rows.map((row) => data.points.x[row])),
        y: median(rows.map((row) => data.points.y[row])),
        text: name.length > LONGEST_LABEL ? `${name.slice(0, LONGEST_LABEL - 1)}…` : name,
        colour: styles[cluster].colour,
        alpha: 0,
        isShown: false,
      });
    }
  }

  // Text with a halo is slow to draw and never changes: once a name is enough.
  prepare(dpr) {
    this.dpr = dpr;
    for (const place of this.places) {
      const canvas = document.createElement('canvas');
      const context = canvas.getContext('2d');
      const font = `600 ${LABEL_FONT_PX * dpr}px system-ui, "Noto Sans", sans-serif`;
      context.font = font;
      canvas.width = Math.ceil(context.measureText(place.text).width + 12 * dpr);
      canvas.height = Math.ceil(LABEL_FONT_PX * 1.7 * dpr);
      context.font = font;
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      context.lineJoin = 'round';
      context.lineWidth = 4.5 * dpr;
      context.strokeStyle = css(GROUND, 0.92);
      context.strokeText(place.text, canvas.width / 2, canvas.height / 2);
      context.fillStyle = css(place.colour.map((c) => Math.round(c + (255 - c) * 0.55)));
      context.fillText(place.text, canvas.width / 2, canvas.height / 2);
      place.canvas = canvas;
    }
    this.scale = 0;
  }

  settle(scale) {
    if (scale === this.scale) return;
    this.scale = scale;
    const taken = [];
    for (const place of this.places) {
      const halfWidth = place.canvas.width / 2 + 3 * this.dpr;
      const halfHeight = place.canvas.height / 2;
      const x = place.x * scale;
      const y = place.y * scale;
      place.isShown = !taken.some((other) => (
        Math.abs(other.x - x) < other.halfWidth + halfWidth
        && Math.abs(other.y - y) < other.halfHeight + halfHeight
      ));
      if (place.isShown) taken.push({ x, y, halfWidth, halfHeight });
    }
  }

  // True while a name still fades in or out.
  draw(context, camera, strength, onlyCluster) {
    if (camera.dpr !== this.dpr) this.prepare(camera.dpr);
    this.settle(camera.scale);
    let isFading = false;
    for (const place of this.places) {
      const isWanted = place.isShown && (onlyCluster < 0 || onlyCluster === place.cluster);
      const target = isWanted ? strength : 0;
      place.alpha += (target - place.alpha) * 0.25;
      if (Math.abs(target - place.alpha) < 0.02) place.alpha = target;
      else isFading = true;
      if (!place.alpha) continue;
      const left = camera.toScreenX(place.x) - place.canvas.width / 2;
      const top = camera.toScreenY(place.y) - place.canvas.height / 2;
      if (left > camera.width || top > camera.height) continue;
      context.globalAlpha = place.alpha;
      context.drawImage(place.canvas, Math.round(left), Math.round(top));
    }
    context.globalAlpha = 1;
    return isFading;
  }
}

// The clusters' names: the larger cluster's name wins where two would overlap. Each has a scale from
// which on it is shown, whatever part of the map is on the screen, so that panning never makes a
// name come or go, and zooming in only ever adds names.

const LONGEST_LABEL = 28;
const FADE = 0.2; // a name is whole once the scale is so much past where it first fits

function median(values) {
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1];
}

class Labels {
  constructor(data, bySize, sizes, styles) {
    this.places = [];
    this.drawnAt = '';
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
      });
    }
  }

  // Text with a halo is slow to draw and never changes: once a name is enough.
  prepare(dpr, fontPx) {
    for (const place of this.places) {
      const canvas = document.createElement('canvas');
      const context = canvas.getContext('2d');
      const font = `600 ${fontPx * dpr}px system-ui, "Noto Sans", sans-serif`;
      context.font = font;
      canvas.width = Math.ceil(context.measureText(place.text).width + 12 * dpr);
      canvas.height = Math.ceil(fontPx * 1.7 * dpr);
      context.font = font;
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      context.lineJoin = 'round';
      context.lineWidth = 5.5 * dpr;
      context.strokeStyle = css(GROUND, 0.92);
      context.strokeText(place.text, canvas.width / 2, canvas.height / 2);
      context.fillStyle = css(place.colour.map((c) => Math.round(c + (255 - c) * 0.55)));
      context.fillText(place.text, canvas.width / 2, canvas.height / 2);
      place.canvas = canvas;
    }
    this.places.forEach((place, rank) => {
      place.fromScale = 0;
      for (const other of this.places.slice(0, rank)) {
        // The scale at which the two names part, on the axis on which they part first.
        const gapX = (place.canvas.width + other.canvas.width) / 2 + 4 * dpr;
        const gapY = (place.canvas.height + other.canvas.height) / 2;
        const parts = Math.min(
          gapX / Math.abs(place.x - other.x), gapY / Math.abs(place.y - other.y),
        );
        if (other.fromScale < parts) place.fromScale = Math.max(place.fromScale, parts);
      }
    });
  }

  draw(context, camera, strength, onlyCluster) {
    const fontPx = window.innerWidth < NARROW_PX ? 12 : 14;
    if (this.drawnAt !== `${camera.dpr} ${fontPx}`) this.prepare(camera.dpr, fontPx);
    this.drawnAt = `${camera.dpr} ${fontPx}`;
    for (const place of this.places) {
      if (onlyCluster !== null && onlyCluster !== place.cluster) continue;
      const since = place.fromScale ? (camera.scale / place.fromScale - 1) / FADE : 1;
      const alpha = strength * Math.max(0, Math.min(1, since));
      if (!alpha) continue;
      const left = camera.toScreenX(place.x) - place.canvas.width / 2;
      const top = camera.toScreenY(place.y) - place.canvas.height / 2;
      context.globalAlpha = alpha;
      context.drawImage(place.canvas, Math.round(left), Math.round(top));
    }
    context.globalAlpha = 1;
  }
}

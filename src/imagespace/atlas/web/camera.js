// Where we look: the map point in the middle, and how many device pixels a map unit takes.

class Camera {
  x = 0;
  y = 0;
  scale = 1;
  width = 1; // device pixels, as all lengths on the canvas
  height = 1;
  dpr = 1; // device pixels per CSS pixel

  toScreenX(x) { return this.width / 2 + (x - this.x) * this.scale; }
  toScreenY(y) { return this.height / 2 - (y - this.y) * this.scale; }
  toMapX(screenX) { return this.x + (screenX - this.width / 2) / this.scale; }
  toMapY(screenY) { return this.y - (screenY - this.height / 2) / this.scale; }

  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
  }

  // The map point under (screenX, screenY) stays under it.
  zoomAt(screenX, screenY, factor) {
    const x = this.toMapX(screenX);
    const y = this.toMapY(screenY);
    this.scale *= factor;
    this.x = x - (screenX - this.width / 2) / this.scale;
    this.y = y + (screenY - this.height / 2) / this.scale;
  }

  // The view that shows a whole box inside the part of the screen that panels leave free.
  showing(box, inset) {
    const width = Math.max(50, this.width - inset.left - inset.right);
    const height = Math.max(50, this.height - inset.top - inset.bottom);
    const scale = Math.min(width / box.width, height / box.height);
    const middleX = inset.left + width / 2;
    const middleY = inset.top + height / 2;
    return {
      x: box.x + box.width / 2 - (middleX - this.width / 2) / scale,
      y: box.y + box.height / 2 + (middleY - this.height / 2) / scale,
      scale,
    };
  }
}

// A flight from one view to another: the zoom changes evenly, and the target draws near with it.
class Flight {
  constructor(camera, target, durationMs) {
    this.from = { x: camera.x, y: camera.y, scale: camera.scale };
    this.target = target;
    this.durationMs = durationMs;
    this.start = null;
  }

  // Moves the camera to where the flight is at `now`; true while it lasts.
  step(camera, now) {
    this.start ??= now;
    const share = this.durationMs > 0 ? Math.min(1, (now - this.start) / this.durationMs) : 1;
    const eased = share * share * (3 - 2 * share);
    const { from, target } = this;
    if (share === 1) {
      Object.assign(camera, target);
      return false;
    }
    const ratio = target.scale / from.scale;
    camera.scale = from.scale * ratio ** eased;
    // A straight line on screen while the scale changes: the share of the way that keeps it so.
    const way = Math.abs(ratio - 1) < 1e-6 ? eased : (1 - ratio ** -eased) / (1 - 1 / ratio);
    camera.x = from.x + (target.x - from.x) * way;
    camera.y = from.y + (target.y - from.y) * way;
    return true;
  }
}

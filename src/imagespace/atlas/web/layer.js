// A picture of the map that is larger than the screen. Panning only moves it, which costs little
// even where the processor draws the screen; it is drawn anew when its margin is used up. It lets
// nothing through: blending a second layer over it would cost as much again in every frame.

const MARGIN = 0.2; // of the screen, on each side
const STRETCH = 1.3; // beyond this a zoomed layer looks too soft, even while it moves

class Layer {
  constructor(canvas, paint, isRead) {
    this.paint = paint;
    this.canvas = canvas;
    this.context = canvas.getContext('2d', { alpha: false, willReadFrequently: isRead });
    this.camera = new Camera();
    this.isDirty = true;
  }

  // Paints the view and a margin around it.
  render({ x, y, scale, dpr, width, height }) {
    this.repaint({
      x, y, scale, dpr,
      width: Math.ceil(width * (1 + 2 * MARGIN)), height: Math.ceil(height * (1 + 2 * MARGIN)),
    });
  }

  // Paints exactly what `camera` sees.
  repaint({ x, y, scale, dpr, width, height }) {
    const { canvas } = this;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.width = `${width / dpr}px`;
      canvas.style.height = `${height / dpr}px`;
    }
    Object.assign(this.camera, { x, y, scale, width, height, dpr });
    this.paint(this.context, this.camera);
    this.isDirty = false;
  }

  placement(view) {
    const stretch = view.scale / this.camera.scale;
    return {
      left: view.toScreenX(this.camera.x) - (this.camera.width / 2) * stretch,
      top: view.toScreenY(this.camera.y) - (this.camera.height / 2) * stretch,
      width: this.camera.width * stretch,
      height: this.camera.height * stretch,
      stretch,
    };
  }

  isSharp(view) {
    return !this.isDirty && Math.abs(this.placement(view).stretch - 1) < 1e-9;
  }

  // Whether the layer, as it is, will do for a view that still moves.
  serves(view) {
    if (this.isDirty) return false;
    const { left, top, width, height, stretch } = this.placement(view);
    return left <= 0.5 && top <= 0.5 && left + width >= view.width - 0.5
      && top + height >= view.height - 0.5 && stretch < STRETCH && stretch > 1 / STRETCH;
  }

  // Lays the layer where the view wants it; whole device pixels keep a sharp layer sharp.
  place(view) {
    let { left, top } = this.placement(view);
    const { stretch } = this.placement(view);
    if (Math.abs(stretch - 1) < 1e-9) [left, top] = [Math.round(left), Math.round(top)];
    const { dpr } = view;
    const scale = Math.abs(stretch - 1) < 1e-9 ? '' : ` scale(${stretch})`;
    this.canvas.style.transform = `translate(${left / dpr}px, ${top / dpr}px)${scale}`;
  }
}

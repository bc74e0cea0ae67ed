// A picture of the map that is larger than the screen: panning moves it instead of drawing anew.

const MARGIN = 0.22; // of the screen, on each side
const STRETCH = 1.7; // beyond this a zoomed layer looks too soft, even while it moves

class Layer {
  constructor(paint, options) {
    this.paint = paint;
    this.canvas = document.createElement('canvas');
    this.context = this.canvas.getContext('2d', options);
    this.camera = new Camera();
    this.isDirty = true;
  }

  render(view) {
    const width = Math.ceil(view.width * (1 + 2 * MARGIN));
    const height = Math.ceil(view.height * (1 + 2 * MARGIN));
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const { x, y, scale, dpr } = view;
    Object.assign(this.camera, { x, y, scale, width, height, dpr });
    this.paint(this.context, this.camera);
    this.isDirty = false;
  }

  place(view) {
    const stretch = view.scale / this.camera.scale;
    return {
      left: view.toScreenX(this.camera.x) - (this.camera.width / 2) * stretch,
      top: view.toScreenY(this.camera.y) - (this.camera.height / 2) * stretch,
      width: this.camera.width * stretch,
      height: this.camera.height * stretch,
      stretch,
    };
  }

  isSharp(view) { return !this.isDirty && Math.abs(this.place(view).stretch - 1) < 1e-9; }

  // Whether the layer, as it is, will do for a view that still moves.
  serves(view) {
    if (this.isDirty) return false;
    const { left, top, width, height, stretch } = this.place(view);
    return left <= 0 && top <= 0 && left + width >= view.width && top + height >= view.height
      && stretch < STRETCH && stretch > 1 / STRETCH;
  }

  blit(context, view) {
    const { left, top, width, height, stretch } = this.place(view);
    if (Math.abs(stretch - 1) < 1e-9) {
      context.drawImage(this.canvas, Math.round(left), Math.round(top));
    } else {
      context.imageSmoothingQuality = 'low';
      context.drawImage(this.canvas, left, top, width, height);
    }
  }
}

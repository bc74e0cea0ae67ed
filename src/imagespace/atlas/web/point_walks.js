// Walks of points: where x_t stands at each time, along the flow and by the sampler with noise.

const EVERY = -1; // no walk is followed: all of them are shown
const WALK_SECONDS = 9; // from noise to data
const TRAIL_SHARES = { flow: 0.14, noise: 0.03 }; // of the walk, behind each point
const TRAIL_PARTS = 4; // each fainter than the one before it
const KINDS = ['flow', 'noise'];

class PointWalks {
  constructor(data) {
    Object.assign(this, { paths: { flow: data.flow, noise: data.noise }, times: data.times });
    Object.assign(this, { isLine: data.isLine, width: data.width });
    this.numSteps = data.times.length;
    this.num = data.flow.num / this.numSteps;
    this.kind = 'flow';
    this.chosen = EVERY;
    this.hovered = EVERY;
    this.place = 0; // a step, or between two of them
    this.isPlaying = false;
  }

  get step() { return Math.min(this.numSteps - 1, Math.floor(this.place)); }

  get share() { return this.place / (this.numSteps - 1); }

  get time() { return this.between(this.times, 0, 1); }

  // A value of every step, read at the place between two of them.
  between(values, start, stride) {
    const low = this.step;
    const high = Math.min(low + 1, this.numSteps - 1);
    const way = this.place - low;
    return values[start + low * stride] * (1 - way) + values[start + high * stride] * way;
  }

  head(walk, kind = this.kind) {
    const { x, y } = this.paths[kind];
    const start = walk * this.numSteps;
    return [this.between(x, start, 1), this.between(y, start, 1)];
  }

  end(walk, kind) {
    const k = walk * this.numSteps + this.numSteps - 1;
    return [this.paths[kind].x[k], this.paths[kind].y[k]];
  }

  seek(place) { this.place = Math.max(0, Math.min(this.numSteps - 1, place)); }

  toggle() {
    this.isPlaying = !this.isPlaying;
    if (this.isPlaying && this.place >= this.numSteps - 1) this.seek(0);
  }

  advance(elapsedMs) {
    if (!this.isPlaying) return;
    this.seek(this.place + ((elapsedMs / 1000) * (this.numSteps - 1)) / WALK_SECONDS);
    if (this.place >= this.numSteps - 1) this.isPlaying = false;
  }

  pick(camera, screenX, screenY, reachPx) {
    let [best, least] = [EVERY, reachPx ** 2];
    for (let walk = 0; walk < this.num; walk++) {
      const [x, y] = this.head(walk);
      const square = (camera.toScreenX(x) - screenX) ** 2 + (camera.toScreenY(y) - screenY) ** 2;
      if (square < least) [best, least] = [walk, square];
    }
    return best;
  }

  draw(context, camera) {
    context.lineCap = 'butt'; // of hundreds of strokes round ends would cost most
    context.lineJoin = 'bevel';
    const isFollowed = this.chosen !== EVERY;
    this.drawTrails(context, camera, isFollowed ? 0.25 : 1);
    this.drawHeads(context, camera, isFollowed ? 0.4 : 1);
    if (this.hovered !== EVERY && this.hovered !== this.chosen) {
      this.drawPath(context, camera, this.hovered, this.kind, 0.55);
    }
    context.lineCap = 'round';
    context.lineJoin = 'round';
    if (!isFollowed) return;
    const other = KINDS.find((kind) => kind !== this.kind);
    this.drawPath(context, camera, this.chosen, other, 0.5);
    this.drawPath(context, camera, this.chosen, this.kind, 1);
  }

  // From the head back, a part of the trail at a time over all walks: few strokes, each faint.
  drawTrails(context, camera, strength) {
    if (this.isLine) {
      this.drawCourses(context, camera, strength);
      return;
    }
    const { x, y } = this.paths[this.kind];
    const length = Math.max(TRAIL_PARTS, Math.round(TRAIL_SHARES[this.kind] * this.numSteps));
    context.lineWidth = 1.2 * camera.dpr;
    for (let part = 0; part < TRAIL_PARTS; part++) {
      const to = this.step - Math.round((part * length) / TRAIL_PARTS);
      const from = Math.max(0, this.step - Math.round(((part + 1) * length) / TRAIL_PARTS));
      if (to <= from && part > 0) break;
      context.beginPath();
      for (let walk = 0; walk < this.num; walk++) {
        const start = walk * this.numSteps;
        context.moveTo(camera.toScreenX(x[start + from]), camera.toScreenY(y[start + from]));
        // A few steps of the flow are nearly straight.
        const end = part === 0 ? this.head(walk) : [x[start + to], y[start + to]];
        context.lineTo(camera.toScreenX(end[0]), camera.toScreenY(end[1]));
      }
      const faint = strength * 0.62 * (1 - part / TRAIL_PARTS);
      context.strokeStyle = css(timeColour(this.share), faint);
      context.stroke();
    }
  }

  // Where x is time the ways do not cover each other: all of them, in the colours of their times.
  drawCourses(context, camera, strength) {
    const { x, y } = this.paths[this.kind];
    const ends = [camera.toScreenX(0), 0, camera.toScreenX(this.width), 0];
    const colours = context.createLinearGradient(...ends);
    for (let k = 0; k <= 10; k++) colours.addColorStop(k / 10, css(timeColour(k / 10), strength));
    context.strokeStyle = colours;
    context.lineWidth = 1.3 * camera.dpr;
    context.beginPath();
    for (let walk = 0; walk < this.num; walk++) {
      const start = walk * this.numSteps;
      context.moveTo(camera.toScreenX(x[start]), camera.toScreenY(y[start]));
      for (let k = start + 1; k <= start + this.step; k++) {
        context.lineTo(camera.toScreenX(x[k]), camera.toScreenY(y[k]));
      }
      const [headX, headY] = this.head(walk);
      context.lineTo(camera.toScreenX(headX), camera.toScreenY(headY));
    }
    context.globalAlpha = 0.8;
    context.stroke();
    context.globalAlpha = 1;
  }

  // One dot, drawn once and copied: four hundred circles would cost ten times as much.
  drawHeads(context, camera, strength) {
    const radius = 2.9 * camera.dpr;
    const reach = Math.ceil(radius + camera.dpr);
    this.dot ??= document.createElement('canvas');
    this.dot.width = 2 * reach;
    this.dot.height = 2 * reach;
    const pen = this.dot.getContext('2d');
    const rim = radius + 0.8 * camera.dpr;
    for (const [ink, size] of [[GROUND, rim], [timeColour(this.share), radius]]) {
      pen.fillStyle = css(ink, size > radius ? 0.75 : 1);
      pen.beginPath();
      pen.arc(reach, reach, size, 0, 7);
      pen.fill();
    }
    context.globalAlpha = strength;
    for (let walk = 0; walk < this.num; walk++) {
      const [x, y] = this.head(walk);
      context.drawImage(this.dot, camera.toScreenX(x) - reach, camera.toScreenY(y) - reach);
    }
    context.globalAlpha = 1;
  }

  // One whole walk: what is behind in the colours of its times, what is to come faint.
  drawPath(context, camera, walk, kind, strength) {
    const { x, y } = this.paths[kind];
    const { dpr } = camera;
    const start = walk * this.numSteps;
    const to = (k) => [camera.toScreenX(x[start + k]), camera.toScreenY(y[start + k])];
    const [headX, headY] = this.head(walk, kind);
    const head = [camera.toScreenX(headX), camera.toScreenY(headY)];
    context.setLineDash(kind === 'noise' ? [5 * dpr, 4 * dpr] : []);
    context.beginPath();
    context.moveTo(...head);
    for (let k = this.step + 1; k < this.numSteps; k++) context.lineTo(...to(k));
    context.lineWidth = 1.3 * dpr;
    context.strokeStyle = `rgb(255 255 255 / ${0.4 * strength})`;
    context.stroke();
    context.beginPath();
    context.moveTo(...to(0));
    for (let k = 1; k <= this.step; k++) context.lineTo(...to(k));
    context.lineTo(...head);
    context.setLineDash([]);
    context.lineWidth = 5.5 * dpr;
    context.strokeStyle = css(GROUND, 0.7 * strength);
    context.stroke();
    context.setLineDash(kind === 'noise' ? [5 * dpr, 4 * dpr] : []);
    context.lineWidth = 2.6 * dpr;
    for (let k = 0; k <= this.step; k++) {
      context.beginPath();
      context.moveTo(...to(k));
      context.lineTo(...(k < this.step ? to(k + 1) : head));
      context.strokeStyle = css(timeColour(k / (this.numSteps - 1)), strength);
      context.stroke();
    }
    context.setLineDash([]);
    context.lineWidth = 2 * dpr;
    for (const [place, radius] of [[to(0), 4], [head, 6.5]]) {
      context.beginPath();
      context.arc(...place, radius * dpr, 0, 7);
      context.fillStyle = css(timeColour(radius > 5 ? this.share : 0), strength);
      context.fill();
      context.strokeStyle = radius > 5 ? `rgb(255 255 255 / ${strength})` : css(GROUND, strength);
      context.stroke();
    }
  }
}

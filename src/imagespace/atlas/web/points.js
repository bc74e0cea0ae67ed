// The page of points: density, field and walks at one time, which plays from noise to data.

// Brighter than under pictures: here the density is what there is to see.
const POINT_SHADES = [
  [12, 16, 23], [17, 31, 52], [24, 54, 90], [40, 88, 132], [78, 134, 174], [128, 178, 206],
];
const DEEPEST_ZOOM = 40;
const AXIS_PX = 110; // the least distance of two lines of the scale, CSS pixels
const AXIS_INK = 'rgb(154 166 184 / 0.85)';

async function readPoints() {
  const words = JSON.parse(new TextDecoder().decode(await inflated('words')));
  const slices = [];
  for (const [k, told] of words.slices.entries()) {
    const levels = new Uint8Array(await inflated(`density-${k}`));
    const shares = new Int16Array(await inflated(`field-${k}`));
    // The outermost points lie half a cell inside the picture's edges.
    const [xMin, xMax, yMin, yMax] = told.extent;
    const halfX = (xMax - xMin) / (told.shape[1] - 1) / 2;
    const halfY = (yMax - yMin) / (told.shape[0] - 1) / 2;
    const extent = [xMin - halfX, xMax + halfX, yMin - halfY, yMax + halfY];
    slices.push({
      ...told,
      density: new Density(
        { extent, densityLevels: levels, densityShape: told.shape }, POINT_SHADES,
      ),
      field: new Field(shares, told),
    });
  }
  const places = async (name) => (
    dequantised(new Uint16Array(await inflated(name)), words[`${name}Box`])
  );
  return {
    ...words,
    slices,
    flow: await places('flow'),
    noise: await places('noise'),
    points: await places('points'),
  };
}

class PointMap extends Viewport {
  constructor(data) {
    super();
    this.data = data;
    this.walks = new PointWalks(data);
    this.shown = { density: true, field: true, walkers: true, real: true };
    const [xMin, xMax, yMin, yMax] = data.slices[0].extent;
    // Two thirds of the noise's square hold nearly all of the walks.
    const [half, padX] = [(yMax - yMin) / 3, 0.06 * (xMax - xMin)];
    const middle = (yMin + yMax) / 2;
    this.box = data.isLine
      ? { x: xMin - padX, y: yMin, width: xMax - xMin + 2 * padX, height: yMax - yMin }
      : { x: (xMin + xMax) / 2 - half, y: middle - half, width: 2 * half, height: 2 * half };
    this.screen = new Layer(
      document.getElementById('screen'), (...to) => this.paint(...to), false,
    );
    this.connect();
  }

  connect() {
    const { data, walks } = this;
    const find = (id) => document.getElementById(id);
    find('title').textContent = data.title;
    const parts = [`${walks.num} walks of ${walks.numSteps - 1} steps`];
    const [num, all] = [data.points.num, data.numPoints].map((n) => n.toLocaleString('en-GB'));
    if (data.numPoints) parts.push(`${num === all ? num : `${num} of ${all}`} data points`);
    find('summary').textContent = parts.join(' · ');
    this.writeScores(data.scores);
    this.listen({ belief: true });
    find('real').closest('label').hidden = !data.points.num;
    for (const name of Object.keys(this.shown)) {
      find(name).addEventListener('change', (event) => {
        this.shown[name] = event.target.checked;
        this.invalidate();
      });
    }
    for (const button of document.querySelectorAll('[data-kind]')) {
      button.addEventListener('click', () => this.choose(button.dataset.kind, walks.chosen));
    }
    const select = find('walk');
    select.append(new Option(`All ${walks.num} walks`, EVERY));
    for (let walk = 0; walk < walks.num; walk++) {
      select.append(new Option(`Walk ${walk + 1}`, walk));
    }
    select.addEventListener('change', () => this.choose(walks.kind, Number(select.value)));
    find('play').addEventListener('click', () => this.togglePlay());
    const scrub = find('scrub');
    scrub.max = walks.numSteps - 1;
    scrub.addEventListener('input', () => {
      walks.isPlaying = false;
      walks.seek(Number(scrub.value));
      this.invalidate();
    });
    const ramp = find('ramp').getContext('2d');
    for (let x = 0; x < 120; x++) {
      ramp.fillStyle = css(timeColour(x / 119));
      ramp.fillRect(x, 0, 1, 6);
    }
    this.choose('flow', EVERY);
    this.resize();
    Object.assign(this.camera, this.homeView());
  }

  choose(kind, walk) {
    Object.assign(this.walks, { kind, chosen: walk });
    for (const button of document.querySelectorAll('[data-kind]')) {
      button.setAttribute('aria-pressed', String(button.dataset.kind === kind));
    }
    document.getElementById('walk').value = String(walk);
    this.invalidate();
  }

  // --- what the viewport asks -------------------------------------------------------------

  panelsChanged() {}

  resized(home) { this.homeScale = home.scale; }

  homeView() {
    const { dpr } = this.camera;
    const head = document.getElementById('head').offsetHeight;
    const walks = document.getElementById('walks').offsetHeight;
    const sides = this.isNarrow
      ? { top: head + 20, bottom: walks + 20, left: 34, right: 14 }
      : { top: 30, bottom: 44, left: 460, right: 76 };
    return this.camera.showing(
      this.box, Object.fromEntries(Object.entries(sides).map(([side, px]) => [side, px * dpr])),
    );
  }

  bounded(scale) {
    return Math.max(this.homeScale * 0.5, Math.min(this.homeScale * DEEPEST_ZOOM, scale));
  }

  pick(clientX, clientY, reachPx) {
    const { dpr } = this.camera;
    if (!this.shown.walkers) return EVERY;
    return this.walks.pick(this.camera, clientX * dpr, clientY * dpr, reachPx * dpr);
  }

  hover(walk) {
    if (walk === this.walks.hovered) return;
    this.walks.hovered = walk;
    this.map.classList.toggle('pointing', walk >= 0);
    this.invalidate();
  }

  pin(walk) { this.choose(this.walks.kind, walk); }

  pinMiddle() { this.pin(this.pick(window.innerWidth / 2, window.innerHeight / 2, 200)); }

  escape() { this.pin(EVERY); }

  togglePlay() {
    this.walks.toggle();
    this.lastTick = null;
    this.invalidate();
  }

  // --- drawing ----------------------------------------------------------------------------

  frame(now) {
    this.isRequested = false;
    const { camera, walks } = this;
    if (this.flight) {
      if (this.flight.step(camera, now)) this.invalidate();
      else this.flight = null;
    }
    walks.advance(this.lastTick == null ? 0 : Math.min(200, now - this.lastTick));
    this.lastTick = walks.isPlaying ? now : null;
    if (walks.isPlaying) this.invalidate();
    this.screen.repaint(camera);
    this.tell();
  }

  // The two slices around the time, and the share of the later one.
  around(time) {
    const { slices } = this.data;
    const after = slices.findIndex(({ t }) => t <= time);
    if (after <= 0) {
      const only = after === 0 ? slices[0] : slices[slices.length - 1];
      return [only, only, 0];
    }
    const [first, second] = [slices[after - 1], slices[after]];
    return [first, second, (first.t - time) / (first.t - second.t)];
  }

  paint(context, camera) {
    const { data, shown, walks } = this;
    context.fillStyle = css(GROUND);
    context.fillRect(0, 0, camera.width, camera.height);
    const [first, second, share] = this.around(walks.time);
    if (shown.density) {
      // On a line every column has a height of its own: lines of equal height would mean nothing.
      first.density.draw(context, camera, data.isLine ? 0 : 0.3 * (1 - share));
      if (share > 0) {
        context.globalAlpha = share;
        second.density.draw(context, camera, 0.3);
        context.globalAlpha = 1;
      }
    }
    this.drawScale(context, camera);
    if (shown.real) this.drawReal(context, camera);
    if (shown.field) {
      const long = first.long * (1 - share) + second.long * share;
      drawArrows(context, camera, first.field, second.field, share, long, data.isLine);
    }
    if (data.isLine) this.drawNow(context, camera);
    if (shown.walkers) walks.draw(context, camera);
  }

  drawReal(context, camera) {
    const { points } = this.data;
    const side = Math.round(1.6 * camera.dpr); // whole pixels, which are filled fastest
    context.fillStyle = 'rgb(255 255 255 / 0.3)';
    for (let k = 0; k < points.num; k++) {
      const left = Math.round(camera.toScreenX(points.x[k]) - side / 2);
      const top = Math.round(camera.toScreenY(points.y[k]) - side / 2);
      context.fillRect(left, top, side, side);
    }
  }

  // On a line x is time: an upright line stands at now.
  drawNow(context, camera) {
    const x = camera.toScreenX(this.data.width * (1 - this.walks.time));
    const [, , yMin, yMax] = this.data.slices[0].extent;
    context.strokeStyle = css(timeColour(this.walks.share), 0.8);
    context.lineWidth = 1.5 * camera.dpr;
    context.beginPath();
    context.moveTo(x, camera.toScreenY(yMin));
    context.lineTo(x, camera.toScreenY(yMax));
    context.stroke();
  }

  // Lines at round numbers with their values: places, or on a line times along x.
  drawScale(context, camera) {
    const { data } = this;
    const { dpr, scale, width, height } = camera;
    const rough = (AXIS_PX * dpr) / scale;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((k) => k * power >= rough);
    const digits = Math.max(0, -Math.floor(Math.log10(step)));
    context.font = `${11 * dpr}px system-ui, sans-serif`;
    context.strokeStyle = 'rgb(154 166 184 / 0.1)';
    context.fillStyle = AXIS_INK;
    context.lineWidth = dpr;
    const line = (...ends) => {
      context.beginPath();
      context.moveTo(ends[0], ends[1]);
      context.lineTo(ends[2], ends[3]);
      context.stroke();
    };
    context.textAlign = 'right';
    context.textBaseline = 'bottom';
    for (let k = Math.ceil(camera.toMapY(height) / step); k * step <= camera.toMapY(0); k++) {
      const y = Math.round(camera.toScreenY(k * step)) + 0.5;
      line(0, y, width, y);
      if (y > 20 * dpr) context.fillText((k * step).toFixed(digits), width - 62 * dpr, y - 2 * dpr);
    }
    context.textAlign = 'left';
    context.textBaseline = 'top';
    const low = height - 18 * dpr;
    if (data.isLine) {
      for (let k = 0; k <= 10; k += 2) {
        const x = Math.round(camera.toScreenX(data.width * (1 - k / 10))) + 0.5;
        line(x, 0, x, height);
        context.fillText(`t = ${(k / 10).toFixed(1)}`, x + 4 * dpr, low);
      }
      return;
    }
    for (let k = Math.ceil(camera.toMapX(0) / step); k * step <= camera.toMapX(width); k++) {
      const x = Math.round(camera.toScreenX(k * step)) + 0.5;
      line(x, 0, x, height);
      context.fillText((k * step).toFixed(digits), x + 4 * dpr, low);
    }
  }

  tell() {
    const { walks, data } = this;
    const find = (id) => document.getElementById(id);
    const now = `${walks.chosen} ${walks.place} ${walks.isPlaying} ${walks.kind}`;
    if (now === this.told) return;
    this.told = now;
    find('play').textContent = walks.isPlaying ? '❚❚' : '▶︎';
    find('play').setAttribute('aria-label', walks.isPlaying ? 'Pause' : 'Play from noise to data');
    find('scrub').value = walks.place;
    find('step').textContent = `t = ${walks.time.toFixed(2)}`;
    find('scrub').setAttribute('aria-valuetext', `time ${walks.time.toFixed(2)}`);
    if (walks.chosen === EVERY) {
      find('where').textContent = walks.kind === 'flow'
        ? 'Along the flow: no noise is added, so that a start has one end.'
        : 'With noise: fresh noise at every step, so that a start has many ends.';
      return;
    }
    const said = (kind) => {
      const [x, y] = walks.end(walks.chosen, kind);
      return data.isLine ? y.toFixed(2) : `(${x.toFixed(2)}, ${y.toFixed(2)})`;
    };
    find('where').textContent = `From one start the flow (solid) ends at ${said('flow')}, `
      + `the walk with noise (dashed) at ${said('noise')}.`;
  }
}

// The whole state of the page is open to the console, and to its tests.
readPoints().then((data) => { window.atlas = new PointMap(data); }, (error) => {
  const failure = document.getElementById('failure');
  failure.textContent = `This page could not be read: ${error}. It needs a browser of 2023 or later.`;
  failure.hidden = false;
});

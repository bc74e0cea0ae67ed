// The page: puts the parts together and draws a frame whenever one of them has changed.

const STILL_AFTER_MS = 130; // the map is drawn sharp when it has not moved for so long
const NAMES_UNTIL = 30; // times the whole map; closer, a cluster is larger than the screen

// All but the outermost 0.5 % on each side: a few strays should not make the whole map small.
function middleRange(values) {
  const sorted = Float64Array.from(values).sort();
  const cut = Math.floor(0.005 * sorted.length);
  return [sorted[cut], sorted[sorted.length - 1 - cut]];
}

class Atlas extends Viewport {
  constructor(data) {
    super();
    this.data = data;
    const { points } = data;
    const [left, right] = middleRange(points.x);
    const [low, high] = middleRange(points.y);
    const extent = Math.max(right - left, high - low) || 1;
    const pad = 0.04 * extent;
    this.box = {
      x: left - pad, y: low - pad, width: right - left + 2 * pad, height: high - low + 2 * pad,
    };
    const sizes = data.clusterNames.map(() => 0);
    for (const cluster of data.clusterOf) if (cluster >= 0) sizes[cluster]++;
    const { styles, bySize } = stylesOf(sizes);
    this.scene = new Scene(data, styles, new Density(data), extent);
    // Each of the three lies over the one before: the map, the ways of the walks, their heads.
    const hidden = () => document.createElement('canvas');
    this.ground = new Layer(hidden(), (...to) => this.paintGround(...to), true);
    this.trodden = new Layer(hidden(), (...to) => this.paintTrodden(...to), false);
    this.screen = new Layer(
      document.getElementById('screen'), (...to) => this.paintScreen(...to), false,
    );
    this.labels = new Labels(data, bySize, sizes, styles);
    this.search = new Search(data.captions);
    this.card = new Card(data);
    this.legend = new Legend(data, styles, bySize, sizes, () => this.relight());
    this.found = null;
    this.foundAt = -1;
    this.writeWords();
    if (data.walks) {
      this.walks = new Walks(data.walks, points);
      this.walksPanel = new WalksPanel(this.walks, data, (isOther) => {
        this.lastTick = null;
        if (isOther) this.showWalk();
        this.invalidate();
      });
    }
    this.connect();
  }

  writeWords() {
    const { data } = this;
    document.getElementById('title').textContent = data.title;
    const parts = [`${data.points.num.toLocaleString('en-GB')} pictures`];
    if (data.clusterNames.length) parts.push(`${data.clusterNames.length} clusters`);
    if (data.walks) parts.push(`${data.walks.num} walks`);
    document.getElementById('summary').textContent = parts.join(' · ');
    this.writeScores(data.scores);
  }

  connect() {
    this.listen({ clusters: true, walks: Boolean(this.walks), belief: true });
    const query = document.getElementById('query');
    query.addEventListener('input', () => this.look(query.value));
    query.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.flyToNext(event.shiftKey ? -1 : 1);
    });
    if (!this.isNarrow) this.setPanel('clusters', true);
    this.resize();
    Object.assign(this.camera, this.homeView());
  }

  panelsChanged() {
    if (!this.walks) return;
    this.walks.isOpen = !document.getElementById('walks').hidden;
    if (!this.walks.isOpen) this.walks.isPlaying = false;
    if (this.scene.isQuiet !== this.walks.isOpen) this.ground.isDirty = true;
    this.scene.isQuiet = this.walks.isOpen;
  }

  resized(home) {
    this.scene.homeScale = home.scale;
    this.ground.isDirty = true;
  }

  // What panels leave free, in device pixels.
  inset() {
    const { dpr } = this.camera;
    const head = document.getElementById('head').offsetHeight;
    const isWide = window.innerWidth >= 1100;
    const sides = this.isNarrow
      ? { top: head + 24, bottom: 24, left: 14, right: 14 }
      : { top: isWide ? 36 : head + 30, bottom: 44, left: isWide ? 368 : 36, right: 276 };
    return Object.fromEntries(Object.entries(sides).map(([side, px]) => [side, px * dpr]));
  }

  homeView() { return this.camera.showing(this.box, this.inset()); }

  bounded(scale) {
    const greatest = Math.max(this.scene.maxScale(this.camera.dpr), this.scene.homeScale * 8);
    return Math.max(this.scene.homeScale * 0.5, Math.min(greatest, scale));
  }

  flyTo(row) {
    const { points } = this.data;
    const { camera } = this;
    const scale = this.bounded(Math.max(camera.scale, this.scene.scaleShowing(row, camera.dpr)));
    // Narrow screens show the card below the picture: the picture keeps above the middle.
    const below = this.isNarrow ? (0.08 * camera.height) / scale : 0;
    this.fly({ x: points.x[row], y: points.y[row] - below, scale }, 700);
    this.pin(row);
  }

  showWalk() {
    const { walks, camera } = this;
    if (walks.chosen === ALL) {
      this.goHome();
      return;
    }
    const box = walks.boxOf(walks.chosen);
    const pad = Math.max(box.width, box.height) * 0.12 + 1e-9;
    const wide = {
      x: box.x - pad, y: box.y - pad, width: box.width + 2 * pad, height: box.height + 2 * pad,
    };
    const inset = this.inset();
    const panel = document.getElementById('walks').offsetHeight * camera.dpr;
    if (this.isNarrow) inset.bottom += panel;
    inset.top += 70 * camera.dpr; // the head of the walk stands above its place
    const view = camera.showing(wide, inset);
    // A walk that hardly moves is not worth the deepest zoom: its surroundings tell where it is.
    const scale = Math.min(view.scale, 2.5 * this.scene.homeScale);
    const ratio = view.scale / scale;
    const [middleX, middleY] = [box.x + box.width / 2, box.y + box.height / 2];
    this.fly({
      x: middleX + (view.x - middleX) * ratio, y: middleY + (view.y - middleY) * ratio, scale,
    }, 600);
  }

  // --- looking ----------------------------------------------------------------------------

  pick(clientX, clientY, reachPx) {
    const { dpr } = this.camera;
    return this.scene.pick(this.camera, clientX * dpr, clientY * dpr, reachPx * dpr);
  }

  hover(row) {
    if (this.card.isPinned || row === this.card.row) return;
    this.map.classList.toggle('pointing', row >= 0);
    this.card.show(row, false);
    this.invalidate();
  }

  pin(row) {
    this.card.show(row, row >= 0);
    this.invalidate();
  }

  pinMiddle() { this.pin(this.pick(window.innerWidth / 2, window.innerHeight / 2, 200)); }

  escape() {
    const query = document.getElementById('query');
    if (this.card.row >= 0) this.pin(-1);
    else if (query.value) {
      query.value = '';
      this.look('');
    }
  }

  look(query) {
    this.found = this.search.find(query);
    this.foundAt = -1;
    const told = document.getElementById('found');
    if (!this.found) told.textContent = '';
    else {
      const { rows, strictness } = this.found;
      const num = rows.length.toLocaleString('en-GB');
      told.textContent = rows.length
        ? `${num} ${rows.length === 1 ? 'picture' : 'pictures'}${HOW[strictness]}`
        : 'No picture has it';
    }
    this.relight();
  }

  flyToNext(direction) {
    const rows = this.found?.rows ?? [];
    if (!rows.length) return;
    const from = this.foundAt < 0 && direction < 0 ? 0 : this.foundAt;
    this.foundAt = (from + direction + rows.length) % rows.length;
    const [at, num] = [this.foundAt + 1, rows.length].map((n) => n.toLocaleString('en-GB'));
    document.getElementById('found').textContent = `${at} of ${num}${HOW[this.found.strictness]}`;
    this.flyTo(rows[this.foundAt]);
  }

  relight() {
    const { cluster } = this.legend;
    const { clusterOf, points } = this.data;
    if (!this.found && cluster === null) this.scene.light(null);
    else {
      const isLit = new Uint8Array(points.num);
      if (this.found) for (const row of this.found.rows) isLit[row] = 1;
      else isLit.fill(1);
      if (cluster !== null) clusterOf.forEach((own, row) => { if (own !== cluster) isLit[row] = 0; });
      this.scene.light(isLit);
    }
    this.ground.isDirty = true;
    this.invalidate();
  }

  togglePlay() {
    if (this.walks?.isOpen) this.walksPanel.toggle();
  }

  toggleStanding() {
    if (this.walks?.isOpen) this.walksPanel.stands.click();
  }

  // --- drawing ----------------------------------------------------------------------------

  frame(now) {
    this.isRequested = false;
    const { camera, ground, screen, walks } = this;
    if (this.flight) {
      if (this.flight.step(camera, now)) this.invalidate();
      else this.flight = null;
      this.lastMove = performance.now();
    }
    const isMoving = performance.now() - this.lastMove < STILL_AFTER_MS;
    const isAnew = !ground.serves(camera) || (!isMoving && !ground.isSharp(camera));
    if (isAnew) ground.render(camera);
    if (!ground.isSharp(camera)) this.invalidate();
    if (walks?.isOpen) this.frameWalks(now, isAnew);
    else if (isAnew) screen.repaint(ground.camera);
    screen.place(camera);
    const { row } = this.card;
    this.card.place(camera, this.scene.shown.find((thumb) => thumb.row === row));
  }

  frameWalks(now, isAnew) {
    const { ground, trodden, screen, walks } = this;
    walks.advance(this.lastTick == null ? 0 : Math.min(200, now - this.lastTick));
    this.lastTick = walks.isPlaying ? now : null;
    if (walks.isPlaying) this.invalidate();
    const change = isAnew ? 'all' : walks.change;
    if (change === 'all') trodden.repaint(ground.camera);
    else if (change === 'more') walks.paint(trodden.context, trodden.camera, false);
    if (change !== 'nothing' || walks.place !== this.drawnPlace) screen.repaint(ground.camera);
    this.drawnPlace = walks.place;
    this.walksPanel.tell();
  }

  paintGround(context, camera) {
    this.scene.paint(context, camera);
    const zoom = camera.scale / this.scene.homeScale;
    const strength = (zoom > NAMES_UNTIL ? 0 : 1) * (this.found || this.scene.isQuiet ? 0.5 : 1);
    this.labels.draw(context, camera, strength, this.legend.cluster);
  }

  paintTrodden(context, camera) {
    context.drawImage(this.ground.canvas, 0, 0);
    this.walks.paint(context, camera, true);
  }

  paintScreen(context, camera) {
    if (!this.walks?.isOpen) {
      context.drawImage(this.ground.canvas, 0, 0);
      return;
    }
    context.drawImage(this.trodden.canvas, 0, 0);
    this.walks.drawHeads(context, camera, !reducedMotion.matches);
  }
}

// The whole state of the map is open to the console, and to its tests.
readData().then((data) => { window.atlas = new Atlas(data); }, (error) => {
  const failure = document.getElementById('failure');
  failure.textContent = `This page could not be read: ${error}. It needs a browser of 2023 or later.`;
  failure.hidden = false;
});

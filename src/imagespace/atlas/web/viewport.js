// What moves over the ground: the camera, its flights, the panels around it. Pages extend it with
// what they show: `homeView`, `bounded`, `frame`, `resized`, `panelsChanged`.

const LARGEST_DPR = 2; // beyond it, more pixels cost more than they show
const NARROW_PX = 720; // the width below which panels come up from the lower edge, one at a time
const reducedMotion = window.matchMedia('(prefers-reduced-motion: reduce)');

class Viewport {
  constructor() {
    this.map = document.getElementById('map');
    this.camera = new Camera();
    this.flight = null;
    this.lastMove = -Infinity;
    this.isRequested = false;
  }

  get isNarrow() { return window.innerWidth < NARROW_PX; }

  // Buttons, keys and fingers; `isThere` says which panels this page has anything for.
  listen(isThere) {
    this.controls = new Controls(this.map, this);
    const find = (id) => document.getElementById(id);
    find('closer').addEventListener('click', () => this.zoomStep(1.8));
    find('farther').addEventListener('click', () => this.zoomStep(1 / 1.8));
    find('home').addEventListener('click', () => this.goHome());
    this.buttons = [...document.querySelectorAll('nav button')];
    for (const button of this.buttons) {
      button.hidden = !isThere[button.dataset.panel];
      button.addEventListener('click', () => {
        this.setPanel(button.dataset.panel, button.getAttribute('aria-expanded') !== 'true');
      });
    }
    reducedMotion.addEventListener('change', () => this.invalidate());
    window.addEventListener('resize', () => this.resize());
  }

  setPanel(name, isOpen) {
    for (const button of this.buttons) {
      const own = button.dataset.panel === name;
      // Narrow screens have room for one panel.
      if (!own && !(isOpen && this.isNarrow)) continue;
      button.setAttribute('aria-expanded', String(own && isOpen));
      document.getElementById(button.dataset.panel).hidden = !(own && isOpen);
    }
    this.panelsChanged();
    this.invalidate();
  }

  writeScores(named) {
    const scores = document.getElementById('scores');
    for (const [name, value] of named) {
      const entry = document.createElement('div');
      const term = document.createElement('dt');
      const told = document.createElement('dd');
      term.textContent = name;
      told.textContent = value;
      entry.append(term, told);
      scores.append(entry);
    }
  }

  resize() {
    const { camera } = this;
    const wasHome = camera.width === 1 || this.isHome;
    camera.dpr = Math.min(LARGEST_DPR, window.devicePixelRatio || 1);
    camera.width = Math.round(window.innerWidth * camera.dpr);
    camera.height = Math.round(window.innerHeight * camera.dpr);
    const home = this.homeView();
    if (wasHome) {
      Object.assign(camera, home);
      this.isHome = true;
    }
    this.resized(home);
    this.invalidate();
  }

  // --- moving -----------------------------------------------------------------------------

  moved() {
    this.isHome = false;
    this.lastMove = performance.now();
    this.invalidate();
  }

  pan(dx, dy) {
    this.flight = null;
    this.camera.pan(dx * this.camera.dpr, dy * this.camera.dpr);
    this.moved();
  }

  zoomAt(clientX, clientY, factor, isSmooth) {
    const { camera } = this;
    const scale = this.bounded(camera.scale * factor);
    const [x, y] = [clientX * camera.dpr, clientY * camera.dpr];
    if (isSmooth) {
      const target = Object.assign(new Camera(), camera);
      target.zoomAt(x, y, scale / camera.scale);
      this.fly({ x: target.x, y: target.y, scale }, 220);
      return;
    }
    this.flight = null;
    camera.zoomAt(x, y, scale / camera.scale);
    this.moved();
  }

  zoomStep(factor) {
    this.zoomAt(window.innerWidth / 2, window.innerHeight / 2, factor, true);
  }

  glide(dx, dy) {
    const { camera } = this;
    const { x, y, scale } = this.flight?.target ?? camera;
    const [wayX, wayY] = [(dx * camera.dpr) / scale, (dy * camera.dpr) / scale];
    this.fly({ x: x - wayX, y: y + wayY, scale }, 160);
  }

  goHome() {
    this.fly(this.homeView(), 500);
    this.isHome = true;
  }

  fly(target, durationMs) {
    this.flight = new Flight(this.camera, target, reducedMotion.matches ? 0 : durationMs);
    this.moved();
  }

  invalidate() {
    if (this.isRequested) return;
    this.isRequested = true;
    requestAnimationFrame((now) => this.frame(now));
  }
}
